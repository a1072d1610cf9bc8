// Rows in groups of eight columns, 16 bytes (or 32 of float32) at a time.
#pragma once
#include "cuda/kernels/common.cuh"

namespace duo::cuda {

constexpr int kColumns = 8;  // that a thread takes at a time: the group that shares a call of Philox

// Elements at `p`, `count` of them at most 8; the others are left alone.
template <typename T>
__device__ inline void loadColumns(const T* p, bool vectors, int count, float (&x)[kColumns]) {
  if (vectors) {
    constexpr int kEach = Vec<T>::kCount;
#pragma unroll
    for (int i = 0; i < kColumns; i += kEach) {
      const auto v = Vec<T>::load(p + i);
#pragma unroll
      for (int j = 0; j < kEach; ++j) x[i + j] = toFloat(v[j]);
    }
  } else {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      if (j < count) x[j] = toFloat(p[j]);
    }
  }
}

template <typename T>
__device__ inline void storeColumns(T* p, bool vectors, int count, const float (&x)[kColumns]) {
  if (vectors) {
    constexpr int kEach = Vec<T>::kCount;
#pragma unroll
    for (int i = 0; i < kColumns; i += kEach) {
      Vec<T> v;
#pragma unroll
      for (int j = 0; j < kEach; ++j) v[j] = fromFloat<T>(x[i + j]);
      v.store(p + i);
    }
  } else {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      if (j < count) p[j] = fromFloat<T>(x[j]);
    }
  }
}

}  // namespace duo::cuda
