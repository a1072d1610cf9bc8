// Products of small matrices that lie packed in cache: C = start + A·B, the inner loops of attention.
//
// Packed: panels of kPanel columns, [panel][row][column of the panel]. One matrix then serves as A, whose elements are
// broadcast, and as B, whose rows are loaded; a group of kGroup rows by kPanel columns of C stays in registers, so that
// every k costs kPanelVecs loads, kGroup broadcasts and kGroup·kPanelVecs fused multiply-adds.
#pragma once
#include "cpu/vec.h"

namespace duo::cpu::DUO_ISA {

// kGroup·kPanelVecs accumulators fill the register file, but for a row of B and a broadcast.
#if defined(DUO_ISA_AVX512)
constexpr int kPanelVecs = 2, kGroup = 12;
#elif defined(DUO_ISA_NEON)
constexpr int kPanelVecs = 4, kGroup = 6;
#elif defined(DUO_ISA_AVX2)
constexpr int kPanelVecs = 2, kGroup = 6;
#else
constexpr int kPanelVecs = 8, kGroup = 4;  // the compiler makes four-lane vectors of eight columns
#endif
constexpr int64_t kPanel = kPanelVecs * VecF::kLanes;

inline int64_t panelsOf(int64_t columns) { return (columns + kPanel - 1) / kPanel; }

// What C starts from: rows of floats, `stride` apart; 0 repeats one row, −1 slides along a window.
struct Start {
  const float* data;
  int64_t stride;
};

inline constexpr float kZeroRow[kPanel] = {};

template <int kRows>
struct Accumulators {
  VecF c[kRows][kPanelVecs];

  explicit Accumulators(Start start) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kPanelVecs; ++v) c[r][v] = VecF::load(start.data + r * start.stride + v * VecF::kLanes);
    }
  }
  void store(float* out) const {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kPanelVecs; ++v) c[r][v].store(out + r * kPanel + v * VecF::kLanes);
    }
  }
  // One k: a[r·step] of every row times one row of B.
  template <int64_t kStep>
  void add(const float* a, const float* b) {
    VecF row[kPanelVecs];
    for (int v = 0; v < kPanelVecs; ++v) row[v] = VecF::load(b + v * VecF::kLanes);
    for (int r = 0; r < kRows; ++r) {
      const VecF factor = VecF::fill(a[r * kStep]);
      for (int v = 0; v < kPanelVecs; ++v) c[r][v] = fma(factor, row[v], c[r][v]);
    }
  }
};

// kRows rows of A, whose panels are aPanel floats apart, times `depth` rows of one panel of B.
template <int kRows>
void rowsProduct(const float* a, int64_t aPanel, const float* b, int64_t depth, Start start, float* c) {
  Accumulators<kRows> sums(start);
  for (; depth >= kPanel; depth -= kPanel, a += aPanel) {
#pragma GCC unroll 4
    for (int64_t k = 0; k < kPanel; ++k, b += kPanel) sums.template add<kPanel>(a + k, b);
  }
  for (int64_t k = 0; k < depth; ++k, b += kPanel) sums.template add<kPanel>(a + k, b);
  sums.store(c);
}

// kRows columns of one panel of A as rows of C: C = start + Aᵀ·B over `depth` rows of both.
template <int kRows>
void columnsProduct(const float* a, const float* b, int64_t depth, float* c) {
  Accumulators<kRows> sums({c, kPanel});
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) sums.template add<1>(a + k * kPanel, b + k * kPanel);
  sums.store(c);
}

template <int kRows>
void lastRowsProduct(int64_t rows, const float* a, int64_t aPanel, const float* b, int64_t depth, Start start,
                     float* c) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return rowsProduct<kRows>(a, aPanel, b, depth, start, c);
    lastRowsProduct<kRows - 1>(rows, a, aPanel, b, depth, start, c);
  }
}

// One panel of C = start + A·B, any number of rows.
inline void product(int64_t rows, const float* a, int64_t aPanel, const float* b, int64_t depth, Start start,
                    float* c) {
  int64_t r = 0;
  for (; r + kGroup <= rows; r += kGroup) {
    rowsProduct<kGroup>(a + r * kPanel, aPanel, b, depth, {start.data + r * start.stride, start.stride},
                        c + r * kPanel);
  }
  lastRowsProduct<kGroup - 1>(rows - r, a + r * kPanel, aPanel, b, depth, {start.data + r * start.stride, start.stride},
                              c + r * kPanel);
}

