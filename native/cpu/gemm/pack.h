// Copies of blocks of A and B in the order in which the inner loop reads them.
//
// A strip or panel of width w holds, for each k, w neighbours of the other dimension side by side. What has unit stride
// along the width is copied, what has unit stride along K is transposed in registers, anything else is gathered.
// Reads and writes 4 bytes an element each.
#pragma once
#include <cstring>

#include "core/dtype.h"
#include "core/half.h"
#include "cpu/gemm/micro_kernel.h"
#include "cpu/transpose.h"

namespace duo::cpu::DUO_ISA {

inline VecF loadNarrow(const uint16_t* p, DType dtype) {
  return dtype == DType::kFloat16 ? VecF::loadFloat16(p) : VecF::loadBFloat16(p);
}

inline float floatFromNarrow(uint16_t x, DType dtype) {
  return dtype == DType::kFloat16 ? floatFromFloat16(x) : floatFromBFloat16(x);
}

struct MatrixView {
  const float* data;
  int64_t rowStride, columnStride;

  const float* at(int64_t row, int64_t column) const { return data + row * rowStride + column * columnStride; }
  MatrixView from(int64_t row, int64_t column) const { return {at(row, column), rowStride, columnStride}; }
  MatrixView transposed() const { return {data, columnStride, rowStride}; }
};

// A matrix of 16-bit floats, for B: weights that are stored so are widened where they are read.
struct NarrowView {
  const uint16_t* data = nullptr;
  DType dtype = DType::kFloat16;
  int64_t rowStride = 0, columnStride = 0;

  NarrowView from(int64_t row, int64_t column) const {
    return {data + row * rowStride + column * columnStride, dtype, rowStride, columnStride};
  }
};

// Panels that are copied side by side: a row gives a few whole cache lines, and the lines written do not crowd each
// other out of L1 although panels lie at powers of two.
constexpr int kCopiedPanels = 4;

// Rows are far apart, and the hardware does not guess where the next one is: fetch it while these are copied.
constexpr int64_t kPrefetchRows = 16;

// out[p·stride + k·kWidth + i] = x(k, p·kWidth + i), where x has unit stride along the width.
template <int kWidth>
inline void copyPanels(const MatrixView& x, int64_t depth, int panels, float* out, int64_t stride) {
  for (int64_t k = 0; k < depth; ++k) {
    const float *row = x.at(k, 0), *ahead = x.at(std::min(k + kPrefetchRows, depth - 1), 0);
    for (int p = 0; p < panels; ++p) {
      __builtin_prefetch(ahead + p * kWidth);
      std::memcpy(out + p * stride + k * kWidth, row + p * kWidth, kWidth * sizeof(float));
    }
  }
}

template <int kWidth>
inline void gatherPanel(const MatrixView& x, int64_t depth, int64_t width, float* out) {
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t i = 0; i < kWidth; ++i) out[k * kWidth + i] = i < width ? *x.at(k, i) : 0.f;
  }
}

// As gatherPanel, where x has unit stride along k.
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
  for (int64_t j = 0; j < columns;) {
    const MatrixView panel = b.from(0, j);
    const int64_t width = std::min<int64_t>(columns - j, kWidth);
    int64_t panels = 1;
    if (b.columnStride == 1 && width == kWidth) {
      panels = std::min<int64_t>((columns - j) / kWidth, kCopiedPanels);
      copyPanels<kWidth>(panel, depth, int(panels), out, panelStride);
    } else if (b.rowStride == 1) {
      transposePanel<kWidth>(panel, depth, width, out);
    } else {
      gatherPanel<kWidth>(panel, depth, width, out);
    }
    j += panels * kWidth;
    out += panels * panelStride;
  }
}

// As above, of 16-bit floats: a panel at a time is widened first, its columns one after the other.
// `wide`: kTile.columns · depth floats.
inline void packColumns(const NarrowView& b, int64_t depth, int64_t columns, float* out, int64_t panelStride,
                        float* wide) {
  constexpr int kWidth = kTile.columns;
  for (int64_t j = 0; j < columns; j += kWidth, out += panelStride) {
    const int64_t width = std::min<int64_t>(columns - j, kWidth);
    for (int64_t i = 0; i < width; ++i) {
      const NarrowView column = b.from(0, j + i);
      float* to = wide + i * depth;
      int64_t k = 0;
      if (b.rowStride == 1) {
        for (; k + VecF::kLanes <= depth; k += VecF::kLanes) loadNarrow(column.data + k, b.dtype).store(to + k);
      }
      for (; k < depth; ++k) to[k] = floatFromNarrow(column.data[k * b.rowStride], b.dtype);
    }
    transposePanel<kWidth>({wide, 1, depth}, depth, width, out);
  }
}

inline void prefetchBlock(const MatrixView& x, int64_t begin, int64_t end, int64_t width) {
  constexpr int64_t kLine = 16;  // floats
  for (int64_t k = begin; k < end; ++k) {
    for (int64_t i = 0; i < width; i += kLine) __builtin_prefetch(x.at(k, i));
  }
}

// One whole strip of A with unit stride along the rows, for k in [begin, end) of `depth`.
inline void copyStrip(const MatrixView& x, int64_t begin, int64_t end, int64_t depth, float* out) {
  constexpr int kRows = kTile.rows;
  int64_t k = begin;
  if (kRows <= VecF::kLanes && x.rowStride >= VecF::kLanes) {
    // A register holds more than a row of the strip: what is too much is read from the next k's row, and written where
    // the next k come. The last ones have too few after them.
    constexpr int64_t kReach = ceilDiv(VecF::kLanes, kRows);
    for (; k < std::min(end, depth - kReach + 1); ++k) VecF::load(x.at(k, 0)).store(out + k * kRows);
  }
  for (; k < end; ++k) std::memcpy(out + k * kRows, x.at(k, 0), kRows * sizeof(float));
}

// Strips over `rows` of A, each as high as gemmStripRows says and without filling, one behind the other. `left`: rows
// of A to the end of the item.
inline void packRows(const MatrixView& a, int64_t rows, int64_t left, int64_t depth, float* out) {
  // So many k at a time that the cache lines of a row of A are still in L1 when the next strip needs their rest, also
  // where rows of A are a power of two apart and crowd into a few of its sets.
  constexpr int64_t kRound = 8;
  const MatrixView x = a.transposed();
  for (int64_t begin = 0; begin < depth; begin += kRound) {
    const int64_t end = std::min(begin + kRound, depth);
    if (x.columnStride == 1) prefetchBlock(x, end, std::min(end + kRound, depth), rows);
    float* strip = out;
    for (int64_t i = 0; i < rows;) {
      const int64_t height = gemmStripRows(kTile, left - i);
      if (x.columnStride == 1 && height == kTile.rows) {
        copyStrip(x.from(0, i), begin, end, depth, strip);
      } else {
        for (int64_t k = begin; k < end; ++k) {
          for (int64_t r = 0; r < height; ++r) strip[k * height + r] = *x.at(k, i + r);
        }
      }
      strip += height * depth;
      i += height;
    }
  }
}

}  // namespace duo::cpu::DUO_ISA
