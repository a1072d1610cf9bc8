// Every op family, one line each; a family appends its definitions to the registry.
#pragma once
#include <vector>

#include "ops/registry.h"

namespace duo {

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
