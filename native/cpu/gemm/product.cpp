#include "cpu/gemm/product.h"

#include "cpu/gemm/dot_kernel.h"
#include "cpu/thread_pool.h"

namespace duo::cpu::DUO_ISA {
namespace {

// Both operands have unit stride along K, and so few rows or columns meet that packing would cost more than it saves.
constexpr int64_t kDotMaxRows = 16, kDotMaxColumns = 12;
// Rows up to which B, if its rows are dense, is read where it lies.
constexpr int64_t kDirectMaxRows = 12;

bool usesDots(const Product& p) {
  const int64_t alongK = p.narrowB.data ? p.narrowB.rowStride : p.b.rowStride;
  return !p.packedB && p.a.columnStride == 1 && alongK == 1 && (p.m <= kDotMaxRows || p.n <= kDotMaxColumns);
}

// Whether panels of B are the outer loop, and A stays in L2.
bool walksPanels(const Product& p) {
  return p.packedB && p.m <= kFewRows && p.a.columnStride == 1 && !p.epilogue.dropout;
}

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// Row and column ranges of an item.
struct Item {
  Range rows, columns;
  Item(const Product& p, const GemmGrid& grid, int64_t index) {
    const int64_t i = index / grid.columnItems * grid.rows, j = index % grid.columnItems * grid.columns;
    rows = {i, std::min(i + grid.rows, p.m)};
    columns = {j, std::min(j + grid.columns, p.n)};
  }
};

// Finishes a tile of sums, whose first row is row `row` of C.
template <int kRows>
void finishTile(const Epilogue& epilogue, DropoutStrip<kRows>& dropout, const float* tile, int64_t row, int64_t column,
                int64_t rows, int64_t columns, bool add) {
  if (columns == kTile.columns && epilogue.simple()) {
    return finishSimpleTile<kTile.columns>(epilogue, tile, row, column, rows, add);
  }
  for (int64_t r = 0; r < rows; ++r) {
    epilogue.finishRow(tile + r * kTile.columns, dropout.at(r, column), row + r, column, columns, add);
  }
}

// The rows of an item over some of its columns.
void dotRows(const Product& p, Range itemRows, Range itemColumns) {
  float tile[kDotRows * kTile.columns] = {};
  for (int64_t i = itemRows.begin; i < itemRows.end;) {
    const int64_t left = itemRows.end - i;
    const int64_t rows = left > kDotRows && left < 2 * kDotRows ? (left + 1) / 2 : std::min<int64_t>(left, kDotRows);
    DropoutStrip<kDotRows> dropout(p.epilogue, i, rows);
    for (int64_t j = itemColumns.begin; j < itemColumns.end; j += kTile.columns) {
      const int64_t columns = std::min<int64_t>(itemColumns.end - j, kTile.columns);
      if (p.narrowB.data) {
        dotTile(p.a.from(i, 0), p.narrowB.from(0, j), p.k, rows, columns, tile);
      } else {
        dotTile(p.a.from(i, 0), p.b.from(0, j), p.k, rows, columns, tile);
      }
      finishTile(p.epilogue, dropout, tile, i, j, rows, columns, false);
    }
    i += rows;
  }
}

void multiplyByDots(const Product& p, const Item& item) {
  // Few rows: columns of B, which come from memory, serve all of them while they are in a cache.
  const int64_t step = item.rows.size() <= kDotMaxRows && !p.epilogue.dropout ? kTile.columns : item.columns.size();
  for (int64_t j = item.columns.begin; j < item.columns.end; j += step) {
    dotRows(p, item.rows, {j, std::min(j + step, item.columns.end)});
  }
}

// The panels of B over an item's columns and one block of K.
struct Panels {
  const float* data;
  int64_t panelStride, rowStride;
};

// One block of K over one item.
class BlockWalk {
 public:
  // `following`: where packed B is read next, by this worker or another; null at its end.
  BlockWalk(const Product& product, const Item& item, Range depth, const float* following, float* scratch)
      : p_(product),
        item_(item),
        depth_(depth),
        following_(following),
        first_(depth.begin == 0),
        last_(depth.end == product.k),
        plain_(product.epilogue.plain()),
        scratch_(scratch) {}

  void run() {
    const Panels panels = panelsOfB();
    if (walksPanels(p_)) return walkPanels(panels);
    const bool packs = p_.a.columnStride != 1;
    // Panels that were packed before are fetched while those before them are multiplied, each strip its share.
    FetchAhead ahead = following_ ? FetchAhead{bytesAt(following_), shareOfStrip()} : nothingAhead(panels);
    for (int64_t i = item_.rows.begin; i < item_.rows.end;) {
      const int64_t group = packs ? gemmPackedGroup(kTile, item_.rows.end - i) : item_.rows.end - i;
      if (packs) packRows(p_.a.from(i, depth_.begin), group, item_.rows.end - i, depth_.size(), scratch_);
      const float* strip = scratch_;
      for (const int64_t end = i + group; i < end;) {
        const int64_t rows = gemmStripRows(kTile, item_.rows.end - i);
        multiplyStrip(panels, item_.columns, i, rows, packs ? strip : nullptr, ahead);
        ahead.data += depth_.size() * ahead.step;
        strip += rows * depth_.size();
        i += rows;
      }
    }
  }

