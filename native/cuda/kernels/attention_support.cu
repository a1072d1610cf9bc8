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

// The table as the tensor kernels read it: BiasQuads. `sign`: −1 where rows of scores are keys.
template <typename T>
__device__ void attentionQuads(const T* table, const int32_t* buckets, float4* quads, int heads, int reach, int center,
                               int length, float factor, int sign) {
  const int64_t count = int64_t(heads) * length;
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int64_t head = i / length, at = i % length;
    const int distance = int(at % (length / 4) * 4 + at / (length / 4)) - center;
    const auto bias = [&](int d) {
      return toFloat(table[int64_t(buckets[min(max(sign * d, -reach), reach) + reach]) * heads + head]) * factor;
    };
    const float middle = bias(distance);
    quads[i] = make_float4(middle, bias(distance + 1), bias(distance - 1), middle);
  }
}

// Rows (N, H, D) as the tensor kernels read them: dense, filled up with zeros to a multiple of eight.
template <typename T>
__device__ void attentionRows(const AttentionRows& from, T* to, int64_t rows, int heads, int size) {
  const int width = (size + 7) / 8 * 8;
  const int64_t count = rows * heads * width;
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int d = int(i % width);
    const int64_t row = i / width / heads, head = i / width % heads;
    to[i] = d < size ? static_cast<const T*>(from.data)[row * from.row + head * from.head + d] : fromFloat<T>(0.f);
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

#define DUO_ATTENTION_OPERANDS(T)                                                                                 \
  extern "C" __global__ void attentionQuads_##T(const T* table, const int32_t* buckets, float4* quads, int heads, \
                                                int reach, int center, int length, float factor, int sign) {      \
    attentionQuads(table, buckets, quads, heads, reach, center, length, factor, sign);                            \
  }                                                                                                               \
  extern "C" __global__ void attentionRows_##T(AttentionRows from, T* to, int64_t rows, int heads, int size) {    \
    attentionRows(from, to, rows, heads, size);                                                                   \
  }

DUO_ATTENTION_SUPPORT(f32)
DUO_ATTENTION_SUPPORT(f16)
DUO_ATTENTION_SUPPORT(bf16)
DUO_ATTENTION_OPERANDS(f16)
DUO_ATTENTION_OPERANDS(bf16)

extern "C" __global__ void attentionPositions(const int32_t* positions, int64_t count, ErrorWord* error,
                                              uint64_t call) {
  constexpr int64_t kLimit = int64_t(1) << kKeyPositionBits;
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    if (positions[i] < 0 || positions[i] >= kLimit) reportIndex(error, call, positions[i], kLimit);
  }
}
