// What the kernels of matrix products are given. Shared by host and device code.
#pragma once
#include <cstdint>

#include "cuda/kernels/walk.h"

namespace duo::cuda {

// One of the two factors, seen as lines along which elements are dense (16-bit kernels), or by its strides (float32).
struct GemmOperand {
  const void* data;
  int64_t line;   // elements from a line to the next; a multiple of 8, lines begin at a multiple of 16 bytes
  int64_t along;  // float32 only: elements between neighbours of a line
  Walk batch;     // offsets of the matrices of a batch
};

// C (m, n) = A (m, k) · B (k, n), `batch` times, cut into tilesM × tilesN tiles and `splits` ranges of k.
struct GemmProblem {
  GemmOperand a, b;
  int64_t m, n, k;
  int64_t batch;
  int64_t depth;  // of k that a block takes: k is cut into ranges of this length
  int32_t tilesM, tilesN;
};

// What is done to the sums before they are written:
//   z = α·sum + β·c + bias;  y = dropout(act(z) ⊙ gate) + residual
// All operands but the bias are (batch, m, n) without gaps. Where `sums` is given, the float32 sums are written there
// instead, or added to what is there: line `row` of matrix `batch` and of range `split` begins at
// sums + split·splitStride + batch·batchStride + row·line.
struct GemmEpilogue {
  void* y;
  void* z;        // null: not kept
  const void* c;  // null: no β·c; likewise the next three
  const void* bias;
  const void* gate;
  const void* residual;
  float* sums;
  int64_t splitStride, batchStride, line;
  float alpha, beta;
  int32_t act;
  int32_t vectors;  // 1: n is a multiple of 8 (or of 4, for sums), and all of them lie at multiples of 16 bytes
  int32_t add;      // to sums
  uint32_t site, step;
  uint32_t threshold;  // of dropout; 0: nothing is dropped
  uint64_t seed;
  float scale;  // of what dropout keeps
  int32_t reserved;
};

}  // namespace duo::cuda
