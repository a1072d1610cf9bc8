// Walks over tensors, from their dimensions and strides.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "core/dtype.h"
#include "core/shape.h"
#include "cuda/kernels/walk.h"

namespace duo::cuda {

// Walks over tensors of the same dimensions, one for each list of strides. Dimensions of size 1 are left out, and
// neighbours that lie evenly in all of them become one, so that a dense tensor has rank 1 and stride 1.
void makeWalks(const Dims& dims, std::span<const Dims* const> strides, std::span<Walk* const> walks);

Walk walkOf(const Dims& dims, const Dims& strides);

// The strides of a tensor that is broadcast to `to`, 0 along what is repeated.
Dims broadcastStrides(const Dims& dims, const Dims& strides, const Dims& to);

// Whether the elements lie one after another.
inline bool isDense(const Walk& walk) { return walk.rank == 0 || (walk.rank == 1 && walk.strides[0] == 1); }

// Whether eight elements from a multiple of eight on lie one after another, for vectors of up to 16 bytes; but for the
// last ones of a dense tensor.
inline bool liesInEights(const Walk& walk, const void* data, DType dtype) {
  if (walk.rank == 0 || walk.strides[walk.rank - 1] != 1) return false;
  if (reinterpret_cast<uintptr_t>(data) % std::min<size_t>(16, 8 * sizeOf(dtype)) != 0) return false;
  if (walk.rank > 1 && walk.dims[walk.rank - 1] % 8 != 0) return false;
  for (int d = 0; d + 1 < walk.rank; ++d) {
    if (walk.strides[d] % 8 != 0) return false;
  }
  return true;
}

}  // namespace duo::cuda
