// What the kernels of attention are given. Shared by host and device code.
#pragma once
#include <cstdint>

namespace duo::cuda {

// Rows of one operand (N, H, D), at any strides of N and H, in elements.
struct AttentionRows {
  const void* data;
  int64_t row, head;
};

// One packed sequence; rows are (N, H, D) rows.
struct AttentionSequence {
  int32_t firstQuery, queries, firstKey, keys;
  int32_t causalOffset;  // key position − query position of the pair at distance 0
};

// What a block takes: queries (or keys) of a sequence from `first` on.
struct AttentionTile {
  int32_t sequence, first;
};

struct AttentionParams {
  AttentionRows q, k, v, o, dO;
  const float* lse;   // (H, Nq), natural logarithm
  const float* dots;  // (H, Nq): Σ dO·O of a row
  const AttentionSequence* sequences;
  const AttentionTile* tiles;
  const int32_t *positionsQ, *positionsK;  // null: counted from 0 in each sequence

  // The bias table along relative positions −reach … reach, beyond which it is constant; null: none.
  const float* window;  // (H, 2·reach + 1)
  const int32_t* buckets;
  int32_t reach, numBuckets;
  // The same for the tensor kernels: see BiasQuads.
  const float* quads;
  int32_t quadCenter, quadLength;
  const void* dense;  // (1 or B, H, Tq, Tk), or null
  int64_t denseBatches, denseQueries, denseKeys;

  int64_t nq;
  int32_t heads, size;
  float scale;
  int32_t causal;
  int32_t vectors;  // 1: rows of all operands lie at multiples of 16 bytes and have no remainder

  uint32_t threshold;  // of dropout; 0: nothing is dropped
  float keepScale;     // of what dropout keeps
  uint32_t site, step;
  uint64_t seed;
};

}  // namespace duo::cuda
