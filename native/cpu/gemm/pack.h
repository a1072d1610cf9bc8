// Copies of blocks of A and B in the order in which the inner loop reads them.
//
// A strip or panel of width w holds, for each k, w neighbours of the other dimension side by side. What has unit stride
// along the width is copied, what has unit stride along K is transposed in registers, anything else is gathered.
// Reads and writes 4 bytes an element each.
#pragma once
#include <cstring>

#include "cpu/gemm/micro_kernel.h"
#include "cpu/transpose.h"

namespace duo::cpu::DUO_ISA {

struct MatrixView {
  const float* data;
  int64_t rowStride, columnStride;

  const float* at(int64_t row, int64_t column) const { return data + row * rowStride + column * columnStride; }
  MatrixView from(int64_t row, int64_t column) const { return {at(row, column), rowStride, columnStride}; }
  MatrixView transposed() const { return {data, columnStride, rowStride}; }
};

// out[k·stride + i] = x(k, i) for i < width, where x runs along i with stride 1.
template <int kWidth>
inline void copyPanel(const MatrixView& x, int64_t depth, int64_t width, float* out) {
  if (width == kWidth) {
    for (int64_t k = 0; k < depth; ++k) std::memcpy(out + k * kWidth, x.at(k, 0), kWidth * sizeof(float));
    return;
  }
  for (int64_t k = 0; k < depth; ++k) {
    float* row = out + k * kWidth;
    std::memcpy(row, x.at(k, 0), size_t(width) * sizeof(float));
    std::memset(row + width, 0, size_t(kWidth - width) * sizeof(float));
  }
}

template <int kWidth>
inline void gatherPanel(const MatrixView& x, int64_t depth, int64_t width, float* out) {
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t i = 0; i < kWidth; ++i) out[k * kWidth + i] = i < width ? *x.at(k, i) : 0.f;
  }
}

// As above where x runs along k with stride 1.
template <int kWidth>
inline void transposePanel(const MatrixView& x, int64_t depth, int64_t width, float* out) {
  const int64_t blocks = depth / kTransposeBlock * kTransposeBlock;
  const int64_t whole = width / kTransposeBlock * kTransposeBlock;
  for (int64_t k = 0; k < blocks; k += kTransposeBlock) {
    for (int64_t i = 0; i < whole; i += kTransposeBlock) {
      transposeBlock(x.at(k, i), x.columnStride, out + k * kWidth + i, kWidth);
    }
    for (int64_t i = whole; i < kWidth; ++i) {
      for (int64_t j = k; j < k + kTransposeBlock; ++j) out[j * kWidth + i] = i < width ? *x.at(j, i) : 0.f;
    }
  }
  gatherPanel<kWidth>(x.from(blocks, 0), depth - blocks, width, out + blocks * kWidth);
}

// Panels of kTile.columns over a block of B; zeros fill the last one.
inline void packColumns(const MatrixView& b, int64_t depth, int64_t columns, float* out, int64_t panelStride) {
  constexpr int kWidth = kTile.columns;
  for (int64_t j = 0; j < columns; j += kWidth, out += panelStride) {
    const int64_t width = std::min<int64_t>(columns - j, kWidth);
    const MatrixView panel = b.from(0, j);
    if (b.columnStride == 1) {
      copyPanel<kWidth>(panel, depth, width, out);
    } else if (b.rowStride == 1) {
      transposePanel<kWidth>(panel, depth, width, out);
    } else {
      gatherPanel<kWidth>(panel, depth, width, out);
    }
  }
}

// Strips over `rows` of A, each as high as gemmStripRows says and without filling, one behind the other.
inline void packRows(const MatrixView& a, int64_t rows, int64_t left, int64_t depth, float* out) {
  const MatrixView x = a.transposed();
  for (int64_t k = 0; k < depth; ++k) {
    float* strip = out;
    for (int64_t i = 0; i < rows;) {
      const int64_t height = gemmStripRows(kTile, left - i);
      float* target = strip + k * height;
      if (x.columnStride == 1 && height == kTile.rows) {
        std::memcpy(target, x.at(k, i), kTile.rows * sizeof(float));
      } else {
        for (int64_t r = 0; r < height; ++r) target[r] = *x.at(k, i + r);
      }
      strip += height * depth;
      i += height;
    }
  }
}

}  // namespace duo::cpu::DUO_ISA
