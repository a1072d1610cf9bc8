// Element-wise kernels, memory-bound all of them; a thread takes one element, or 16 bytes where all operands are dense.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

enum class Binary { kAdd, kSub, kMul, kDiv };

__device__ float combine(Binary op, float a, float b) {
  switch (op) {
    case Binary::kAdd: return __fadd_rn(a, b);
    case Binary::kSub: return __fsub_rn(a, b);
    case Binary::kMul: return __fmul_rn(a, b);
    default: return __fdiv_rn(a, b);
  }
}

// y = a <op> b, all dense
template <typename T>
__device__ void binaryDense(const T* a, const T* b, T* y, int64_t count, Binary op) {
  constexpr int kCount = Vec<T>::kCount;
  for (int64_t i = globalThread() * kCount; i < count; i += globalThreads() * kCount) {
    if (i + kCount <= count) {
      const auto va = Vec<T>::load(a + i), vb = Vec<T>::load(b + i);
      Vec<T> vy;
#pragma unroll
      for (int j = 0; j < kCount; ++j) vy[j] = fromFloat<T>(combine(op, toFloat(va[j]), toFloat(vb[j])));
      vy.store(y + i);
    } else {
      for (int64_t j = i; j < count; ++j) y[j] = fromFloat<T>(combine(op, toFloat(a[j]), toFloat(b[j])));
    }
  }
}

// y = a <op> b, y dense; a and b broadcast by strides of 0
template <typename T>
__device__ void binaryStrided(const T* a, const T* b, T* y, const Walk& walkA, const Walk& walkB, int64_t count,
                              Binary op) {
  const bool small = count < (int64_t(1) << 31);
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const float x = toFloat(a[offsetOf(walkA, i, small)]), z = toFloat(b[offsetOf(walkB, i, small)]);
    y[i] = fromFloat<T>(combine(op, x, z));
  }
}

// y = scale · x + shift, rounded after each step as on the CPU
template <typename T>
__device__ void affineDense(const T* x, T* y, int64_t count, float scale, float shift) {
  constexpr int kCount = Vec<T>::kCount;
  for (int64_t i = globalThread() * kCount; i < count; i += globalThreads() * kCount) {
    if (i + kCount <= count) {
      auto v = Vec<T>::load(x + i);
#pragma unroll
      for (int j = 0; j < kCount; ++j) v[j] = fromFloat<T>(__fadd_rn(__fmul_rn(toFloat(v[j]), scale), shift));
      v.store(y + i);
    } else {
      for (int64_t j = i; j < count; ++j) y[j] = fromFloat<T>(__fadd_rn(__fmul_rn(toFloat(x[j]), scale), shift));
    }
  }
}

template <typename T>
__device__ void fillStrided(T* x, const Walk& walk, int64_t count, T value) {
  const bool small = count < (int64_t(1) << 31);
  for (int64_t i = globalThread(); i < count; i += globalThreads()) x[offsetOf(walk, i, small)] = value;
}

// x += y
template <typename T>
__device__ void accumulateStrided(float* x, const T* y, const Walk& walkX, const Walk& walkY, int64_t count) {
  const bool small = count < (int64_t(1) << 31);
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    x[offsetOf(walkX, i, small)] += toFloat(y[offsetOf(walkY, i, small)]);
  }
}

template <typename T>
__device__ void accumulateDense(float* x, const T* y, int64_t count) {
  for (int64_t i = globalThread() * 4; i < count; i += globalThreads() * 4) {
    if (i + 4 <= count) {
      auto vx = Vec<float>::load(x + i);
      const auto vy = Vec<T, 4>::load(y + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) vx[j] += toFloat(vy[j]);
      vx.store(x + i);
    } else {
      for (int64_t j = i; j < count; ++j) x[j] += toFloat(y[j]);
    }
  }
}

}  // namespace

#define DUO_ELEMENTWISE(T)                                                                                          \
  extern "C" __global__ void binaryDense_##T(const T* a, const T* b, T* y, int64_t count, int op) {                 \
    binaryDense(a, b, y, count, Binary(op));                                                                        \
  }                                                                                                                 \
  extern "C" __global__ void binaryStrided_##T(const T* a, const T* b, T* y, Walk walkA, Walk walkB, int64_t count, \
                                               int op) {                                                            \
    binaryStrided(a, b, y, walkA, walkB, count, Binary(op));                                                        \
  }                                                                                                                 \
  extern "C" __global__ void affine_##T(const T* x, T* y, int64_t count, float scale, float shift) {                \
    affineDense(x, y, count, scale, shift);                                                                         \
  }                                                                                                                 \
  extern "C" __global__ void accumulate_##T(float* x, const T* y, Walk walkX, Walk walkY, int64_t count) {          \
    accumulateStrided(x, y, walkX, walkY, count);                                                                   \
  }                                                                                                                 \
  extern "C" __global__ void accumulateDense_##T(float* x, const T* y, int64_t count) { accumulateDense(x, y, count); }

DUO_ELEMENTWISE(f32)
DUO_ELEMENTWISE(f16)
DUO_ELEMENTWISE(bf16)

extern "C" __global__ void fill_4(uint32_t* x, Walk walk, int64_t count, uint32_t value) {
  fillStrided(x, walk, count, value);
}
extern "C" __global__ void fill_2(uint16_t* x, Walk walk, int64_t count, uint32_t value) {
  fillStrided(x, walk, count, uint16_t(value));
}
extern "C" __global__ void fill_1(uint8_t* x, Walk walk, int64_t count, uint32_t value) {
  fillStrided(x, walk, count, uint8_t(value));
}

// x *= factor
extern "C" __global__ void scale_f32(float* x, Walk walk, int64_t count, const float* factor) {
  const float by = *factor;
  if (by == 1.f) return;
  const bool small = count < (int64_t(1) << 31);
  for (int64_t i = globalThread(); i < count; i += globalThreads()) x[offsetOf(walk, i, small)] *= by;
}
