// attentionDecode: O = softmax(scale·Q·Kᵀ + bias)·V of a few query rows against a cache. kvCacheAppend: fills the
// cache.
//
// Work:  a block of 128 threads takes up to eight rows of one slot and head, and a range of its keys: first all scores
//        (16 lanes share a key, 16 bytes each, four keys under way), then their exponentials, then the values. Where
//        there are too few blocks, keys are cut into ranges, whose sums a second kernel joins in order.
// Bytes: K and V of a slot and head are read once for the rows of a task: with one row that is all the time there is.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/decode_params.h"
#include "cuda/kernels/logits_params.h"

using namespace duo::cuda;

namespace {

// Four columns from `d` on of a row of `size`.
__device__ float4 loadFour(const float* p, int d, int size, bool vectors) {
  if (vectors) return d < size ? *reinterpret_cast<const float4*>(p + d) : make_float4(0.f, 0.f, 0.f, 0.f);
  return make_float4(d < size ? p[d] : 0.f, d + 1 < size ? p[d + 1] : 0.f, d + 2 < size ? p[d + 2] : 0.f,
                     d + 3 < size ? p[d + 3] : 0.f);
}

// Keys or values of one head as one task sees them.
struct CachedRows {
  const DecodeCache& cache;
  const DecodeParams& p;
  int slot, head;

  __device__ const float* at(int key) const {
    int of = slot;
    if (p.slotTable) {
      of = p.slotTable[int64_t(slot) * p.maxLength + key];
      if (of < 0 || of >= p.slots) {
        reportIndex(p.error, p.call, of, p.slots);
        of = slot;
      }
    }
    return cache.data + of * cache.slot + head * cache.head + key * cache.key;
  }
};

template <typename T>
struct Decoder {
  const DecodeParams& p;
  const DecodeTask task;
  const int head, begin, end;  // keys
  float* queries;              // (kDecodeRows, size rounded up to kDecodeColumns)
  float* scores;               // (kDecodeRows, splitKeys)
  float* sums;                 // (kDecodeGroups, kDecodeRows, kDecodeColumns)
  const int lane = int(threadIdx.x) % kDecodeLanes, group = int(threadIdx.x) / kDecodeLanes;

  __device__ int width() const { return (p.size + kDecodeColumns - 1) / kDecodeColumns * kDecodeColumns; }

  __device__ void loadQueries() const {
    for (int i = int(threadIdx.x); i < kDecodeRows * width(); i += kDecodeThreads) {
      const int r = i / width(), d = i % width();
      float x = 0.f;
      if (r < task.rows && d < p.size) {
        x = toFloat(static_cast<const T*>(p.q)[p.rows[task.firstRow + r].row * p.rowOfQ + head * p.headOfQ + d]);
      }
      queries[i] = x;
    }
  }

  __device__ float bias(int position, int key) const {
    if (!p.table) return 0.f;
    const int distance = min(max(key - position, -p.reach), p.reach);
    return toFloat(static_cast<const T*>(p.table)[int64_t(p.buckets[distance + p.reach]) * p.heads + head]);
  }

  __device__ void score() const {
    constexpr int kKeys = 4;
    const CachedRows keys{p.k, p, task.slot, head};
    for (int first = begin + group; first < begin + (end - begin + 31) / 32 * 32; first += kKeys * kDecodeGroups) {
      const float* at[kKeys];
#pragma unroll
      for (int u = 0; u < kKeys; ++u) at[u] = keys.at(min(first + u * kDecodeGroups, end - 1));
      float dots[kDecodeRows][kKeys] = {};
      for (int d = 4 * lane; d < width(); d += kDecodeColumns) {
        float4 k[kKeys];
#pragma unroll
        for (int u = 0; u < kKeys; ++u) k[u] = loadFour(at[u], d, p.size, p.vectors);
#pragma unroll
        for (int r = 0; r < kDecodeRows; ++r) {
          if (r >= task.rows) break;
          const float4 q = *reinterpret_cast<const float4*>(queries + r * width() + d);
#pragma unroll
          for (int u = 0; u < kKeys; ++u) {
            dots[r][u] = fmaf(q.x, k[u].x, fmaf(q.y, k[u].y, fmaf(q.z, k[u].z, fmaf(q.w, k[u].w, dots[r][u]))));
          }
        }
      }
#pragma unroll
      for (int r = 0; r < kDecodeRows; ++r) {
        if (r >= task.rows) break;
#pragma unroll
        for (int u = 0; u < kKeys; ++u) {
#pragma unroll
          for (int offset = kDecodeLanes / 2; offset > 0; offset /= 2) {
            dots[r][u] += __shfl_xor_sync(kAllLanes, dots[r][u], offset);
          }
          const int key = first + u * kDecodeGroups;
          if (lane == u && key < end) {
            const DecodeRow row = p.rows[task.firstRow + r];
            scores[r * p.splitKeys + key - begin] =
                key < row.keys ? fmaf(p.scale, dots[r][u], bias(row.position, key)) : -INFINITY;
          }
        }
      }
    }
  }

