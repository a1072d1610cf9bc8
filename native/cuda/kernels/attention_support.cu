// What attention prepares: the bias table along relative positions, Σ dO·O of rows, checks of positions.
#include "cuda/kernels/attention_params.h"
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/philox.cuh"

using namespace duo::cuda;

namespace {

// window[h][i] = table[buckets[i]][h]
template <typename T>
__device__ void attentionWindow(const T* table, const int32_t* buckets, float* window, int heads, int length) {
  const int64_t count = int64_t(heads) * length;
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    window[i] = toFloat(table[int64_t(buckets[i % length]) * heads + i / length]);
  }
}

// dots[h][row] = Σ dO·O, a warp for each: reads both once.
template <typename T>
__device__ void attentionDots(const AttentionParams& p, float* dots) {
  const int lane = threadIdx.x % kWarp;
  const int64_t count = p.nq * p.heads;
  for (int64_t i = globalThread() / kWarp; i < count; i += globalThreads() / kWarp) {
    const int64_t row = i / p.heads, head = i % p.heads;
    const T* a = static_cast<const T*>(p.o.data) + row * p.o.row + head * p.o.head;
    const T* b = static_cast<const T*>(p.dO.data) + row * p.dO.row + head * p.dO.head;
    float total = 0.f;
    for (int d = lane; d < p.size; d += kWarp) total = fmaf(toFloat(a[d]), toFloat(b[d]), total);
    total = warpSum(total);
    if (lane == 0) dots[head * p.nq + row] = total;
  }
}

}  // namespace

#define DUO_ATTENTION_SUPPORT(T)                                                                                   \
  extern "C" __global__ void attentionWindow_##T(const T* table, const int32_t* buckets, float* window, int heads, \
                                                 int length) {                                                     \
    attentionWindow(table, buckets, window, heads, length);                                                        \
  }                                                                                                                \
  extern "C" __global__ void attentionDots_##T(AttentionParams p, float* dots) { attentionDots<T>(p, dots); }

DUO_ATTENTION_SUPPORT(f32)
DUO_ATTENTION_SUPPORT(f16)
DUO_ATTENTION_SUPPORT(bf16)

extern "C" __global__ void attentionPositions(const int32_t* positions, int64_t count, ErrorWord* error,
                                              uint64_t call) {
  constexpr int64_t kLimit = int64_t(1) << kKeyPositionBits;
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    if (positions[i] < 0 || positions[i] >= kLimit) reportIndex(error, call, positions[i], kLimit);
  }
}
