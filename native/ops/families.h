// Every op family, one line each: registerX, in native/ops/x.cpp, appends its definitions to the registry.
#pragma once
#include <vector>

#include "ops/registry.h"

// clang-format off
#define DUO_OP_FAMILIES(FAMILY) \
  FAMILY(Attention)             \
  FAMILY(Elementwise)           \
  FAMILY(Reduce)                \
  FAMILY(Activation)            \
  FAMILY(Dropout)               \
  FAMILY(Gemm)                  \
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
void registerAttention(std::vector<OpDef>& ops);
void registerAttentionDecode(std::vector<OpDef>& ops);
void registerElementwise(std::vector<OpDef>& ops);
void registerReduce(std::vector<OpDef>& ops);
void registerActivation(std::vector<OpDef>& ops);
void registerDropout(std::vector<OpDef>& ops);
void registerGemm(std::vector<OpDef>& ops);
void registerCrossEntropy(std::vector<OpDef>& ops);
void registerBinaryCrossEntropy(std::vector<OpDef>& ops);
void registerReplaceTokens(std::vector<OpDef>& ops);
void registerOptimizer(std::vector<OpDef>& ops);
void registerNorm(std::vector<OpDef>& ops);
void registerSoftmax(std::vector<OpDef>& ops);
void registerRows(std::vector<OpDef>& ops);
void registerSampling(std::vector<OpDef>& ops);

}  // namespace duo
