// Every op family, one line each: registerX, in native/ops/x.cpp, appends its definitions to the registry.
#pragma once
#include <vector>

#include "ops/registry.h"

// clang-format off
#define DUO_OP_FAMILIES(FAMILY) \
  FAMILY(Attention)             \
  FAMILY(AttentionDecode)       \
  FAMILY(Elementwise)           \
  FAMILY(Reduce)                \
  FAMILY(Activation)            \
  FAMILY(Dropout)               \
  FAMILY(Gemm)                  \
  FAMILY(LinearArgmax)          \
  FAMILY(SparseLinear)          \
  FAMILY(CrossEntropy)          \
  FAMILY(BinaryCrossEntropy)    \
  FAMILY(ReplaceTokens)         \
  FAMILY(Optimizer)             \
  FAMILY(Norm)                  \
  FAMILY(Softmax)               \
  FAMILY(Rows)                  \
  FAMILY(Sampling)              \
  FAMILY(AdjustLogits)
// clang-format on

namespace duo {

#define DUO_DECLARE(Family) void register##Family(std::vector<OpDef>& ops);
DUO_OP_FAMILIES(DUO_DECLARE)
#undef DUO_DECLARE

}  // namespace duo
