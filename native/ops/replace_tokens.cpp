// ELECTRA's token replacement: samples from the generator's distribution at masked positions.
// native/cpu/token_sampler.h has the contract of the draw.
#include "cpu/kernels.h"
#include "cpu/linear_loss_plan.h"
#include "cuda/kernels.h"
#include "ops/families.h"
#include "ops/linear_loss.h"
#include "ops/vocabulary.h"

namespace duo {
namespace {

constexpr char kDrawable[] = "logits that are finite or -inf, with at least one token to draw";

// For each worker the partial sums of a row.
size_t replaceWorkspace(const OpCall& call) {
  return size_t(cpu::scratchSlots()) * size_t(rowSumFloats(call.dim("V"))) * sizeof(float);
}

std::vector<AttrSpec> samplingAttrs() {
  return {{"temperature", AttrType::kFloat, 1, 1e-6, 1e6},
          {"disallowCorrect", AttrType::kBool, 0},
          {"seed", AttrType::kInt, std::nullopt, 0},
          {"site", AttrType::kInt, 0, 0, 4294967295.},
          {"step", AttrType::kInt, 0, 0, 4294967295.}};
}

std::vector<OutputShape> objectiveShapes(const OpCall& call) {
  return {{Dims{}},
          {call.in("originalIds").dims, DType::kInt32},
          {call.in("originalIds").dims, DType::kUint8},
          {{call.dim("M")}, DType::kInt32},
          {call.in("x").dims, DType::kFloat32, call.flag("gradX")},
          {call.in("weight").dims, DType::kFloat32, call.flag("gradWeight")},
          {{call.dim("V")}, DType::kFloat32, call.flag("gradBias")}};
}

size_t objectiveWorkspace(const OpCall& call) { return cpu::LinearLossPlan(call).bytes(); }

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
      .usableRows = kDrawable,
      .cpu = cpu::replaceTokens,
      .cuda = cuda::replaceTokens,
  });
  std::vector<AttrSpec> attrs = samplingAttrs();
  for (const char* name : {"gradX", "gradWeight", "gradBias"}) attrs.push_back({name, AttrType::kBool, 0});
  ops.push_back({
      .name = "generatorObjective",  // masked-language-model loss of logits x·Wᵀ + bias, and samples from the same sums
      .inputs = {{"x", "M K", Kind::kFloat, Layout::kRows},
                 {"weight", "V K", Kind::kFloat, Layout::kRows},
                 {.name = "bias", .dims = "V", .optional = true},
                 {"originalIds", "N", Kind::kInt32},
                 {"maskedPositions", "M", Kind::kInt32},
                 {.name = "weights", .dims = "M", .optional = true}},
      .attrs = attrs,
      .outputs = {{"loss"},
                  {"corruptedIds"},
                  {"isReplaced"},
                  {"sampledIds"},
                  {.name = "dX", .optional = true},
                  {.name = "dWeight", .optional = true},
                  {.name = "dBias", .optional = true}},
      .shapes = objectiveShapes,
      .workspace = objectiveWorkspace,
      .usableRows = kDrawable,
      .flops = linearLossFlops,
      .cpu = cpu::generatorObjective,
      .cuda = cuda::generatorObjective,
  });
}

}  // namespace duo
