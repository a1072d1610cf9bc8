// What optimiser kernels share: finding a work item's tensor, chunks of four elements at a time, sums of squares.
#pragma once
#include "cuda/kernels/groups.cuh"
#include "cuda/kernels/optimizer_params.h"

namespace duo::cuda {

// The tensor of a work item: the last one whose first item is not behind it. Tensors without items are passed over.
template <typename Tensor>
__device__ inline const Tensor& tensorOf(const Tensor* tensors, int count, int64_t item, int64_t Tensor::*first) {
  int low = 0, high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (tensors[middle].*first <= item ? low : high) = middle;
  }
  return tensors[low];
}

// Reads and writes up to four neighbouring elements; what is not there reads as 0.
struct Lanes {
  bool vectors;
  int count;

  __device__ void load(const float* p, float (&x)[kGroup]) const {
    if (vectors) {
      const auto v = Vec<float>::load(p);
#pragma unroll
      for (int j = 0; j < kGroup; ++j) x[j] = v[j];
    } else {
#pragma unroll
      for (int j = 0; j < kGroup; ++j) x[j] = j < count ? p[j] : 0.f;
    }
  }
  __device__ void store(float* p, const float (&x)[kGroup]) const { storeGroup(p, vectors, count, x); }

  __device__ void storeShadow(ShadowType type, void* shadow, int64_t i, const float (&x)[kGroup]) const {
    if (type == ShadowType::kFloat16) storeGroup(static_cast<f16*>(shadow) + i, vectors, count, x);
    if (type == ShadowType::kBFloat16) storeGroup(static_cast<bf16*>(shadow) + i, vectors, count, x);
  }
};

// fn(i, lanes) for the groups of a chunk that are this thread's.
template <typename Fn>
__device__ inline void eachGroupOfChunk(int64_t begin, int64_t count, bool vectors, const Fn& fn) {
  const int64_t end = begin + kDeviceChunk < count ? begin + kDeviceChunk : count;
  for (int64_t i = begin + int64_t(threadIdx.x) * kGroup; i < end; i += int64_t(blockDim.x) * kGroup) {
    const int left = int(end - i < kGroup ? end - i : kGroup);
    fn(i, Lanes{vectors && left == kGroup, left});
  }
}

// Squares of floats are exact in double and cannot overflow there.
__device__ inline double squareSum(const float (&x)[kGroup]) {
  double sum = 0;
#pragma unroll
  for (int j = 0; j < kGroup; ++j) sum += double(x[j]) * double(x[j]);
  return sum;
}

}  // namespace duo::cuda
