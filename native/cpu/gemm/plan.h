// How a matrix product is cut into pieces: pure functions of shapes and of the instruction set's tile.
//
// A worker computes items of C: up to kItemRows × kItemColumns. For each it walks K in blocks of up to kDepth. A block
// of B (kDepth × kItemColumns, 256 KiB) is packed into panels as wide as the tile and stays in a 512 KiB L2 while all
// rows of the item pass over it; a strip of A (tile rows × kDepth, 12 KiB for six rows) stays in a 32 KiB L1 while it
// meets every panel. The panels stream from L2 at 64 bytes for each 12 multiply-adds of 8 lanes, a third of what L2
// gives.
//
// Packing costs the more the fewer rows share it, C is read and written once for each block of K. Both shrink with the
// item, which also must leave enough of them to keep threads busy.
#pragma once
#include <algorithm>
#include <cstdint>

#include "cpu/isa.h"

namespace duo::cpu {

// The part of C that the inner loop keeps in registers.
struct GemmTile {
  int rows, columns;
};

// AVX2 and NEON: 6 × 16 floats are 12 of 16 or 24 of 32 registers, which leaves room for a row of B and an element of A
// and covers the latency of a multiply-add (4 or 5 cycles, two a cycle). AVX-512: 6 × 64 are 24 of 32 registers, with
// 10 loads for 24 multiply-adds; 12 × 32, with 14, is 6 to 11 % slower. Columns are a multiple of eight, so that a tile
// needs whole groups of dropout's draws.
constexpr GemmTile gemmTile(Isa isa) {
  switch (isa) {
    case Isa::kAvx512: return {6, 64};
    case Isa::kScalar: return {4, 8};
    default: return {6, 16};
  }
}

constexpr int64_t kDepth = 512;
constexpr int64_t kItemRows = 512;
constexpr int64_t kItemColumns = 128;
// Where A is packed, too (its rows are not dense), every item packs its rows again: wider items, and less of K at a
// time, because strips of A and what they are made from share L2 with the block of B.
constexpr int64_t kDepthPackingA = 256;
constexpr int64_t kItemColumnsPackingA = 512;
// Few rows against weights that were packed before: nothing is packed for an item, and its panels are fetched one
// ahead.
constexpr int64_t kItemColumnsFewRows = 256;
constexpr int64_t kFewRows = 256;
// Strips of A that are packed at a time, where A cannot be read as it lies: enough to use whole cache lines.
constexpr int64_t kPackedRows = 96;

constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

// K in blocks of nearly equal size.
constexpr int64_t gemmDepth(int64_t k, int64_t most = kDepth) { return k <= most ? k : ceilDiv(k, ceilDiv(k, most)); }

// Floats of B packed whole: panels of tile columns, each K rows of that width, zeros behind the last column.
constexpr int64_t gemmPackedFloats(GemmTile tile, int64_t k, int64_t n) { return roundUp(n, tile.columns) * k; }

// Rows of the next strip when `left` are to come. The last two share what is left, because a strip of one or two rows
// leaves most of the multiply-add units waiting.
constexpr int64_t gemmStripRows(GemmTile tile, int64_t left) {
  if (left >= 2 * tile.rows || left == tile.rows) return tile.rows;
  return left > tile.rows ? (left + 1) / 2 : left;
}

// Rows of the next group of strips that are packed together: never so that the last two strips fall into two groups.
constexpr int64_t gemmPackedGroup(GemmTile tile, int64_t left) {
  if (left <= kPackedRows) return left;
  return left < kPackedRows + 2 * tile.rows ? roundUp(left / 2, tile.rows) : kPackedRows;
}

// C in items of `rows` × `columns`, but for the last of either.
struct GemmGrid {
  int64_t rows, columns;
  int64_t rowItems, columnItems;
  int64_t items() const { return rowItems * columnItems; }
};

// `itemColumns`: at most. `threads` may meet in the items, which never change how a sum is added up.
constexpr GemmGrid gemmGrid(GemmTile tile, int64_t m, int64_t n, int64_t k, bool packsA, int64_t itemColumns,
                            int64_t threads) {
  constexpr int64_t kSmall = 4'000'000;  // multiply-adds in 80 µs, far above the cost of handing out an item
  if (m == 0 || n == 0) return {tile.rows, tile.columns, 0, 0};
  const auto grid = [&](int64_t rowItems, int64_t columnItems) {
    const int64_t rows = roundUp(ceilDiv(m, rowItems), tile.rows);
    const int64_t columns = roundUp(ceilDiv(n, columnItems), tile.columns);
    return GemmGrid{rows, columns, ceilDiv(m, rows), ceilDiv(n, columns)};
  };
  // Several items a thread, so that all finish at nearly the same time. Where A is packed, too, more items repeat so
  // much packing that one for each thread is better.
  const auto enough = [&](int64_t items) {
    return items >= 4 * threads || (items == 1 && threads == 1) || (packsA && items % threads == 0);
  };
  GemmGrid result = grid(ceilDiv(m, kItemRows), ceilDiv(n, itemColumns));
  // A second item is worth more than the packing it repeats; further ones only when they stay large.
  while (!enough(result.items()) && result.rows * result.columns * k > (result.items() < 2 ? kSmall : 4 * kSmall)) {
    const bool byRows = packsA ? result.rows > result.columns / 2 : result.rows > 2 * result.columns;
    const GemmGrid finer =
        byRows ? grid(result.rowItems * 2, result.columnItems) : grid(result.rowItems, result.columnItems * 2);
    if (finer.items() == result.items()) break;
    result = finer;
  }
  return result;
}

// Floats of scratch memory for each worker: the packed strips of A and the packed block of B.
constexpr int64_t gemmScratchFloats(GemmTile tile, int64_t n, int64_t k) {
  const int64_t columns = roundUp(n, tile.columns);
  return roundUp(std::max(gemmDepth(k) * (kPackedRows + std::min(columns, kItemColumns)),
                          gemmDepth(k, kDepthPackingA) * (kPackedRows + std::min(columns, kItemColumnsPackingA))),
                 16);
}

// Columns of an item where few rows meet weights that were packed before: whole tiles, so that the thread with the most
// of them has as few as can be; then as many as can be.
constexpr int64_t gemmFewRowsColumns(GemmTile tile, int64_t n, int64_t threads) {
  const int64_t tiles = ceilDiv(n, tile.columns);
  const auto busiest = [&](int64_t size) { return ceilDiv(ceilDiv(tiles, size), threads) * size; };
  int64_t best = 1;
  for (int64_t size = 1; size <= kItemColumnsFewRows / tile.columns; ++size) {
    if (busiest(size) <= busiest(best)) best = size;
  }
  return best * tile.columns;
}

// Chunks of rows over which the backward of the epilogue sums columns; their sums are added in order.
constexpr int64_t gemmRowChunks(int64_t rows) { return std::clamp<int64_t>(ceilDiv(rows, 32), 1, 64); }

}  // namespace duo::cpu
