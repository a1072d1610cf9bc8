// Memory of sparseLinear: the places at which rows of x are not zero.
#pragma once
#include "ops/registry.h"

namespace duo::cpu {

// Rows of x that share a pass over B.
constexpr int64_t kSparseRows = 4;

// In four-byte elements: places · values of each row there.
inline size_t sparseLinearBytes(const OpCall& call) {
  return size_t(call.dim("K") * (1 + kSparseRows)) * sizeof(float);
}

}  // namespace duo::cpu
