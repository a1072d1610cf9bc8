// How rows of logits over a vocabulary are cut, on every backend: part of what a seed means.
#pragma once
#include <algorithm>
#include <cstdint>

namespace duo {

// Columns that share one partial sum of exponentials, the first level of the sampler's inverse CDF.
constexpr int64_t kVocabBlock = 128;
constexpr int64_t vocabBlocks(int64_t v) { return (v + kVocabBlock - 1) / kVocabBlock; }

// Floats of scratch memory for the partial sums of one row: of each block its max, its sum and its share.
constexpr int64_t rowSumFloats(int64_t v) { return 3 * vocabBlocks(v); }

// Rows of logits that a linear loss holds at a time on the CPU: 32 MiB of them, which is 256 tokens of a 32k vocabulary
// for one pass over dWeight (which every block of tokens reads and writes), and no more of a smaller one: then a
// product over the rows of a block is one block of the GEMM's depth, and may add to what its output holds.
constexpr int64_t kTokenBlockFloats = int64_t(8) << 20;
constexpr int64_t tokenBlock(int64_t n, int64_t v) {
  const int64_t rows = std::clamp<int64_t>(kTokenBlockFloats / std::max<int64_t>(v, 1), 16, 256);
  return std::min(rows, std::max<int64_t>(n, 1));
}

}  // namespace duo
