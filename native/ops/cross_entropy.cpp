// Softmax cross-entropy over a vocabulary.
#include "cpu/kernels.h"
#include "cpu/linear_loss_plan.h"
#include "cuda/kernels.h"
#include "ops/families.h"
#include "ops/linear_loss.h"
#include "ops/vocabulary.h"

namespace duo {
namespace {

enum Reduction { kMean, kSum, kNone, kWeighted };

void checkLoss(const OpCall& call) {
  const bool weighted = call.integer("reduction") == kWeighted;
  call.expect(call.has("weights") == weighted, ErrorCode::kConfig, weighted ? "weights" : "no weights",
              weighted ? "reduction weighted without them" : "weights without reduction weighted");
  const bool t5x = call.integer("smoothing") == 1 && call.number("labelSmoothing") > 0;
  call.expect(!t5x || call.dim("V") > 1, ErrorCode::kShape, "at least two classes to smooth over", "one");
}

Dims lossDims(const OpCall& call) { return call.integer("reduction") == kNone ? Dims{call.dim("N")} : Dims{}; }

std::vector<OutputShape> forwardShapes(const OpCall& call) {
  return {{lossDims(call)}, {{call.dim("N"), 2}}, {Dims{}}};
}

void checkBackward(const OpCall& call) {
  checkLoss(call);
  call.expectShape("dLoss", lossDims(call));
}

// A float for each row's loss, and for each worker the partial sums of a row.
size_t forwardWorkspace(const OpCall& call) {
  return size_t(call.dim("N") + cpu::scratchSlots() * rowSumFloats(call.dim("V"))) * sizeof(float);
}

std::vector<OutputShape> linearShapes(const OpCall& call) {
  return {{lossDims(call)},
          {call.in("x").dims, DType::kFloat32, call.flag("gradX")},
          {call.in("weight").dims, DType::kFloat32, call.flag("gradWeight")},
          {{call.dim("V")}, DType::kFloat32, call.flag("gradBias")}};
}

size_t linearWorkspace(const OpCall& call) { return cpu::LinearLossPlan(call).bytes(); }

std::vector<AttrSpec> lossAttrs() {
  return {{"ignoreIndex", AttrType::kInt, -100, -2147483648., 2147483647.},
          {"labelSmoothing", AttrType::kFloat, 0, 0, 0.999999},
          {"smoothing", AttrType::kEnum, 0, 0, 0, {"uniform", "t5x"}},
          {"zLoss", AttrType::kFloat, 0, 0, 1e6},
          {"reduction", AttrType::kEnum, 0, 0, 0, {"mean", "sum", "none", "weighted"}}};
}

}  // namespace

void registerCrossEntropy(std::vector<OpDef>& ops) {
  const InputSpec labels = {"labels", "N", Kind::kInt32};
  const InputSpec weights = {.name = "weights", .dims = "N", .optional = true};
  ops.push_back({
      .name = "crossEntropyFwd",  // lse as max and log Σ exp(l − max); scale: what the reduction multiplies rows with
      .inputs = {{"logits", "N V", Kind::kFloat, Layout::kRows}, labels, weights},
      .attrs = lossAttrs(),
      .outputs = {{"loss"}, {"lse"}, {"scale"}},
      .check = checkLoss,
      .shapes = forwardShapes,
      .workspace = forwardWorkspace,
      .cpu = cpu::crossEntropyFwd,
      .cuda = cuda::crossEntropyFwd,
  });
  ops.push_back({
      .name = "crossEntropyBwd",
      .inputs = {{"logits", "N V", Kind::kFloat, Layout::kRows},
                 labels,
                 weights,
                 {"lse", "N 2", Kind::kFloat32},
                 {"scale", "", Kind::kFloat32},
                 {"dLoss", "*", Kind::kFloat32}},
      .attrs = lossAttrs(),
      .outputs = {{"dLogits", "N V", "logits"}},
      .check = checkBackward,
      .cpu = cpu::crossEntropyBwd,
      .cuda = cuda::crossEntropyBwd,
  });
  std::vector<AttrSpec> linearAttrs = lossAttrs();
  for (const char* name : {"gradX", "gradWeight", "gradBias"}) linearAttrs.push_back({name, AttrType::kBool, 0});
  ops.push_back({
      .name = "linearCrossEntropy",  // of logits x·Wᵀ + bias; dLoss: upstream gradient of each row, for reduction none
      .inputs = {{"x", "N K", Kind::kFloat, Layout::kRows},
                 {"weight", "V K", Kind::kFloat, Layout::kRows},
                 {.name = "bias", .dims = "V", .optional = true},
                 labels,
                 weights,
                 {.name = "dLoss", .dims = "N", .kind = Kind::kFloat32, .optional = true}},
      .attrs = linearAttrs,
      .outputs = {{"loss"},
                  {.name = "dX", .optional = true},
                  {.name = "dWeight", .optional = true},
                  {.name = "dBias", .optional = true}},
      .check = checkLoss,
      .shapes = linearShapes,
      .workspace = linearWorkspace,
      .flops = linearLossFlops,
      .cpu = cpu::linearCrossEntropy,
      .cuda = cuda::linearCrossEntropy,
  });
}

}  // namespace duo
