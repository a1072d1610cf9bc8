// Binary cross-entropy with logits, loss and gradient in one pass; the formulas of native/cpu/binary_cross_entropy.cpp.
// Reads each operand once, and writes the gradient; the sums of chunks are added in order by a block of its own.
#include "cuda/kernels/common.cuh"

using namespace duo::cuda;

namespace {

constexpr int64_t kChunk = 2048;  // elements of a block, whose losses become one sum

__device__ float targetOf(uint8_t y) { return y != 0 ? 1.f : 0.f; }
template <typename T>
__device__ float targetOf(T y) {
  return toFloat(y);
}

template <typename T, typename Y>
__device__ void bce(const T* x, const Y* y, const uint8_t* mask, int64_t count, const float* scale, float* losses,
                    T* dX, double* sums) {
  __shared__ double scratch[kWarp];
  const float by = *scale;
  for (int64_t chunk = blockIdx.x; chunk * kChunk < count; chunk += gridDim.x) {
    const int64_t begin = chunk * kChunk, end = begin + kChunk < count ? begin + kChunk : count;
    double total = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
      const bool kept = !mask || mask[i] != 0;
      const float logit = toFloat(x[i]), target = targetOf(y[i]);
      // Of the |x| form exp sees only arguments that are not positive.
      const float e = expf(-fabsf(logit)), larger = __fdiv_rn(1.f, 1.f + e);
      const float p = logit < 0 ? e * larger : larger;
      const float positive = logit < 0 ? 0.f : logit;  // keeps a NaN
      const float loss = kept ? positive - logit * target + log1pf(e) : 0.f;
      total += double(loss);
      if (losses) losses[i] = loss;
      if (dX) dX[i] = fromFloat<T>(kept ? (p - target) * by : 0.f);
    }
    total = blockReduce(total, Sum(), scratch);
    if (threadIdx.x == 0) sums[chunk] = total;
  }
}

}  // namespace

// scale = 1 over the number of kept elements, 0 where there are none; one block
extern "C" __global__ void bceScale(const uint8_t* mask, int64_t count, float* scale) {
  __shared__ double scratch[kWarp];
  double kept = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) kept += mask[i] != 0 ? 1. : 0.;
  kept = blockReduce(kept, Sum(), scratch);
  if (threadIdx.x == 0) *scale = kept == 0 ? 0.f : 1.f / float(kept);
}

// loss = scale · Σ sums; one block
extern "C" __global__ void bceSum(const double* sums, int64_t count, const float* scale, float* loss) {
  __shared__ double scratch[kWarp];
  double total = 0;
  for (int64_t i = threadIdx.x; i * kChunk < count; i += blockDim.x) total += sums[i];
  total = blockReduce(total, Sum(), scratch);
  if (threadIdx.x == 0) *loss = float(total * double(*scale));
}

#define DUO_BCE(T)                                                                                                   \
  extern "C" __global__ void bce_##T(const T* x, const T* y, const uint8_t* mask, int64_t count, const float* scale, \
                                     float* losses, T* dX, double* sums) {                                           \
    bce(x, y, mask, count, scale, losses, dX, sums);                                                                 \
  }                                                                                                                  \
  extern "C" __global__ void rtd_##T(const T* x, const uint8_t* y, const uint8_t* mask, int64_t count,               \
                                     const float* scale, float* losses, T* dX, double* sums) {                       \
    bce(x, y, mask, count, scale, losses, dX, sums);                                                                 \
  }

DUO_BCE(f32)
DUO_BCE(f16)
DUO_BCE(bf16)
