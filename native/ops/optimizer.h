// What optimiser ops and their kernels share: how a group of tensors is cut into work, and how Adafactor factors.
#pragma once
#include <cstdint>
#include <span>

#include "ops/registry.h"

namespace duo {

// Elements of a piece of element-wise work: 64 KiB of each operand, so that what one pass of a kernel wrote is still in
// the second-level cache for its next one. Fixed, so that the partial sums of a norm never depend on the thread count.
constexpr int64_t kOptimizerChunk = 16384;

int64_t chunkCount(std::span<const TensorArg> tensors);

// Adafactor's view of a factored tensor: dims (outer, rows, middle, columns, inner). The second moment of an element is
// rebuilt from its mean over `columns` (shaped like the tensor without that axis) and its mean over `rows`.
struct Factoring {
  bool factored = false;
  int rowAxis = 0, columnAxis = 0;
  int64_t outer = 1, rows = 1, middle = 1, columns = 1, inner = 1;

  int64_t line() const { return columns * inner; }  // elements that lie together for one index of rows
  int64_t slabs() const { return outer * middle; }  // matrices of `rows` lines
  // Lines of a piece of work: about 256 KiB, so that the partial column sums which each piece writes stay few.
  int64_t linesPerPiece() const;
  int64_t piecesPerSlab() const;
  int64_t rowMoments() const { return outer * rows * middle * inner; }
  int64_t columnMoments() const { return outer * middle * columns * inner; }
};

enum class FactoringRule { kLastTwo, kLargestTwo };
Factoring factoringOf(const Dims& dims, FactoringRule rule, int64_t minDimSize);
Factoring factoringOf(const OpCall& adafactor, const Dims& dims);

// Scratch memory of `adafactor`, in the order in which it lies in the workspace.
struct AdafactorScratch {
  int64_t doubles = 0;  // partial sums of squares
  int64_t floats = 0;   // partial column sums, row factors, column factors
};
AdafactorScratch adafactorScratch(const OpCall& call);

}  // namespace duo
