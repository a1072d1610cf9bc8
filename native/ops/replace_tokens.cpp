// ELECTRA's token replacement: samples from the generator's distribution at masked positions.
// native/cpu/token_sampler.h has the contract of the draw.
#include "cpu/kernels.h"
#include "ops/families.h"
#include "ops/vocabulary.h"

namespace duo {
namespace {

// For each worker the partial sums of a row.
size_t replaceWorkspace(const OpCall& call) {
  return size_t(cpu::scratchSlots()) * size_t(2 * vocabBlocks(call.dim("V"))) * sizeof(float);
}

std::vector<AttrSpec> samplingAttrs() {
  return {{"temperature", AttrType::kFloat, 1, 1e-6, 1e6},
          {"disallowCorrect", AttrType::kBool, 0},
          {"seed", AttrType::kInt, std::nullopt, 0},
          {"site", AttrType::kInt, 0, 0, 4294967295.},
          {"step", AttrType::kInt, 0, 0, 4294967295.}};
}

}  // namespace

void registerReplaceTokens(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "replaceTokens",
      .inputs = {{"logits", "M V", Kind::kFloat, Layout::kRows},
                 {"originalIds", "N", Kind::kInt32},
                 {"maskedPositions", "M", Kind::kInt32}},
      .attrs = samplingAttrs(),
      .outputs = {{"corruptedIds", "N", nullptr, DType::kInt32},
                  {"isReplaced", "N", nullptr, DType::kUint8},
                  {"sampledIds", "M", nullptr, DType::kInt32}},
      .workspace = replaceWorkspace,
      .cpu = cpu::replaceTokens,
  });
}

}  // namespace duo
