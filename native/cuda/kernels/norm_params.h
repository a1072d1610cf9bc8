// What the kernels of norms are given besides their tensors.
#pragma once
#include <cstdint>

#include "cuda/kernels/walk.h"

namespace duo::cuda {

// Of a block, at most: more would leave too few registers to each.
constexpr int kNormThreads = 512;

struct NormParams {
  int64_t rows, columns;
  uint64_t seed;
  uint32_t site, step;
  uint32_t threshold;  // of dropout; 0: nothing is dropped
  float scale;
  float eps;
  int32_t vectors;  // whether eight columns may be read at once in all operands
  // Where rows begin: of x and residual, or of h, dY and dHOut.
  Walk first, second, third;
};

}  // namespace duo::cuda
