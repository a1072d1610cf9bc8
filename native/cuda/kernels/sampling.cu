// Choosing tokens from rows of logits, a block each. Rows with a NaN are reported and get no token.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/logits_params.h"
#include "cuda/kernels/ranking.cuh"

using namespace duo::cuda;

namespace {

constexpr int32_t kNoToken = -1;  // what a row gets that cannot be chosen from

__device__ const float* rowOf(const LogitRows& logits, int64_t row) { return logits.data + row * logits.stride; }

struct Later {
  static constexpr uint64_t kStart = 0;
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};

// The largest logit and its lowest id, the same in every thread; kNoToken where there is a NaN.
struct Peak {
  float value;
  int32_t id;
};
__device__ Peak peakOf(const float* row, int64_t columns, uint64_t* scratch) {
  uint64_t best = 0;
  bool nan = false;
  forColumns(row, columns, [&](float x, int64_t c) {
    nan |= x != x;
    best = Later()(best, uint64_t(orderedBits(x)) << 32 | ~uint32_t(c));
  });
  best = blockReduce(best, Later(), scratch);
  const int32_t id = int32_t(~uint32_t(best));
  if (__syncthreads_or(nan)) return {0.f, kNoToken};
  return {row[id], id};
}

}  // namespace

extern "C" __global__ void argmax(LogitRows logits, int32_t* ids, Reporter reporter) {
  __shared__ uint64_t scratch[kWarp];
  for (int64_t r = blockIdx.x; r < logits.rows; r += gridDim.x) {
    const Peak peak = peakOf(rowOf(logits, r), logits.vocabulary, scratch);
    if (threadIdx.x > 0) continue;
    ids[r] = peak.id;
    if (peak.id == kNoToken) reportRow(reporter.error, reporter.call, r);
  }
}

extern "C" __global__ void topK(LogitRows logits, int64_t k, float* values, int32_t* ids, Reporter reporter) {
  __shared__ RankingMemory memory;
  for (int64_t r = blockIdx.x; r < logits.rows; r += gridDim.x) {
    const RowValues row{rowOf(logits, r), logits.vocabulary};
    Ranking<RowValues> ranking(row, Ties::kLowerIdFirst, memory);
    for (int64_t done = 0; done < k;) {
      const int ready = ranking.next(k - done < RankingMemory::kKeys ? k - done : RankingMemory::kKeys);
      for (int64_t i = threadIdx.x; i < ready && done + i < k; i += blockDim.x) {
        const uint32_t id = ranking.id(int(i));
        values[r * k + done + i] = row.row[id];
        ids[r * k + done + i] = ranking.hasNaN() ? kNoToken : int32_t(id);
      }
      done += ready;
    }
    if (threadIdx.x == 0 && ranking.hasNaN()) reportRow(reporter.error, reporter.call, r);
  }
}
