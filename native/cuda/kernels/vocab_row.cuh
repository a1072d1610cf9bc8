// One row of logits over a vocabulary, by a block of threads: its partial sums, its loss and its gradient, the formulas
// of native/cpu/vocab_row.h; draws by native/cpu/token_sampler.h. Sums that a draw depends on are added in the CPU's
// order, with eight lanes.
#pragma once
#include "cuda/kernels/lanes.cuh"
#include "cuda/kernels/philox.cuh"
#include "cuda/kernels/vocab_params.h"

namespace duo::cuda {

constexpr int kVocabThreads = 256;
constexpr int kVocabLanes = 8;  // of the CPU's vectors

// Shared memory of a block, all of it dynamic: `blocks` partial sums three times, and what threads hand each other.
struct VocabMemory {
  double* doubles;  // kWarp, the first also for what one thread finds
  float* floats;    // kWarp
  float* weights;   // kVocabColumns
  float *max, *sum, *share;

  __device__ VocabMemory(char* memory, int64_t blocks)
      : doubles(reinterpret_cast<double*>(memory)),
        floats(reinterpret_cast<float*>(doubles + kWarp)),
        weights(floats + kWarp),
        max(weights + kVocabColumns),
        sum(max + blocks),
        share(sum + blocks) {}
};

__device__ inline int64_t vocabBlocksOf(int64_t v) { return (v + kVocabColumns - 1) / kVocabColumns; }

// Logits with the bias added.
template <typename L, typename B>
struct Logits {
  const L* row;
  const B* bias;
  __device__ float operator()(int64_t c) const { return bias ? toFloat(row[c]) + toFloat(bias[c]) : toFloat(row[c]); }
};

// e^x, x ≤ 0; a NaN stays one
__device__ inline float expOfLogit(float x) { return x != x ? x : expAsOnCpu(x); }

__device__ inline float shiftFor(float max) { return max == -INFINITY ? 0.f : max; }

// max[b] and sum[b] = Σ exp((l − max[b])/T) of every block of columns, without column `excluded`. Eight threads a
// block. The caller's next barrier makes them visible.
template <typename L>
__device__ inline void sumVocabBlocks(const L& logits, int64_t v, float inverseTemperature, int64_t excluded,
                                      const VocabMemory& memory) {
  constexpr int kEach = int(kVocabColumns) / kVocabLanes;
  const int lane = threadIdx.x % kVocabLanes;
  const int64_t blocks = vocabBlocksOf(v), atOnce = blockDim.x / kVocabLanes;
  for (int64_t first = 0; first < blocks; first += atOnce) {
    const int64_t b = first + threadIdx.x / kVocabLanes, start = b * kVocabColumns;
    const int64_t left = v - start;
    const int n = b >= blocks ? 0 : int(left < kVocabColumns ? left : kVocabColumns), whole = n & ~(kVocabLanes - 1);
    float x[kEach], top = -INFINITY;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int c = i * kVocabLanes + lane;
      x[i] = c < n && start + c != excluded ? logits(start + c) : -INFINITY;
      top = x[i] > top ? x[i] : top;
    }
#pragma unroll
    for (int offset = kVocabLanes / 2; offset > 0; offset /= 2) {
      top = fmaxf(top, __shfl_xor_sync(kAllLanes, top, offset, kVocabLanes));
    }
    const float shift = shiftFor(top);
    float sum = 0, tail = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int c = i * kVocabLanes + lane;
      const float e = c < n ? expOfLogit(__fmul_rn(x[i] - shift, inverseTemperature)) : 0.f;
      if (c < whole) sum += e;
      if (c >= whole) tail += e;
    }
    sum = sumOfEight(sum);
#pragma unroll
    for (int j = 0; j < kVocabLanes - 1; ++j) {
      const float e = __shfl_sync(kAllLanes, tail, j, kVocabLanes);
      if (j < n - whole) sum += e;
    }
    if (lane == 0 && b < blocks) memory.max[b] = top, memory.sum[b] = sum;
  }
}

struct RowSum {
  float max, logSum;
  double sum;  // Σ exp((l − max)/T)

  __device__ double lse() const { return double(max) + double(logSum); }
};

