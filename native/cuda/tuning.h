// How matrix products are cut into blocks: pure functions of shapes and of what a device can do, so that the order of
// sums is the same on every run.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "cuda/column.h"

namespace duo::cuda {

constexpr int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUpTo(int64_t a, int64_t unit) { return ceilDivide(a, unit) * unit; }

// A tile of a kernel in gemm_tensor.cuh or gemm_f32.cu.
struct GemmTile {
  const char* name;  // part of the kernel's
  int m, n;
  int depth;  // of k: ranges of it are multiples of this
  int threads;
  size_t shared;  // bytes: the larger of the ring of slices and the staged tile
  // Cycles of a multiprocessor for one step of 64 of k, from the arithmetic and the share of the peak that the loop
  // reaches where enough blocks run; and for a block's start and end.
  double cyclesPer64, cyclesPerBlock;
};

// 16-bit: 1024 products a cycle. The larger a warp's tile, the fewer reads of shared memory a product needs; the small
// one is bound by them, and pays where there are too few blocks otherwise.
constexpr GemmTile kTensorTiles[] = {
    {"Wide", 128, 256, 64, 256, 147456, 128. * 256 * 64 / 1024 / 0.85, 3500},
    {"Standard", 128, 128, 32, 128, 73728, 128. * 128 * 64 / 1024 / 0.8, 2500},
    {"Small", 64, 64, 64, 128, 65536, 64. * 64 * 64 / 1024 / 0.5, 1500},
};
// float32: 64 fused multiply-adds a cycle; tf32: 512.
constexpr GemmTile kExactTile = {"", 128, 128, 16, 256, 81920, 128. * 128 * 64 / 64 / 0.85, 4000};
constexpr GemmTile kTf32Tile = {"", 128, 128, 16, 256, 81920, 128. * 128 * 64 / 512 / 0.6, 4000};

enum class GemmArithmetic { kTensor, kExact, kTf32 };  // of 16-bit floats; of float32

struct GemmPlan {
  GemmTile tile;
  int64_t splits;  // ranges of k, each a block's own; their sums are added in a pass of its own
  int64_t depth;   // length of a range

  int64_t tilesM(int64_t m) const { return ceilDivide(m, tile.m); }
  int64_t tilesN(int64_t n) const { return ceilDivide(n, tile.n); }
};

// The tile and the number of ranges for which the slowest multiprocessor is done first. `mostSplits`: 1 where the sums
// must be written by one block.
inline GemmPlan planGemm(GemmArithmetic arithmetic, int64_t m, int64_t n, int64_t k, int64_t batch,
                         const Limits& limits, int64_t mostSplits = 32) {
  // A pass that adds up ranges starts a kernel, and moves 4 bytes to and 4 from memory for each of its sums: about
  // 12 bytes a cycle and multiprocessor.
  constexpr double kCyclesOfPass = 4000, kBytesPerCycle = 12;
  constexpr int64_t kShortestRange = 128;
  const double processors = std::max(limits.multiprocessors, 1);
  GemmPlan best{};
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](const GemmTile& tile) {
    if (tile.shared > limits.sharedPerBlock) return;
    const double tiles = double(ceilDivide(m, tile.m)) * double(ceilDivide(n, tile.n)) * double(batch);
    for (int64_t splits = 1; splits <= mostSplits; splits *= 2) {
      const int64_t depth = std::max<int64_t>(roundUpTo(ceilDivide(k, splits), tile.depth), tile.depth);
      if (splits > 1 && (depth < kShortestRange || depth * (splits - 1) >= k)) break;
      const double rounds = double(ceilDivide(int64_t(tiles) * splits, int64_t(processors)));
      double cycles = rounds * (double(depth) / 64 * tile.cyclesPer64 + tile.cyclesPerBlock);
      if (splits > 1) {
        cycles +=
            kCyclesOfPass + 8. * double(splits) * double(m) * double(n) * double(batch) / (processors * kBytesPerCycle);
      }
      if (cycles < least) least = cycles, best = {tile, splits, depth};
    }
  };
  if (arithmetic == GemmArithmetic::kTensor) {
    for (const GemmTile& tile : kTensorTiles) consider(tile);
  } else {
    consider(arithmetic == GemmArithmetic::kTf32 ? kTf32Tile : kExactTile);
  }
  return best;
}

