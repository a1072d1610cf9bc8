// Reductions over walks: a warp for each output and piece of its elements, or a thread where neighbouring outputs lie
// together. Pieces of one output are reduced by the same kernels again.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

enum Kind { kSum, kMax = 2 };

__device__ bool fits32(int64_t count) { return count < (int64_t(1) << 31); }

// Elements [begin, end) of `inner`, every `step`-th from `begin`, in four chains that are combined in order.
template <typename Op>
__device__ float reduceWalk(const float* x, const Walk& inner, bool small, int64_t begin, int64_t end, int64_t step,
                            Op op) {
  constexpr int kChains = 4;
  float chains[kChains] = {Op::kStart, Op::kStart, Op::kStart, Op::kStart};
  int64_t i = begin;
  for (; i + (kChains - 1) * step < end; i += kChains * step) {
#pragma unroll
    for (int j = 0; j < kChains; ++j) chains[j] = op(chains[j], x[offsetOf(inner, i + j * step, small)]);
  }
  for (; i < end; i += step) chains[0] = op(chains[0], x[offsetOf(inner, i, small)]);
  return op(op(chains[0], chains[1]), op(chains[2], chains[3]));
}

template <typename Op>
__device__ void reducePieces(const float* x, float* y, const Walk& outer, const Walk& inner, int64_t outputs,
                             int64_t count, int64_t pieces, bool byWarps, float scale, Op op) {
  const bool smallOuter = fits32(outputs), smallInner = fits32(count);
  const int64_t height = (count + pieces - 1) / pieces, group = byWarps ? kWarp : 1;
  const int64_t lane = byWarps ? threadIdx.x % kWarp : 0;
  // Outputs of a piece are neighbours, so that threads which take one each read together.
  for (int64_t i = globalThread() / group; i < outputs * pieces; i += globalThreads() / group) {
    const int64_t output = i % outputs, begin = i / outputs * height;
    const int64_t end = begin + height < count ? begin + height : count;
    const float* from = x + offsetOf(outer, output, smallOuter);
    float result = reduceWalk(from, inner, smallInner, begin + lane, end, group, op);
    if (byWarps) result = warpReduce(result, op);
    if (lane == 0) y[i] = scale * result;
  }
}

}  // namespace

// y[piece][output] = scale · sum (or max) of that piece of the elements that `inner` walks over, from where `outer` is
extern "C" __global__ void reduce(const float* x, float* y, Walk outer, Walk inner, int64_t outputs, int64_t count,
                                  int64_t pieces, int byWarps, int kind, float scale) {
  if (kind == kMax) {
    reducePieces(x, y, outer, inner, outputs, count, pieces, byWarps, scale, Max());
  } else {
    reducePieces(x, y, outer, inner, outputs, count, pieces, byWarps, scale, Sum());
  }
}

// dX = dY at the first of the maxima that y holds, else 0; a warp for each output
extern "C" __global__ void maxBwd(const float* x, const float* y, const float* dY, float* dX, Walk outer, Walk inner,
                                  int64_t outputs, int64_t count) {
  const bool smallOuter = fits32(outputs), smallInner = fits32(count);
  const int lane = threadIdx.x % kWarp;
  for (int64_t o = globalThread() / kWarp; o < outputs; o += globalThreads() / kWarp) {
    const int64_t base = offsetOf(outer, o, smallOuter);
    const float max = y[o], given = dY[o];
    bool found = false;
    for (int64_t first = 0; first < count; first += kWarp) {
      const int64_t i = first + lane, at = base + (i < count ? offsetOf(inner, i, smallInner) : 0);
      const bool is = !found && i < count && (x[at] == max || max != max);
      const unsigned where = __ballot_sync(kAllLanes, is);
      if (i < count) dX[at] = is && (where & ((1u << lane) - 1)) == 0 ? given : 0.f;
      found = found || where != 0;
    }
  }
}
