// A·B where both have unit stride along K and one of them has few vectors: sums along K in whole registers, so that
// nothing is packed and every element of the larger operand is read once, in order.
#pragma once
#include "cpu/gemm/micro_kernel.h"
#include "cpu/gemm/pack.h"

namespace duo::cpu::DUO_ISA {

constexpr int kDotRows = 4;

// Columns that go with `rows`: together enough sums to cover the latency of a multiply-add.
constexpr int dotColumns(int rows) { return std::min(rows == 1 ? 8 : rows < kDotRows ? 4 : 2, kTile.columns); }

// out[r·kTile.columns + c] = Σₖ a(r, k)·b(k, c)
template <int kRows, int kColumns>
void dotTile(const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t depth, float* out) {
  VecF sums[kRows][kColumns];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) sums[r][c] = VecF::zero();
  }
  const auto step = [&](auto load) __attribute__((always_inline)) {
    VecF x[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) x[r] = load(a + r * aStride);
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const VecF y = load(b + c * bStride);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sums[r][c] = fma(x[r], y, sums[r][c]);
    }
  };
  int64_t k = 0;
  for (; k + VecF::kLanes <= depth; k += VecF::kLanes) {
    step([k](const float* p) __attribute__((always_inline)) { return VecF::load(p + k); });
  }
  if (k < depth) {
    step([ k, depth ](const float* p) __attribute__((always_inline)) { return VecF::load(p + k, depth - k); });
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kColumns; ++c) out[r * kTile.columns + c] = sum(sums[r][c]);
  }
}

template <int kRows>
void dotStrip(const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t depth, int64_t columns,
              float* out) {
  constexpr int kColumns = dotColumns(kRows);
  int64_t j = 0;
  for (; j + kColumns <= columns; j += kColumns) {
    dotTile<kRows, kColumns>(a, aStride, b + j * bStride, bStride, depth, out + j);
  }
  for (; j < columns; ++j) dotTile<kRows, 1>(a, aStride, b + j * bStride, bStride, depth, out + j);
}

// Up to kDotRows rows and kTile.columns columns.
inline void dotTile(const MatrixView& a, const MatrixView& b, int64_t depth, int64_t rows, int64_t columns,
                    float* out) {
  constexpr decltype(&dotStrip<1>) kStrips[kDotRows] = {dotStrip<1>, dotStrip<2>, dotStrip<3>, dotStrip<4>};
  kStrips[rows - 1](a.data, a.rowStride, b.data, b.columnStride, depth, columns, out);
}

}  // namespace duo::cpu::DUO_ISA
