// What the kernels that move rows are given. Shared by host and device code.
#pragma once
#include <cstdint>

#include "cuda/kernels/logits_params.h"

namespace duo::cuda {

enum class RowType : int32_t { kFloat32, kFloat16, kBFloat16 };

struct EmbeddingTable {
  const void* data;
  const int32_t* ids;
  int64_t rows, stride;  // elements between rows
  RowType type;
  int32_t reserved;
};

constexpr int kMostTables = 8;  // of one sum: kMaxEmbeddingTables of ops/rows.h

struct EmbeddingTables {
  EmbeddingTable tables[kMostTables];
  int32_t count;
  int32_t vectors;  // whether four columns may be read and written at once in all of them
};

// Scattered rows in the order of their targets; `keys` and `order` have `count` numbers. The key of what goes nowhere
// is `rows`, which sorts it behind all others.
struct ScatterSums {
  const int32_t *keys, *order;
  int64_t count, rows, columns;
  int32_t vectors;
  int32_t add;  // to what is there
  // Of each part of the order, the sums of a target that began in an earlier part, and of one that goes on in the next.
  float *heads, *tails;
};

constexpr int64_t kSortTile = 1024;    // keys that a block sorts at a time
constexpr int64_t kScatterPart = 128;  // of the order: rows that are added one after another
constexpr int kDigitBits = 8;

}  // namespace duo::cuda
