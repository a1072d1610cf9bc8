// What the kernels of losses over a vocabulary are given. Shared by host and device code.
#pragma once
#include <cstdint>

#include "cuda/kernels/logits_params.h"

namespace duo::cuda {

// Columns that share one partial sum: kVocabBlock of ops/vocabulary.h.
constexpr int64_t kVocabColumns = 128;

// q = onLabel·onehot + everywhere; what else a row's loss adds. As VocabLoss in cpu/vocab_row.h.
struct VocabRule {
  double onLabel, everywhere, entropy, z;
};

// Rows of logits with their labels. `logits`, `bias` and `weights` have the element types that a kernel's name says.
struct VocabRows {
  const void* logits;
  int64_t stride;  // between rows
  int64_t rows, v;
  const void* bias;       // null: none; added to the logits
  const int32_t* labels;  // null: the tokens at `positions` of `originalIds`
  const void* weights;    // null: all 1
  int64_t ignoreIndex;
  VocabRule rule;
  const float* scale;    // of the reduction
  const void* upstream;  // float32: of each row, or one number; null: 1
  int32_t upstreamByRow;
  int32_t reserved;
  float* losses;           // null: not wanted
  float* lse;              // (rows, 2): max and log Σ exp(l − max); written, or read by the backward
  void* gradient;          // null: not wanted; may be the logits
  int64_t gradientStride;  // columns behind v are set to 0
  Reporter reporter;
};

// Draws of replacement tokens, in the order of native/cpu/token_sampler.h.
struct VocabDraw {
  uint64_t seed;
  uint32_t site, step;
  float inverseTemperature;
  int32_t disallowCorrect;
  const int32_t *originalIds, *positions;
  int64_t numTokens;
  int64_t firstRow;  // of the rows, in the order of the draws
  int32_t* sampled;
};

}  // namespace duo::cuda
