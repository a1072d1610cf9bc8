// The rows of a tensor whose last dimension is dense: a walk over where they begin, and the threads for one of them.
#pragma once
#include <algorithm>

#include "cuda/walk.h"
#include "ops/registry.h"

namespace duo::cuda {

inline Walk rowWalkOf(const TensorArg& x) {
  Dims dims, strides;
  for (int d = 0; d + 1 < x.dims.rank(); ++d) dims.push(x.dims[d]), strides.push(x.strides[d]);
  return walkOf(dims, strides);
}

// Threads for a block that goes over a row: whole warps, four elements a thread where there are so many.
inline unsigned threadsForRow(int64_t columns) {
  return unsigned(std::clamp<int64_t>((columns + 127) / 128 * 32, 32, 512));
}

}  // namespace duo::cuda
