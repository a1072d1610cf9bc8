// scatterRows: y[r] = Σ of x[i] with ids[i] = r, each sum in one order; addRows: y[r] += these sums. The ids are
// sorted, stably, by digits of eight bits: counts of each tile, their prefix sums, and the move. Then parts of the
// sorted order are added up row by row; what belongs to one target across parts is added in the parts' order.
#include "cuda/kernels/groups.cuh"
#include "cuda/kernels/rows_params.h"

using namespace duo::cuda;

namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kRounds = int(kSortTile) / kThreads;
static_assert(kDigits == kThreads);

// Of each of a thread's keys, its place among those of its warp with the same digit; counts[warp][digit] are how many
// there are. A warp's keys lie together. Ends with a barrier.
__device__ void rankDigits(const int32_t* keys, int64_t count, int shift, int32_t (*counts)[kDigits],
                           int32_t (&ranks)[kRounds], uint32_t (&digits)[kRounds]) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (int w = 0; w < kWarps; ++w) counts[w][threadIdx.x] = 0;
  __syncthreads();
  const int64_t first = blockIdx.x * kSortTile + int64_t(warp) * kRounds * kWarp + lane;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int64_t i = first + round * kWarp;
    const bool takesPart = i < count;
    digits[round] = takesPart ? uint32_t(keys[i]) >> shift & (kDigits - 1) : 0;
    const unsigned peers = __match_any_sync(kAllLanes, takesPart ? digits[round] : ~0u),
                   below = peers & ((1u << lane) - 1);
    const int32_t before = counts[warp][digits[round]];
    ranks[round] = before + __popc(below);
    __syncwarp();
    if (takesPart && below == 0) counts[warp][digits[round]] = before + __popc(peers);
    __syncwarp();
  }
  __syncthreads();
}

// Whether the target of the order's element `i` is that of the one before it.
__device__ bool continues(const ScatterSums& s, int64_t i) {
  return i > 0 && i < s.count && s.keys[i] == s.keys[i - 1];
}

// A whole sum goes to its target.
template <typename T>
__device__ void finishGroup(const ScatterSums& s, T* to, bool vectors, int left, float (&sum)[kGroup]) {
  if (s.add) {
    float before[kGroup] = {};
    addGroup(to, vectors, left, before);
#pragma unroll
    for (int j = 0; j < kGroup; ++j) sum[j] = before[j] + sum[j];
  }
  storeGroup(to, vectors, left, sum);
}

template <typename T>
__device__ void sumParts(const ScatterSums& s, const T* x, T* y) {
  const int64_t c = globalThread() * kGroup, part = blockIdx.y;
  if (c >= s.columns) return;
  const int left = int(s.columns - c < kGroup ? s.columns - c : kGroup);
  const bool vectors = s.vectors && left == kGroup;
  const int64_t begin = part * kScatterPart, end = begin + kScatterPart < s.count ? begin + kScatterPart : s.count;
  int64_t start = begin;
  float sum[kGroup] = {};
  for (int64_t i = begin; i < end; ++i) {
    const int32_t key = s.keys[i];
    if (key == s.rows) break;
    addGroup(x + int64_t(s.order[i]) * s.columns + c, vectors, left, sum);
    const bool last = i + 1 == end, goesOn = continues(s, i + 1);
    if (goesOn && !last) continue;
    if (continues(s, start) && start == begin) {
      storeGroup(s.heads + part * s.columns + c, vectors, left, sum);
    } else if (goesOn) {
      storeGroup(s.tails + part * s.columns + c, vectors, left, sum);
    } else {
      finishGroup(s, y + int64_t(key) * s.columns + c, vectors, left, sum);
    }
    start = i + 1;
#pragma unroll
    for (int j = 0; j < kGroup; ++j) sum[j] = 0;
  }
}