  // A warp for each row: replaces scores by their exponentials. `highest` and `totals`: of each row.
  __device__ void exponentials(float* highest, float* totals) const {
    const int warp = int(threadIdx.x) / kWarp, warpLane = int(threadIdx.x) % kWarp;
    for (int r = warp; r < task.rows; r += kDecodeThreads / kWarp) {
      float* row = scores + r * p.splitKeys;
      float most = -INFINITY, total = 0.f;
      for (int i = warpLane; i < end - begin; i += kWarp) most = Max()(most, row[i]);
      most = warpMax(most);
      const float shift = most == -INFINITY ? 0.f : most;
      for (int i = warpLane; i < end - begin; i += kWarp) {
        row[i] = expf(row[i] - shift);
        total += row[i];
      }
      total = warpSum(total);
      if (warpLane == 0) highest[r] = most, totals[r] = total;
    }
  }

  // Columns from `column` on of Σ p·V, of this thread's row and columns.
  __device__ float4 weighted(int column, int row) const {
    const CachedRows values{p.v, p, task.slot, head};
    const int d = column + 4 * lane;
    float4 total[kDecodeRows];
#pragma unroll
    for (int r = 0; r < kDecodeRows; ++r) total[r] = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll 4
    for (int key = begin + group; key < end; key += kDecodeGroups) {
      const float4 v = loadFour(values.at(key), d, p.size, p.vectors);
#pragma unroll
      for (int r = 0; r < kDecodeRows; ++r) {
        if (r >= task.rows) break;
        const float x = scores[r * p.splitKeys + key - begin];
        total[r].x = fmaf(x, v.x, total[r].x), total[r].y = fmaf(x, v.y, total[r].y);
        total[r].z = fmaf(x, v.z, total[r].z), total[r].w = fmaf(x, v.w, total[r].w);
      }
    }
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kDecodeRows; ++r) {
      *reinterpret_cast<float4*>(sums + (group * kDecodeRows + r) * kDecodeColumns + 4 * lane) = total[r];
    }
    __syncthreads();
    float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int g = 0; g < kDecodeGroups; ++g) {
      const float4 x = *reinterpret_cast<const float4*>(sums + (g * kDecodeRows + row) * kDecodeColumns + 4 * lane);
      sum.x += x.x, sum.y += x.y, sum.z += x.z, sum.w += x.w;
    }
    return sum;
  }
};

// partials: (splits, N, H, size + 2): Σ p·V, then the maximum and the sum of exponentials.
template <typename T>
__device__ void attentionDecode(const DecodeParams& p, T* o, float* partials) {
  static_assert(kDecodeGroups == kDecodeRows, "each group writes a row");
  extern __shared__ __align__(16) float shared[];
  __shared__ float highest[kDecodeRows], totals[kDecodeRows];
  const int head = int(blockIdx.x) / p.taskCount, split = int(blockIdx.y);
  const DecodeTask task = p.tasks[int(blockIdx.x) % p.taskCount];
  const int begin = min(split * p.splitKeys, task.keys), end = min(begin + p.splitKeys, task.keys);
  const int width = (p.size + kDecodeColumns - 1) / kDecodeColumns * kDecodeColumns;
  const Decoder<T> decoder{
      p, task, head, begin, end, shared, shared + kDecodeRows * width, shared + kDecodeRows * (width + p.splitKeys)};
  decoder.loadQueries();
  __syncthreads();
  decoder.score();
  __syncthreads();
  decoder.exponentials(highest, totals);
  __syncthreads();

  const int r = decoder.group;
  const int row = r < task.rows ? p.rows[task.firstRow + r].row : 0;
  for (int column = 0; column < p.size; column += kDecodeColumns) {
    const float4 sum = decoder.weighted(column, r);
    if (r >= task.rows) continue;
    const float values[4] = {sum.x, sum.y, sum.z, sum.w};
    const int64_t at = int64_t(row) * p.heads + head;
    // A row without keys has the sum 0; NaN goes on.
    const float factor = totals[r] == 0.f ? 0.f : 1.f / totals[r];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int d = column + 4 * decoder.lane + i;
      if (d >= p.size) break;
      if (p.splits == 1) {
        o[at * p.size + d] = fromFloat<T>(values[i] * factor);
      } else {
        partials[(int64_t(split) * p.rowCount * p.heads + at) * (p.size + 2) + d] = values[i];
      }
    }
  }
  if (p.splits > 1 && r < task.rows && decoder.lane == 0) {
    float* to =
        partials + (int64_t(split) * p.rowCount * p.heads + int64_t(row) * p.heads + head) * (p.size + 2) + p.size;
    to[0] = highest[r], to[1] = totals[r];
  }
}

