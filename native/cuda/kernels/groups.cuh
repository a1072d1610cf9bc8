// Groups of four neighbouring elements: added to float32 sums, and written.
#pragma once
#include "cuda/kernels/common.cuh"

namespace duo::cuda {

constexpr int kGroup = 4;

template <typename T>
__device__ inline void addGroup(const T* p, bool vectors, int count, float (&sum)[kGroup]) {
  if (vectors) {
    const auto v = Vec<T, kGroup>::load(p);
#pragma unroll
    for (int j = 0; j < kGroup; ++j) sum[j] += toFloat(v[j]);
  } else {
#pragma unroll
    for (int j = 0; j < kGroup; ++j) {
      if (j < count) sum[j] += toFloat(p[j]);
    }
  }
}

template <typename T>
__device__ inline void storeGroup(T* p, bool vectors, int count, const float (&x)[kGroup]) {
  if (vectors) {
    Vec<T, kGroup> v;
#pragma unroll
    for (int j = 0; j < kGroup; ++j) v[j] = fromFloat<T>(x[j]);
    v.store(p);
  } else {
#pragma unroll
    for (int j = 0; j < kGroup; ++j) {
      if (j < count) p[j] = fromFloat<T>(x[j]);
    }
  }
}

}  // namespace duo::cuda