// Targets that begin in part blockIdx.y and go on in the next.
template <typename T>
__device__ void joinParts(const ScatterSums& s, T* y) {
  const int64_t c = globalThread() * kGroup;
  int64_t part = blockIdx.y, begin = part * kScatterPart, end = begin + kScatterPart;
  if (c >= s.columns || !continues(s, end)) return;
  const int32_t key = s.keys[end];
  if (key == s.rows || (s.keys[begin] == key && continues(s, begin))) return;
  const int left = int(s.columns - c < kGroup ? s.columns - c : kGroup);
  const bool vectors = s.vectors && left == kGroup;
  float sum[kGroup] = {};
  addGroup(s.tails + part * s.columns + c, vectors, left, sum);
  do {
    ++part;
    addGroup(s.heads + part * s.columns + c, vectors, left, sum);
    end += kScatterPart;
  } while (continues(s, end) && s.keys[end] == key);
  finishGroup(s, y + int64_t(key) * s.columns + c, vectors, left, sum);
}

}  // namespace

// keys[i] = ids[i], or `rows` for those that go nowhere; order[i] = i
extern "C" __global__ void scatterKeys(const int32_t* ids, int64_t count, int64_t rows, int64_t skip, int32_t* keys,
                                       int32_t* order, Reporter reporter) {
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int64_t id = ids[i];
    const bool inside = id >= 0 && id < rows;
    if (!inside) reportIndex(reporter.error, reporter.call, id, rows);
    keys[i] = inside && id != skip ? int32_t(id) : int32_t(rows);
    order[i] = int32_t(i);
  }
}

// counts[digit][tile]
extern "C" __global__ void scatterCount(const int32_t* keys, int64_t count, int shift, int32_t* counts) {
  __shared__ int32_t perWarp[kWarps][kDigits];
  int32_t ranks[kRounds];
  uint32_t digits[kRounds];
  rankDigits(keys, count, shift, perWarp, ranks, digits);
  int32_t total = 0;
  for (int w = 0; w < kWarps; ++w) total += perWarp[w][threadIdx.x];
  counts[threadIdx.x * gridDim.x + blockIdx.x] = total;
}

// In place, each number becomes the sum of those before it; one block.
extern "C" __global__ void scatterScan(int32_t* counts, int64_t count) {
  __shared__ int32_t totals[kThreads];
  const int64_t each = (count + kThreads - 1) / kThreads, begin = threadIdx.x * each;
  const int64_t end = begin + each < count ? begin + each : count;
  int32_t total = 0;
  for (int64_t i = begin; i < end; ++i) total += counts[i];
  totals[threadIdx.x] = total;
  __syncthreads();
  int32_t before = 0;
  for (int t = 0; t < int(threadIdx.x); ++t) before += totals[t];
  for (int64_t i = begin; i < end; ++i) {
    const int32_t own = counts[i];
    counts[i] = before;
    before += own;
  }
}

extern "C" __global__ void scatterMove(const int32_t* keys, const int32_t* order, int64_t count, int shift,
                                       const int32_t* starts, int32_t* keysOut, int32_t* orderOut) {
  __shared__ int32_t perWarp[kWarps][kDigits];
  int32_t ranks[kRounds];
  uint32_t digits[kRounds];
  rankDigits(keys, count, shift, perWarp, ranks, digits);
  int32_t at = starts[threadIdx.x * gridDim.x + blockIdx.x];
  for (int w = 0; w < kWarps; ++w) {
    const int32_t own = perWarp[w][threadIdx.x];
    perWarp[w][threadIdx.x] = at;
    at += own;
  }
  __syncthreads();
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int64_t i = blockIdx.x * kSortTile + int64_t(warp) * kRounds * kWarp + round * kWarp + lane;
    if (i >= count) continue;
    const int32_t to = perWarp[warp][digits[round]] + ranks[round];
    keysOut[to] = keys[i];
    orderOut[to] = order[i];
  }
}

#define DUO_SCATTER(T)                                                                                     \
  extern "C" __global__ void scatterSums_##T(ScatterSums sums, const T* x, T* y) { sumParts(sums, x, y); } \
  extern "C" __global__ void scatterJoin_##T(ScatterSums sums, T* y) { joinParts(sums, y); }
DUO_SCATTER(f32)
DUO_SCATTER(f16)
DUO_SCATTER(bf16)
