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

// kRows by kPanel sums in registers. Plain arrays and free functions: members of a struct end up in memory.
template <int kRows>
using Sums = VecF[kRows][kPanelVecs];

template <int kRows>
inline void begin(Sums<kRows>& c, Start start) {
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kPanelVecs; ++v) c[r][v] = VecF::load(start.data + r * start.stride + v * VecF::kLanes);
  }
}

template <int kRows>
inline void store(const Sums<kRows>& c, float* out) {
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kPanelVecs; ++v) c[r][v].store(out + r * kPanel + v * VecF::kLanes);
  }
}

// One k: a[r·kStep] of every row times one row of B.
template <int kRows, int64_t kStep>
inline void add(Sums<kRows>& c, const float* a, const float* b) {
  VecF row[kPanelVecs];
  for (int v = 0; v < kPanelVecs; ++v) row[v] = VecF::load(b + v * VecF::kLanes);
  for (int r = 0; r < kRows; ++r) {
    const VecF factor = VecF::fill(a[r * kStep]);
    for (int v = 0; v < kPanelVecs; ++v) c[r][v] = fma(factor, row[v], c[r][v]);
  }
}

// kRows rows of A, whose panels are aPanel floats apart, times `depth` rows of one panel of B.
template <int kRows>
void rowsProduct(const float* a, int64_t aPanel, const float* b, int64_t depth, Start start, float* c) {
  Sums<kRows> sums;
  begin<kRows>(sums, start);
  for (; depth >= kPanel; depth -= kPanel, a += aPanel) {
#pragma GCC unroll 4
    for (int64_t k = 0; k < kPanel; ++k, b += kPanel) add<kRows, kPanel>(sums, a + k, b);
  }
  for (int64_t k = 0; k < depth; ++k, b += kPanel) add<kRows, kPanel>(sums, a + k, b);
  store<kRows>(sums, c);
}

// kRows columns of one panel of A as rows of C: C = start + Aᵀ·B over `depth` rows of both.
template <int kRows>
void columnsProduct(const float* a, const float* b, int64_t depth, float* c) {
  Sums<kRows> sums;
  begin<kRows>(sums, {c, kPanel});
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) add<kRows, 1>(sums, a + k * kPanel, b + k * kPanel);
  store<kRows>(sums, c);
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

// Heads lie side by side, so that rows of one head are far apart and the hardware does not guess where the next one is:
// fetch it while others are copied.
constexpr int64_t kPrefetchRows = 8;

template <bool kWrite = false>
inline void prefetchRow(const float* first, int64_t stride, int64_t row, int64_t rows, int64_t columns) {
  constexpr int64_t kLine = 16;  // floats
  if (row + kPrefetchRows >= rows) return;
  const float* ahead = first + (row + kPrefetchRows) * stride;
  for (int64_t c = 0; c < columns; c += kLine) __builtin_prefetch(ahead + c, kWrite);
}

// Rows of a matrix with `columns` columns, times `scale`, into panels that are `panelFloats` apart; the last is filled
// up with zeros. Row by row: columns of a tall strip would fall into few sets of the cache.
inline void packRows(const float* from, int64_t stride, int64_t rows, int64_t columns, float scale, float* to,
                     int64_t panelFloats) {
  constexpr int kLanes = VecF::kLanes;
  const VecF factor = VecF::fill(scale);
  for (int64_t r = 0; r < rows; ++r) {
    const float* source = from + r * stride;
    prefetchRow(from, stride, r, rows, columns);
    for (int64_t c = 0; c < panelsOf(columns) * kPanel; c += kLanes) {
      const int64_t left = columns - c;
      const VecF x = left >= kLanes ? VecF::load(source + c) : left > 0 ? VecF::load(source + c, left) : VecF::zero();
      (x * factor).store(to + c / kPanel * panelFloats + r * kPanel + c % kPanel);
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
      for (int64_t i = 0; i < kLanes; ++i) prefetchRow(from, stride, panel + r + i, rows, columns);
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
  constexpr int kLanes = VecF::kLanes;
  const VecF factor = VecF::fill(scale);
  for (int64_t r = 0; r < rows; ++r) {
    float* target = to + r * stride;
    prefetchRow<true>(to, stride, r, rows, columns);
    for (int64_t c = 0; c < columns; c += kLanes) {
      const VecF x = VecF::load(from + c / kPanel * panelFloats + r * kPanel + c % kPanel) * factor;
      // Masked stores cost tens of cycles on some machines: only where the row ends inside a vector.
      if (c + kLanes <= columns) {
        (add ? x + VecF::load(target + c) : x).store(target + c);
      } else {
        (add ? x + VecF::load(target + c, columns - c) : x).store(target + c, columns - c);
      }
    }
  }
}

}  // namespace duo::cpu::DUO_ISA
