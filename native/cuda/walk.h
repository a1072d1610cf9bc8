// Walks over tensors, from their dimensions and strides.
#pragma once
#include <initializer_list>
#include <span>

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

}  // namespace duo::cuda
