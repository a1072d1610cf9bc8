// A·B where both have unit stride along K and one of them has few vectors: sums along K in whole registers, so that
// nothing is packed and every element of the larger operand is read once, in order.
#pragma once
#include "cpu/gemm/micro_kernel.h"
#include "cpu/gemm/pack.h"

namespace duo::cpu::DUO_ISA {

constexpr int kDotRows = 4;

// Columns that go with `rows`: together enough sums to cover the latency of a multiply-add, in 16 or in 32 registers.
constexpr int dotColumns(int rows) {
  const int most = kTile.rows * kTileVecs >= 24 ? 4 : 2;
  return std::min(rows == 1 ? 8 : rows < kDotRows ? 4 : most, kTile.columns);
}

// How B is stored: T is an element, `load` gives a register of them as floats.
struct StoredFloat32 {
  using T = float;
  static VecF load(const float* p) { return VecF::load(p); }
  static VecF load(const float* p, int64_t n) { return VecF::load(p, n); }
};

template <DType kType>
struct StoredNarrow {
  using T = uint16_t;
  static VecF load(const uint16_t* p) { return loadNarrow(p, kType); }
  static VecF load(const uint16_t* p, int64_t n) {
    uint16_t part[VecF::kLanes] = {};
    std::memcpy(part, p, size_t(n) * sizeof(uint16_t));
    return load(part);
  }
};

struct StoredInt8 {
  using T = int8_t;
  static VecF load(const int8_t* p) { return VecF::loadInt8(p); }
  static VecF load(const int8_t* p, int64_t n) {
    int8_t part[VecF::kLanes] = {};
    std::memcpy(part, p, size_t(n));
    return load(part);
  }
};

// out[r·kTile.columns + c] = Σₖ a(r, k)·b(k, c)
template <int kRows, int kColumns, typename Stored>
void dotTile(const float* a, int64_t aStride, const typename Stored::T* b, int64_t bStride, int64_t depth, float* out) {
  VecF sums[kRows][kColumns];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) sums[r][c] = VecF::zero();
  }
  int64_t k = 0;
  const auto step = [&](auto loadA, auto loadB) __attribute__((always_inline)) {
    VecF x[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) x[r] = loadA(a + r * aStride);
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      // The next columns, in the order in which they lie: streams of a column each are too short to be foreseen.
      __builtin_prefetch(b + kColumns * bStride + k * kColumns + c * VecF::kLanes);
      const VecF y = loadB(b + c * bStride);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sums[r][c] = fma(x[r], y, sums[r][c]);
    }
  };
  for (; k + VecF::kLanes <= depth; k += VecF::kLanes) {
    step(
        [k](const float* p) __attribute__((always_inline)) { return VecF::load(p + k); },
        [k](const auto* p) __attribute__((always_inline)) { return Stored::load(p + k); });
  }
  if (k < depth) {
    step(
        [ k, depth ](const float* p) __attribute__((always_inline)) { return VecF::load(p + k, depth - k); },
        [ k, depth ](const auto* p) __attribute__((always_inline)) { return Stored::load(p + k, depth - k); });
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kColumns; ++c) out[r * kTile.columns + c] = sum(sums[r][c]);
  }
}

template <int kRows, typename Stored>
void dotStrip(const float* a, int64_t aStride, const typename Stored::T* b, int64_t bStride, int64_t depth,
              int64_t columns, float* out) {
  constexpr int kColumns = dotColumns(kRows);
  int64_t j = 0;
  for (; j + kColumns <= columns; j += kColumns) {
    dotTile<kRows, kColumns, Stored>(a, aStride, b + j * bStride, bStride, depth, out + j);
  }
  for (; j < columns; ++j) dotTile<kRows, 1, Stored>(a, aStride, b + j * bStride, bStride, depth, out + j);
}

// Up to kDotRows rows and kTile.columns columns.
template <typename Stored>
void dotTile(const MatrixView& a, const typename Stored::T* b, int64_t bStride, int64_t depth, int64_t rows,
             int64_t columns, float* out) {
  constexpr decltype(&dotStrip<1, Stored>) kStrips[kDotRows] = {dotStrip<1, Stored>, dotStrip<2, Stored>,
                                                                dotStrip<3, Stored>, dotStrip<4, Stored>};
  kStrips[rows - 1](a.data, a.rowStride, b, bStride, depth, columns, out);
}

inline void dotTile(const MatrixView& a, const MatrixView& b, int64_t depth, int64_t rows, int64_t columns,
                    float* out) {
  dotTile<StoredFloat32>(a, b.data, b.columnStride, depth, rows, columns, out);
}

inline void dotTile(const MatrixView& a, const NarrowView& b, int64_t depth, int64_t rows, int64_t columns,
                    float* out) {
  const auto kernel =
      b.dtype == DType::kFloat16 ? dotTile<StoredNarrow<DType::kFloat16>> : dotTile<StoredNarrow<DType::kBFloat16>>;
  kernel(a, b.data, b.columnStride, depth, rows, columns, out);
}

}  // namespace duo::cpu::DUO_ISA
