// What the kernels over rows of logits are given. Shared by host and device code.
#pragma once
#include <cstdint>

#include "cuda/kernels/error_word.h"

namespace duo::cuda {

// Where bad indices and rows go.
struct Reporter {
  ErrorWord* error;
  uint64_t call;
};

// Logits whose exponentials are added in float32; the sums of such blocks go into a double, in order.
constexpr int64_t kSumBlock = 512;

struct LogitRows {
  const float* data;
  int64_t stride;  // between rows
  int64_t rows, vocabulary;
};

// tokens[i], of all rows of the scores or of row rows[i].
struct ListedTokens {
  const int32_t *rows, *tokens;  // (count) each; rows: null where the tokens are of all
  int64_t count;
  int64_t rowLimit, vocabulary;
  Reporter reporter;
};

// Ids (rows, columns), of which the first lengths[row] count; all of them without lengths.
struct TokenRows {
  const int32_t *ids, *lengths;
  int64_t columns;
};

}  // namespace duo::cuda