// Joins the ranges of keys, in order; a block for each row and head.
template <typename T>
__device__ void attentionDecodeJoin(const float* partials, T* o, int64_t rows, int size, int splits) {
  const float* mine = partials + int64_t(blockIdx.x) * (size + 2);
  const int64_t stride = rows * (size + 2);
  float most = -INFINITY;
  for (int i = 0; i < splits; ++i) most = Max()(most, mine[i * stride + size]);
  const float shift = most == -INFINITY ? 0.f : most;
  float total = 0.f;
  for (int i = 0; i < splits; ++i) total += mine[i * stride + size + 1] * expf(mine[i * stride + size] - shift);
  for (int d = int(threadIdx.x); d < size; d += int(blockDim.x)) {
    float sum = 0.f;
    for (int i = 0; i < splits; ++i) sum += mine[i * stride + d] * expf(mine[i * stride + size] - shift);
    o[int64_t(blockIdx.x) * size + d] = fromFloat<T>(total == 0.f ? 0.f : sum / total);
  }
}

// cache[slot, h, t] = row h of the new token at position t; places: (slot, position) of each row.
template <typename T>
__device__ void kvCacheAppend(const T* from, int64_t rowStride, int64_t headStride, const DecodeCache& cache,
                              const int2* places, int64_t rows, int heads, int size) {
  const int64_t count = rows * heads * size;
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int d = int(i % size), head = int(i / size % heads);
    const int64_t row = i / size / heads;
    cache.data[places[row].x * cache.slot + head * cache.head + places[row].y * cache.key + d] =
        toFloat(from[row * rowStride + head * headStride + d]);
  }
}

}  // namespace

#define DUO_DECODE(T)                                                                                          \
  extern "C" __global__ void __launch_bounds__(kDecodeThreads, 4)                                              \
      attentionDecode_##T(DecodeParams p, T* o, float* partials) {                                             \
    attentionDecode<T>(p, o, partials);                                                                        \
  }                                                                                                            \
  extern "C" __global__ void attentionDecodeJoin_##T(const float* partials, T* o, int64_t rows, int size,      \
                                                     int splits) {                                             \
    attentionDecodeJoin<T>(partials, o, rows, size, splits);                                                   \
  }                                                                                                            \
  extern "C" __global__ void kvCacheAppend_##T(const T* from, int64_t rowStride, int64_t headStride,           \
                                               DecodeCache cache, const int2* places, int64_t rows, int heads, \
                                               int size) {                                                     \
    kvCacheAppend(from, rowStride, headStride, cache, places, rows, heads, size);                              \
  }

DUO_DECODE(f32)
DUO_DECODE(f16)
DUO_DECODE(bf16)

// A thread each key of a slot: which sequence has that slot now is looked for among all, which are few.
extern "C" __global__ void continueSlots(const int32_t* table, int64_t slots, int64_t size, const int32_t* before,
                                         int64_t beforeCount, const int32_t* rows, const int32_t* slotOf,
                                         const int32_t* lengths, int64_t count, int32_t* y, Reporter reporter) {
  for (int64_t at = globalThread(); at < slots * size; at += globalThreads()) {
    const int64_t slot = at / size, key = at % size;
    int32_t value = table[at];
    for (int64_t i = 0; i < count; ++i) {
      if (slotOf[i] < 0 || slotOf[i] >= slots) reportIndex(reporter.error, reporter.call, slotOf[i], slots);
      if (lengths[i] < 0 || lengths[i] > size) reportIndex(reporter.error, reporter.call, lengths[i], size + 1);
      if (slotOf[i] != slot) continue;
      value = int32_t(slot);
      if (key >= lengths[i]) continue;
      const int64_t row = rows[i], from = row >= 0 && row < beforeCount ? before[row] : -1;
      if (from >= 0 && from < slots) {
        value = table[from * size + key];
      } else {
        reportIndex(reporter.error, reporter.call, row, beforeCount);
      }
    }
    y[at] = value;
  }
}