// kPanel rows of C += Aᵀ·B, in groups as even as they come: 16 = 6 + 5 + 5.
template <int64_t kFirst = 0>
void transposedProduct(const float* a, const float* b, int64_t depth, float* c) {
  if constexpr (kFirst < kPanel) {
    constexpr int64_t kLeft = kPanel - kFirst, kGroups = (kLeft + kGroup - 1) / kGroup;
    constexpr int kRows = int((kLeft + kGroups - 1) / kGroups);
    columnsProduct<kRows>(a + kFirst, b, depth, c + kFirst * kPanel);
    transposedProduct<kFirst + kRows>(a, b, depth, c);
  }
}

// Rows of a matrix with `columns` columns, times `scale`, into panels that are `panelFloats` apart; the last is filled
// up with zeros.
inline void packRows(const float* from, int64_t stride, int64_t rows, int64_t columns, float scale, float* to,
                     int64_t panelFloats) {
  const VecF factor = VecF::fill(scale);
  for (int64_t c = 0; c < columns; c += kPanel, to += panelFloats) {
    const int64_t width = columns - c;
    for (int64_t r = 0; r < rows; ++r) {
      const float* source = from + r * stride + c;
      for (int v = 0; v < kPanelVecs; ++v) {
        const int64_t left = width - v * VecF::kLanes;
        const VecF x = left >= VecF::kLanes ? VecF::load(source + v * VecF::kLanes)
                       : left > 0           ? VecF::load(source + v * VecF::kLanes, left)
                                            : VecF::zero();
        (x * factor).store(to + r * kPanel + v * VecF::kLanes);
      }
    }
  }
}

inline void transposeSquare(VecF (&x)[VecF::kLanes]) {
  constexpr int kHalf = VecF::kLanes / 2;
  // Zipping the halves doubles the run of a row that lies in steps; after log2(kLanes) rounds rows are columns.
  for (int round = 1; round < VecF::kLanes; round *= 2) {
    VecF y[VecF::kLanes];
    for (int i = 0; i < kHalf; ++i) {
      y[2 * i] = zipLow(x[i], x[i + kHalf]);
      y[2 * i + 1] = zipHigh(x[i], x[i + kHalf]);
    }
    for (int i = 0; i < VecF::kLanes; ++i) x[i] = y[i];
  }
}

// The transpose of rows of `columns` floats: panels of kPanel rows, [panel][column][row of the panel]; missing rows are
// zeros. Panels are columns·kPanel apart.
inline void packTransposed(const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) {
  constexpr int kLanes = VecF::kLanes;
  for (int64_t panel = 0; panel < rows; panel += kPanel, to += columns * kPanel) {
    for (int64_t r = 0; r < kPanel; r += kLanes) {
      for (int64_t c = 0; c < columns; c += kLanes) {
        const int64_t width = std::min<int64_t>(columns - c, kLanes);
        VecF square[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          const int64_t row = panel + r + i;
          square[i] = row >= rows       ? VecF::zero()
                      : width == kLanes ? VecF::load(from + row * stride + c)
                                        : VecF::load(from + row * stride + c, width);
        }
        transposeSquare(square);
        for (int64_t i = 0; i < width; ++i) square[i].store(to + (c + i) * kPanel + r);
      }
    }
  }
}

// Packed rows, times `scale`, back into rows; `add`: onto what is there.
inline void unpackRows(const float* from, int64_t panelFloats, int64_t rows, int64_t columns, float scale, bool add,
                       float* to, int64_t stride) {
  const VecF factor = VecF::fill(scale);
  for (int64_t c = 0; c < columns; c += VecF::kLanes) {
    const int64_t n = std::min<int64_t>(columns - c, VecF::kLanes);
    const float* panel = from + c / kPanel * panelFloats + c % kPanel;
    for (int64_t r = 0; r < rows; ++r) {
      const VecF x = VecF::load(panel + r * kPanel) * factor;
      float* target = to + r * stride + c;
      (add ? x + VecF::load(target, n) : x).store(target, n);
    }
  }
}

}  // namespace duo::cpu::DUO_ISA
