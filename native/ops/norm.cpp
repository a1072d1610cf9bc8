// RMSNorm and LayerNorm over the last dimension, with what comes before them in a transformer fused in:
//   h = residual + dropout(x)     y = norm(h)
// h is an output where it differs from x: the next layer adds to it, and backward starts from it.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/dropout.h"
#include "ops/families.h"
#include "ops/row_blocks.h"

namespace duo {
namespace {

std::vector<OutputShape> forwardShapes(const OpCall& call) {
  const TensorArg& x = call.in("x");
  const bool fused = call.has("residual") || Dropout(call).active();
  std::vector<OutputShape> shapes = {{x.dims, x.dtype}, {x.dims, x.dtype, fused}, {call.rest}};
  if (call.def.outputs.size() > shapes.size()) shapes.push_back({call.rest});
  return shapes;
}

std::vector<OutputShape> backwardShapes(const OpCall& call) {
  const TensorArg& h = call.in("h");
  std::vector<OutputShape> shapes = {
      {h.dims, h.dtype}, {h.dims, h.dtype, Dropout(call).active()}, {call.in("weight").dims}};
  if (call.def.outputs.size() > shapes.size()) shapes.push_back({call.in("weight").dims});
  return shapes;
}

size_t partialBytes(const OpCall& call) {
  const int64_t columns = call.dim("D"), gradients = int64_t(call.def.outputs.size()) - 2;
  return RowBlocks(call.rest.count(), columns).bytes() * size_t(gradients);
}

const AttrSpec kEps = {"eps", AttrType::kFloat, std::nullopt, 0, 1};

}  // namespace

void registerNorm(std::vector<OpDef>& ops) {
  const InputSpec x = {"x", "... D", Kind::kFloat, Layout::kRows}, h = {"h", "... D", Kind::kFloat, Layout::kRows},
                  residual = {"residual", "... D", Kind::kFloat, Layout::kRows, true},
                  dY = {"dY", "... D", Kind::kFloat, Layout::kRows},
                  // What reached the output h from the layers after this one.
      dHOut = {"dHOut", "... D", Kind::kFloat, Layout::kRows, true}, weight = {"weight", "D"}, bias = {"bias", "D"},
                  rstd = {"rstd", "...", Kind::kFloat32}, mean = {"mean", "...", Kind::kFloat32};
  const OutputSpec hOut = {.name = "h", .optional = true}, dX = {.name = "dX", .optional = true};
  ops.push_back({
      .name = "rmsNorm",  // y = weight · h · rstd, rstd = 1/√(mean(h²) + eps)
      .inputs = {x, residual, weight},
      .attrs = withDropout({kEps}),
      .outputs = {{"y"}, hOut, {"rstd"}},
      .shapes = forwardShapes,
      .cpu = cpu::rmsNorm,
      .cuda = cuda::rmsNorm,
  });
  ops.push_back({
      .name = "rmsNormBwd",  // dH is the gradient of residual, too; dX is left out where it is dH
      .inputs = {h, weight, rstd, dY, dHOut},
      .attrs = withDropout({}),
      .outputs = {{"dH"}, dX, {"dWeight"}},
      .shapes = backwardShapes,
      .workspace = partialBytes,
      .cpu = cpu::rmsNormBwd,
      .cuda = cuda::rmsNormBwd,
  });
  ops.push_back({
      .name = "layerNorm",  // y = weight · (h − mean) · rstd + bias, rstd = 1/√(variance(h) + eps), biased variance
      .inputs = {x, residual, weight, bias},
      .attrs = withDropout({kEps}),
      .outputs = {{"y"}, hOut, {"mean"}, {"rstd"}},
      .shapes = forwardShapes,
      .cpu = cpu::layerNorm,
      .cuda = cuda::layerNorm,
  });
  ops.push_back({
      .name = "layerNormBwd",
      .inputs = {h, weight, mean, rstd, dY, dHOut},
      .attrs = withDropout({}),
      .outputs = {{"dH"}, dX, {"dWeight"}, {"dBias"}},
      .shapes = backwardShapes,
      .workspace = partialBytes,
      .cpu = cpu::layerNormBwd,
      .cuda = cuda::layerNormBwd,
  });
}

}  // namespace duo
