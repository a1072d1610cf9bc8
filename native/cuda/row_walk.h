// The rows of a tensor whose last dimension is dense: a walk over where they begin.
#pragma once
#include "cuda/walk.h"
#include "ops/registry.h"

namespace duo::cuda {

inline Walk rowWalkOf(const TensorArg& x) {
  Dims dims, strides;
  for (int d = 0; d + 1 < x.dims.rank(); ++d) dims.push(x.dims[d]), strides.push(x.strides[d]);
  return walkOf(dims, strides);
}

}  // namespace duo::cuda