// The same in every thread; writes the shares. Begins and ends with a barrier.
__device__ inline RowSum mergeVocabBlocks(int64_t v, float inverseTemperature, const VocabMemory& memory) {
  const int64_t blocks = vocabBlocksOf(v);
  __syncthreads();
  float top = -INFINITY;
  for (int64_t b = threadIdx.x; b < blocks; b += blockDim.x) top = fmaxf(top, memory.max[b]);
  top = blockMax(top, memory.floats);
  const float shift = shiftFor(top);
  for (int64_t b = threadIdx.x; b < blocks; b += blockDim.x) {
    const float factor = expOfLogit(__fmul_rn(memory.max[b] - shift, inverseTemperature));
    memory.share[b] = __fmul_rn(memory.sum[b], factor);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    double total = 0;
    for (int64_t b = 0; b < blocks; ++b) total += double(memory.share[b]);
    memory.doubles[0] = total;
  }
  __syncthreads();
  const double total = memory.doubles[0];
  __syncthreads();
  return {top, float(log(total)), total};
}

// The loss of a row, complete in the first thread; all threads of the block take part.
template <typename L>
__device__ inline float vocabLoss(const VocabRule& rule, const L& logits, int64_t v, int64_t label, const RowSum& row,
                                  const VocabMemory& memory) {
  const double logSum = double(row.logSum);
  double loss = rule.onLabel * (logSum - double(logits(label) - row.max));
  if (rule.everywhere != 0) {
    double below = 0;
    for (int64_t c = threadIdx.x; c < v; c += blockDim.x) below += double(logits(c) - row.max);
    below = blockReduce(below, Sum(), memory.doubles);
    loss += rule.everywhere * (double(v) * logSum - below) - rule.entropy;
  }
  return float(rule.z == 0 ? loss : loss + rule.z * row.lse() * row.lse());
}

// dl = scale·((1 + 2z·lse)·softmax(l) − q)
template <typename L, typename G>
__device__ inline void vocabGradient(const VocabRule& rule, const L& logits, int64_t v, int64_t label,
                                     const RowSum& row, float scale, G* gradient) {
  const float onSoftmax = float(double(scale) * (1 + 2 * rule.z * row.lse()));
  const float below = float(-double(scale) * rule.everywhere), onLabel = float(double(scale) * rule.onLabel);
  for (int64_t c = threadIdx.x; c < v; c += blockDim.x) {
    const float d = fmaf(onSoftmax, expOfLogit((logits(c) - row.max) - row.logSum), below);
    gradient[c] = fromFloat<G>(c == label ? d - onLabel : d);
  }
}

constexpr int32_t kNoDraw = -1;  // the row has no weights to draw by, or a NaN among them

// A token by the row's weights, but `excluded`; complete in the first thread. `sums` are of the draw's temperature and
// without the excluded token. Ends with a barrier.
template <typename L>
__device__ inline int32_t drawToken(const L& logits, int64_t v, const VocabDraw& draw, int64_t index, int64_t excluded,
                                    const VocabMemory& memory) {
  const RowSum total = mergeVocabBlocks(v, draw.inverseTemperature, memory);
  if (!(total.sum > 0) || !(total.max < INFINITY)) return kNoDraw;
  double left = 0;
  if (threadIdx.x == 0) {
    const int64_t blocks = vocabBlocksOf(v);
    left = __dmul_rn(uniformDraw({draw.seed, draw.site, draw.step}, index), total.sum);
    int64_t block = 0, last = 0;
    for (; block < blocks && left >= double(memory.share[block]); ++block) {
      left -= double(memory.share[block]);
      if (memory.share[block] > 0) last = block;
    }
    // Rounding of the running difference may walk past the end; what is left is then the last block's whole sum.
    if (block == blocks) block = last, left = total.sum;
    memory.doubles[0] = double(block);
  }
  __syncthreads();
  const int64_t start = int64_t(memory.doubles[0]) * kVocabColumns;
  const int64_t n = v - start < kVocabColumns ? v - start : kVocabColumns;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    memory.weights[i] = expOfLogit(__fmul_rn(logits(start + i) - total.max, draw.inverseTemperature));
  }
  __syncthreads();
  int64_t chosen = 0;
  if (threadIdx.x == 0) {
    for (int64_t i = 0; i < n; ++i) {
      if (start + i == excluded || memory.weights[i] == 0.f) continue;
      chosen = i;
      if (left < double(memory.weights[i])) break;
      left -= double(memory.weights[i]);
    }
  }
  __syncthreads();
  return int32_t(start + chosen);
}

}  // namespace duo::cuda
