// Changes to scores (rows, vocabulary) of tokens that the caller lists: one thread for each entry of a list. The scores
// start as a copy of the logits unless said otherwise. Entries out of range are reported and left out. Threads that
// write the same score write the same value, or one of them alone writes.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/logits_params.h"

using namespace duo::cuda;

namespace {

__device__ float logitAt(const LogitRows& logits, int64_t row, int64_t token) {
  return logits.data[row * logits.stride + token];
}

__device__ bool inRange(int64_t index, int64_t limit, const Reporter& reporter) {
  if (index >= 0 && index < limit) return true;
  reportIndex(reporter.error, reporter.call, index, limit);
  return false;
}

// Calls fn(entry, row, token) for the entries of a list by rows.
template <typename Fn>
__device__ void forEntries(const ListedTokens& list, const Fn& fn) {
  for (int64_t i = globalThread(); i < list.count; i += globalThreads()) {
    const int64_t row = list.rows[i], token = list.tokens[i];
    if (inRange(token, list.vocabulary, list.reporter) && inRange(row, list.rowLimit, list.reporter)) fn(i, row, token);
  }
}

__device__ bool same(const ListedTokens& list, int64_t i, int64_t j) {
  return list.rows[i] == list.rows[j] && list.tokens[i] == list.tokens[j];
}

// How many of the row's ids count; none where the length is out of range.
__device__ int64_t lengthOf(const TokenRows& sequences, int64_t row, const Reporter& reporter) {
  if (!sequences.lengths) return sequences.columns;
  const int64_t length = sequences.lengths[row];
  return inRange(length, sequences.columns + 1, reporter) ? length : 0;
}

}  // namespace

// l · penalty below 0, l / penalty from there. From the logits: an id that comes twice is penalised once.
extern "C" __global__ void penalizeRepetition(LogitRows logits, TokenRows sequences, float penalty, float* scores,
                                              Reporter reporter) {
  for (int64_t row = blockIdx.y; row < logits.rows; row += gridDim.y) {
    const int64_t length = lengthOf(sequences, row, reporter);
    for (int64_t i = globalThread(); i < length; i += globalThreads()) {
      const int64_t id = sequences.ids[row * sequences.columns + i];
      if (!inRange(id, logits.vocabulary, reporter)) continue;
      const float l = logitAt(logits, row, id);
      scores[row * logits.vocabulary + id] = l < 0 ? l * penalty : l / penalty;
    }
  }
}

// A thread for each place of a source: whether the last n − 1 ids of the row stand there, and what follows them.
extern "C" __global__ void banRepeatedNgrams(TokenRows sequences, TokenRows sources, int64_t n, float* scores,
                                             int64_t rows, int64_t vocabulary, Reporter reporter) {
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    const int64_t length = lengthOf(sequences, row, reporter), sourceLength = lengthOf(sources, row, reporter);
    const int32_t* source = sources.ids + row * sources.columns;
    for (int64_t i = globalThread(); i < sourceLength; i += globalThreads()) {
      const int64_t banned = source[i];
      if (!inRange(banned, vocabulary, reporter) || i + 1 < n || length + 1 < n) continue;
      const int32_t *before = source + (i + 1 - n),
                    *prefix = sequences.ids + row * sequences.columns + length - (n - 1);
      int64_t equal = 0;
      while (equal < n - 1 && before[equal] == prefix[equal]) ++equal;
      if (equal == n - 1) scores[row * vocabulary + banned] = -INFINITY;
    }
  }
}

extern "C" __global__ void banTokens(ListedTokens list, float* scores) {
  for (int64_t i = globalThread(); i < list.count; i += globalThreads()) {
    const int64_t token = list.tokens[i];
    if (!inRange(token, list.vocabulary, list.reporter)) continue;
    for (int64_t row = blockIdx.y; row < list.rowLimit; row += gridDim.y) {
      scores[row * list.vocabulary + token] = -INFINITY;
    }
  }
}

// Of entries for one score the first adds them all, in the order of the list.
extern "C" __global__ void biasTokens(ListedTokens list, const float* bias, float* scores) {
  forEntries(list, [&](int64_t i, int64_t row, int64_t token) {
    for (int64_t j = 0; j < i; ++j) {
      if (same(list, i, j)) return;
    }
    float* score = scores + row * list.vocabulary + token;
    float sum = *score + bias[i];
    for (int64_t j = i + 1; j < list.count; ++j) {
      if (same(list, i, j)) sum += bias[j];
    }
    *score = sum;
  });
}

// The scores start at −inf. possible[row / group]: 1 where the group has an allowed token that is not at −inf.
extern "C" __global__ void allowTokens(ListedTokens list, LogitRows logits, int64_t group, float* scores,
                                       uint8_t* possible) {
  forEntries(list, [&](int64_t, int64_t row, int64_t token) {
    const float l = logitAt(logits, row, token);
    scores[row * list.vocabulary + token] = l;
    if (l != -INFINITY) possible[row / group] = 1;
  });
}
extern "C" __global__ void allowImpossibleTokens(ListedTokens list, int64_t group, const uint8_t* possible,
                                                 float* scores) {
  forEntries(list, [&](int64_t, int64_t row, int64_t token) {
    if (!possible[row / group]) scores[row * list.vocabulary + token] = 0;
  });
}

// In three passes: which rows are listed, −inf over these, 0 for their tokens.
extern "C" __global__ void markRows(ListedTokens list, uint8_t* marks) {
  forEntries(list, [&](int64_t, int64_t row, int64_t) { marks[row] = 1; });
}
extern "C" __global__ void copyUnmarkedRows(LogitRows logits, const uint8_t* marks, float* scores) {
  for (int64_t row = blockIdx.y; row < logits.rows; row += gridDim.y) {
    const bool marked = marks[row];
    for (int64_t c = globalThread(); c < logits.vocabulary; c += globalThreads()) {
      scores[row * logits.vocabulary + c] = marked ? -INFINITY : logitAt(logits, row, c);
    }
  }
}
extern "C" __global__ void forceTokens(ListedTokens list, float* scores) {
  forEntries(list, [&](int64_t, int64_t row, int64_t token) { scores[row * list.vocabulary + token] = 0; });
}

// l + |l| · factor, of entries for one score the last one's. What is banned stays so: −inf + inf would be a NaN.
extern "C" __global__ void boostTokens(ListedTokens list, LogitRows logits, const float* factors, float* scores) {
  forEntries(list, [&](int64_t i, int64_t row, int64_t token) {
    for (int64_t j = i + 1; j < list.count; ++j) {
      if (same(list, i, j)) return;
    }
    const float l = logitAt(logits, row, token);
    // Rounded after the product, as on the CPU.
    if (l != -INFINITY) scores[row * list.vocabulary + token] = l + __fmul_rn(fabsf(l), factors[i]);
  });
}

// 0 for NaN, the largest finite values for infinities; from the logits.
extern "C" __global__ void replaceNonFinite(LogitRows logits, float* scores) {
  constexpr float kMost = 0x1.fffffep127f;
  for (int64_t row = blockIdx.y; row < logits.rows; row += gridDim.y) {
    for (int64_t c = globalThread(); c < logits.vocabulary; c += globalThreads()) {
      const float l = logitAt(logits, row, c);
      scores[row * logits.vocabulary + c] = l != l ? 0.f : fminf(fmaxf(l, -kMost), kMost);
    }
  }
}