// Into how many chunks rows are cut, whose column sums are added up in a pass of its own: enough for four
// blocks a multiprocessor, of at least eight rows.
inline int64_t rowChunks(int64_t rows, int64_t blocksOfColumns, const Limits& limits) {
  const int64_t wanted = ceilDivide(4 * std::max(limits.multiprocessors, 1), std::max<int64_t>(blocksOfColumns, 1));
  return std::clamp<int64_t>(std::min(wanted, ceilDivide(rows, 8)), 1, 65535);
}

// Rows of logits that a linear loss holds at a time: up to 128 MiB of them in float32, so that a pass over dWeight is
// shared by 1,024 rows of a vocabulary of 32k; at least 64.
inline int64_t linearLossRows(int64_t n, int64_t v) {
  const int64_t rows = std::clamp<int64_t>((int64_t(32) << 20) / std::max<int64_t>(v, 1), 64, 1024);
  return std::min(rows, std::max<int64_t>(n, 1));
}

// Blocks of the tensor kernels of attention: `rows` queries (keys) in four warps, which walk over `columns` keys
// (queries) at a time. Where 128 rows would not leave a warp's sums in registers, it takes 64.
struct AttentionBlock {
  int32_t size;  // of rows, filled up with zeros
  int32_t rows, columns;

  size_t rowBytes() const { return 2 * size_t(size); }
  static constexpr size_t kBiasBytes = 100 * 16;  // of one tile
  static constexpr size_t kTaskBytes = 256;       // before the tiles
  // Q; K and V of one block; where the sums of rows leave no registers for them, four totals of each thread.
  size_t forwardShared() const {
    const size_t totals = size > 64 && rows == 128 ? 128 * 16 : 0;
    return kTaskBytes + rowBytes() * size_t(rows + 2 * columns) + kBiasBytes + totals;
  }
  // Two operands of the rows or one, two of the columns twice; of each query of two blocks two numbers, or the buckets
  // of the distances of two blocks and the sums of each lane.
  size_t backwardShared(int32_t tiles) const {
    return kTaskBytes + rowBytes() * size_t(tiles * rows + 4 * columns) + 2 * kBiasBytes;
  }
  size_t backwardKeysShared() const { return backwardShared(2) + size_t(columns) * 16; }
  size_t backwardQueriesShared(int64_t numBuckets) const {
    return backwardShared(1) + (numBuckets ? 2 * (128 + 64) * 4 + size_t(numBuckets) * 128 * 4 : 0);
  }
};
constexpr int32_t kAttentionWidest = 128;

// `general`: scores are made by kernels that need registers for more than sums; `dropout`: so does Philox, beside the
// sums of wide rows.
constexpr AttentionBlock attentionForwardBlock(int64_t size, bool general, bool dropout) {
  const bool wide = size > 64;
  return {wide ? kAttentionWidest : 64, general || (wide && dropout) ? 64 : 128, 64};
}

constexpr AttentionBlock attentionBackwardBlock(int64_t size, bool general) {
  return size <= 64 ? AttentionBlock{64, general ? 64 : 128, 64} : AttentionBlock{kAttentionWidest, 64, 32};
}
// Wider rows leave no registers for scores that are made one by one.
constexpr int64_t kWidestOfGeneralBackward = 64;

// Keys of a block of decode attention: enough ranges for two blocks a multiprocessor, of at least 128 keys, and at most
// so many that eight rows of scores take 16 KiB.
inline int64_t decodeSplitKeys(int64_t keys, int64_t blocks, const Limits& limits) {
  constexpr int64_t kLeast = 128, kMost = 512, kUnit = 64;
  const int64_t wanted = ceilDivide(2 * std::max(limits.multiprocessors, 1), std::max<int64_t>(blocks, 1));
  const int64_t splits = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(ceilDivide(keys, kLeast), 1));
  return std::clamp(roundUpTo(ceilDivide(keys, splits), kUnit), kUnit, kMost);
}

}  // namespace duo::cuda
