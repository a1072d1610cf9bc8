// One matrix product with its epilogue, for the gemm op and for kernels that multiply inside themselves.
#pragma once
#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/pack.h"

namespace duo::cpu::DUO_ISA {

// epilogue.y (M × N) = epilogue(A·B): A is M × K, B is K × N, both at any strides. Alternatively B is given packed
// whole, or in 16 bits.
struct Product {
  int64_t m, n, k;
  MatrixView a;
  MatrixView b;
  const float* packedB = nullptr;
  NarrowView narrowB = {};  // instead of b, where it holds 16-bit floats
  Epilogue epilogue;
};

// How the product is cut for the pool; its items are independent and may run in any order.
GemmGrid gridOf(const Product& product);
// `scratch`: gemmScratchFloats(k), this worker's.
void multiplyItem(const Product& product, const GemmGrid& grid, int64_t item, float* scratch);

// The whole product on the calling thread.
inline void multiply(const Product& product, float* scratch) {
  const GemmGrid grid = gridOf(product);
  for (int64_t item = 0; item < grid.items(); ++item) multiplyItem(product, grid, item, scratch);
}

// B in the form that Product::packedB takes, gemmPackedFloats long; panels [first, last) of it.
void packPanels(const MatrixView& b, int64_t k, int64_t n, int64_t first, int64_t last, float* out);

}  // namespace duo::cpu::DUO_ISA
