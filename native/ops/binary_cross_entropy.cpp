// Binary cross-entropy with logits, over any targets and as the discriminator's objective.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

// dLogits only where a gradient is wanted; the loss has the logits' shape when it is not reduced.
std::vector<OutputShape> shapesOf(const OpCall& call, bool reduced) {
  const TensorArg& logits = call.in("logits");
  return {{reduced ? Dims{} : logits.dims, DType::kFloat32, true}, {logits.dims, logits.dtype, call.flag("gradient")}};
}

std::vector<OutputShape> bceShapes(const OpCall& call) { return shapesOf(call, call.integer("reduction") != 2); }
std::vector<OutputShape> rtdShapes(const OpCall& call) { return shapesOf(call, true); }

// A float for each partial sum; no kernel sums fewer than 256 elements into one.
size_t partialSums(const OpCall& call) { return size_t(call.in("logits").count() / 256 + 1) * sizeof(float); }

}  // namespace

void registerBinaryCrossEntropy(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "bceWithLogits",  // loss and dLogits, the latter without the upstream gradient
      .inputs = {{"logits", "..."},
                 {"targets", "..."},
                 {.name = "mask", .dims = "...", .kind = Kind::kUint8, .optional = true}},
      .attrs = {{"reduction", AttrType::kEnum, 0, 0, 0, {"mean", "sum", "none"}}, {"gradient", AttrType::kBool, 0}},
      .outputs = {{"loss"}, {.name = "dLogits", .like = "logits", .optional = true}},
      .shapes = bceShapes,
      .workspace = partialSums,
      .cpu = cpu::bceWithLogits,
      .cuda = cuda::bceWithLogits,
  });
  ops.push_back({
      .name = "rtdLoss",  // mean over the packed tokens of binary cross-entropy against isReplaced
      .inputs = {{"logits", "N"},
                 {"isReplaced", "N", Kind::kUint8},
                 {.name = "mask", .dims = "N", .kind = Kind::kUint8, .optional = true}},
      .attrs = {{"gradient", AttrType::kBool, 0}},
      .outputs = {{"loss"}, {.name = "dLogits", .like = "logits", .optional = true}},
      .shapes = rtdShapes,
      .workspace = partialSums,
      .cpu = cpu::rtdLoss,
      .cuda = cuda::rtdLoss,
  });
}

}  // namespace duo