 private:
  // Few rows against weights that come from memory: all rows meet a panel while it is in a cache. Meanwhile the next
  // one is fetched.
  void walkPanels(Panels panels) {
    for (int64_t j = item_.columns.begin; j < item_.columns.end; j += kTile.columns) {
      const Range columns{j, std::min(j + kTile.columns, item_.columns.end)};
      const float* next = columns.end < item_.columns.end ? panels.data + panels.panelStride : following_;
      FetchAhead ahead = next ? FetchAhead{bytesAt(next), shareOfStrip()} : nothingAhead(panels);
      for (int64_t i = item_.rows.begin; i < item_.rows.end;) {
        const int64_t rows = gemmStripRows(kTile, item_.rows.end - i);
        multiplyStrip(panels, columns, i, rows, nullptr, ahead);
        ahead.data += depth_.size() * ahead.step;
        i += rows;
      }
      panels.data += panels.panelStride;
    }
  }

  // Bytes of a panel to fetch for each k, so that all strips together fetch it once.
  int64_t shareOfStrip() const {
    return ceilDiv(kTile.columns * int64_t(sizeof(float)), ceilDiv(item_.rows.size(), kTile.rows));
  }

  Panels panelsOfB() {
    const int64_t j = item_.columns.begin, k = depth_.begin;
    if (p_.packedB) return {p_.packedB + j * p_.k + k * kTile.columns, p_.k * kTile.columns, kTile.columns};
    float* packed = scratch_ + kPackedRows * depth_.size();
    if (p_.narrowB.data) {
      // The strips of A come later: their place is free, and larger than a panel.
      static_assert(kPackedRows >= kTile.columns);
      packColumns(p_.narrowB.from(k, j), depth_.size(), item_.columns.size(), packed, depth_.size() * kTile.columns,
                  scratch_);
      return {packed, depth_.size() * kTile.columns, kTile.columns};
    }
    const MatrixView block = p_.b.from(k, j);
    if (p_.m <= kDirectMaxRows && block.columnStride == 1 && item_.columns.size() % kTile.columns == 0) {
      return {block.data, kTile.columns, block.rowStride};
    }
    packColumns(block, depth_.size(), item_.columns.size(), packed, depth_.size() * kTile.columns);
    return {packed, depth_.size() * kTile.columns, kTile.columns};
  }

  // `packed`: the strip of A where it was packed.
  void multiplyStrip(const Panels& panels, Range itemColumns, int64_t row, int64_t rows, const float* packed,
                     FetchAhead ahead) {
    const Epilogue& epilogue = p_.epilogue;
    float tile[kTile.rows * kTile.columns];
    DropoutStrip<kTile.rows> dropout(epilogue, row, rows);
    const bool inPlace = plain_ || !last_;
    TileCall call{.a = packed ? packed : p_.a.at(row, depth_.begin),
                  .aStride = p_.a.rowStride,
                  .b = panels.data,
                  .bStride = panels.rowStride,
                  .depth = depth_.size(),
                  .c = tile,
                  .cStride = inPlace ? epilogue.stride : kTile.columns,
                  .columns = kTile.columns,
                  .add = inPlace && !first_,
                  .ahead = ahead};
    const int64_t aheadStride = ahead.step > 0 ? panels.panelStride * int64_t(sizeof(float)) : 0;
    for (int64_t j = itemColumns.begin; j < itemColumns.end; j += kTile.columns) {
      const int64_t columns = std::min<int64_t>(itemColumns.end - j, kTile.columns);
      const TileKernel kernel = packed ? tileKernelFor<true>(rows, columns) : tileKernelFor<false>(rows, columns);
      if (inPlace) {
        call.c = epilogue.y + row * epilogue.stride + j;
        call.columns = columns;
        kernel(call);
      } else {
        kernel(call);
        finishTile(epilogue, dropout, tile, row, j, rows, columns, !first_);
      }
      call.b += panels.panelStride;
      call.ahead.data += aheadStride;
    }
  }

  static const char* bytesAt(const float* p) { return reinterpret_cast<const char*>(p); }
  static FetchAhead nothingAhead(const Panels& panels) { return {bytesAt(panels.data), 0}; }

  const Product& p_;
  const Item& item_;
  Range depth_;
  const float* following_;
  bool first_, last_, plain_;
  float* scratch_;
};

}  // namespace

GemmGrid gridOf(const Product& p) {
  const bool packsA = p.a.columnStride != 1;
  const int64_t threads = ThreadPool::threads();
  const int64_t columns = packsA           ? kItemColumnsPackingA
                          : walksPanels(p) ? gemmFewRowsColumns(kTile, p.n, threads)
                                           : kItemColumns;
  return gemmGrid(kTile, p.m, p.n, p.k, packsA, columns, threads);
}

void multiplyItem(const Product& p, const GemmGrid& grid, int64_t index, float* scratch) {
  const Item item(p, grid, index);
  if (usesDots(p)) return multiplyByDots(p, item);
  const int64_t depth = std::max<int64_t>(gemmDepth(p.k, p.a.columnStride != 1 ? kDepthPackingA : kDepth), 1);
  const auto packedAt = [&](const Item& other, int64_t k) {
    return p.packedB + other.columns.begin * p.k + k * kTile.columns;
  };
  // Workers take items in turn.
  const int64_t later = index + currentPool()->workers();
  for (int64_t k = 0; k == 0 || k < p.k; k += depth) {
    const float* following = !p.packedB             ? nullptr
                             : k + depth < p.k      ? packedAt(item, k + depth)
                             : later < grid.items() ? packedAt(Item(p, grid, later), 0)
                                                    : nullptr;
    BlockWalk(p, item, {k, std::min(k + depth, p.k)}, following, scratch).run();
  }
}

void packPanels(const MatrixView& b, int64_t k, int64_t n, int64_t first, int64_t last, float* out) {
  const int64_t begin = first * kTile.columns, end = std::min(last * kTile.columns, n);
  packColumns(b.from(0, begin), k, end - begin, out + begin * k, k * kTile.columns);
}

}  // namespace duo::cpu::DUO_ISA
