// Offsets of elements in strided tensors.
#pragma once
#include "cuda/kernels/walk.h"

namespace duo::cuda {

// Offset of element `index` (row-major), in elements. `small`: the walk has fewer than 2^31 elements, whose indices
// divide in 32 bits, which is several times faster.
__device__ inline int64_t offsetOf(const Walk& walk, int64_t index, bool small) {
  if (walk.rank == 0) return 0;
  int64_t offset = 0;
  if (small) {
    uint32_t left = uint32_t(index);
    for (int d = walk.rank - 1; d > 0; --d) {
      const uint32_t size = uint32_t(walk.dims[d]), rest = left / size;
      offset += int64_t(left - rest * size) * walk.strides[d];
      left = rest;
    }
    return offset + int64_t(left) * walk.strides[0];
  }
  int64_t left = index;
  for (int d = walk.rank - 1; d > 0; --d) {
    const int64_t rest = left / walk.dims[d];
    offset += (left - rest * walk.dims[d]) * walk.strides[d];
    left = rest;
  }
  return offset + left * walk.strides[0];
}

}  // namespace duo::cuda
