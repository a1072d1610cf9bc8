// How linearArgmax is cut, and the memory that takes.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu/gemm/plan.h"
#include "ops/registry.h"

namespace duo::cpu {

// Tokens that a thread takes at a time: their codes, at 512 inputs 256 KiB, come from memory once for all rows.
constexpr int64_t kArgmaxBlock = 512;

constexpr int64_t argmaxBlocks(int64_t tokens) { return ceilDiv(tokens, kArgmaxBlock); }

// Of one row and block: what no best token is below, what no token is above, the best one.
struct ArgmaxBlock {
  float floor, ceiling;
  float value;
  int32_t id;
};

// A record for each row and block, then for each row all tokens' approximate logits.
inline size_t linearArgmaxBytes(const OpCall& call) {
  const int64_t rows = call.dim("R"), tokens = call.dim("V");
  return size_t(rows) * (size_t(argmaxBlocks(tokens)) * sizeof(ArgmaxBlock) + size_t(tokens) * sizeof(float));
}

}  // namespace duo::cpu
