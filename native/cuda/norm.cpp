// Launchers of the norms, and of dropout by itself, which goes over rows as they do.
#include <algorithm>

#include "cuda/kernels.h"
#include "cuda/kernels/norm_params.h"
#include "cuda/launch.h"
#include "cuda/row_walk.h"
#include "cuda/tuning.h"
#include "ops/dropout.h"

namespace duo::cuda {
namespace {

// One group of columns a thread, so that a row stays in registers.
unsigned threadsFor(int64_t columns) { return threadsForColumns(columns, kNormThreads); }

NormParams paramsOf(const OpCall& call, int64_t rows, int64_t columns) {
  const Dropout dropout(call);
  NormParams p{};
  p.rows = rows, p.columns = columns;
  p.seed = dropout.at.seed, p.site = dropout.at.site, p.step = dropout.at.step;
  if (dropout.active()) p.threshold = dropout.rule.threshold, p.scale = dropout.rule.scale;
  return p;
}

void forward(Launch& launch, const char* name, bool centered) {
  const OpCall& call = launch.call;
  const TensorArg &x = call.in("x"), &residual = call.in("residual");
  const int64_t columns = call.dim("D"), rows = call.rest.count();
  if (rows == 0) return;
  Operands16 operands(columns);
  const auto in = [&](const char* which) { return operands.add(call.has(which), call.in(which)); };
  const auto out = [&](const char* which) { return operands.add(call.wants(which), call.out(which)); };
  void *from = in("x"), *more = in("residual"), *weight = in("weight"), *y = out("y"), *sum = out("h");
  void* bias = centered ? in("bias") : nullptr;
  NormParams p = paramsOf(call, rows, columns);
  p.eps = call.f32("eps");
  p.vectors = operands.vectors();
  p.first = rowWalkOf(x);
  if (residual.present) p.second = rowWalkOf(residual);
  const std::string kernel = kernelName(name, x.dtype);
  // Blocks that run at the same time go on to further rows: they read the weights once.
  constexpr unsigned kBlocksOfProcessor = 16;
  const Dim3 grid{blocksFor(rows, 1, kBlocksOfProcessor * unsigned(std::max(launch.limits.multiprocessors, 1)))};
  if (centered) {
    launch.run(kernel, grid, threadsFor(columns), 0, from, more, weight, bias, y, sum, call.out("mean").data,
               call.out("rstd").data, p);
  } else {
    launch.run(kernel, grid, threadsFor(columns), 0, from, more, weight, y, sum, call.out("rstd").data, p);
  }
}

int64_t chunksOf(const OpCall& call, const Limits& limits) { return rowChunks(call.rest.count(), 1, limits); }

size_t backwardBytes(const OpCall& call, const Limits& limits, int gradients) {
  return size_t(chunksOf(call, limits)) * size_t(call.dim("D")) * size_t(gradients) * sizeof(float);
}

void backward(Launch& launch, const char* name, bool centered) {
  const OpCall& call = launch.call;
  const int64_t columns = call.dim("D"), rows = call.rest.count();
  const int64_t height = ceilDivide(std::max<int64_t>(rows, 1), chunksOf(call, launch.limits));
  // Chunks with a row: the last ones may have none.
  const int64_t chunks = ceilDivide(rows, height);
  float* sums = launch.scratch<float>();
  if (rows > 0 && columns > 0) {
    Operands16 operands(columns);
    const auto in = [&](const char* which) { return operands.add(call.has(which), call.in(which)); };
    const auto out = [&](const char* which) { return operands.add(call.wants(which), call.out(which)); };
    void *h = in("h"), *weight = in("weight"), *dY = in("dY"), *more = in("dHOut"), *dH = out("dH"), *dX = out("dX");
    NormParams p = paramsOf(call, rows, columns);
    p.vectors = operands.vectors();
    p.first = rowWalkOf(call.in("h")), p.second = rowWalkOf(call.in("dY"));
    if (more) p.third = rowWalkOf(call.in("dHOut"));
    const std::string kernel = kernelName(name, call.in("h").dtype);
    const void* rstd = call.in("rstd").data;
    if (centered) {
      launch.run(kernel, {unsigned(chunks)}, threadsFor(columns), 0, h, weight, call.in("mean").data, rstd, dY, more,
                 dH, dX, sums, p, height);
    } else {
      launch.run(kernel, {unsigned(chunks)}, threadsFor(columns), 0, h, weight, rstd, dY, more, dH, dX, sums, p,
                 height);
    }
  }
  if (columns == 0) return;
  const auto total = [&](const char* output, float* from) {
    launch.run("columnSums", {blocksFor(columns, 128)}, 128, 0, from, call.out(output).data, chunks, columns);
  };
  total("dWeight", sums);
  if (centered) total("dBias", sums + chunks * columns);
}

}  // namespace

namespace workspaces {
size_t rmsNormBwd(const OpCall& call, const Limits& limits) { return backwardBytes(call, limits, 1); }
size_t layerNormBwd(const OpCall& call, const Limits& limits) { return backwardBytes(call, limits, 2); }
}  // namespace workspaces

namespace launchers {

void rmsNorm(Launch& launch) { forward(launch, "rmsNorm", false); }
void layerNorm(Launch& launch) { forward(launch, "layerNorm", true); }
void rmsNormBwd(Launch& launch) { backward(launch, "rmsNormBwd", false); }
void layerNormBwd(Launch& launch) { backward(launch, "layerNormBwd", true); }

void dropout(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &y = launch.call.out("y");
  if (x.count() == 0) return;
  const int64_t columns = x.dims.rank() ? x.dims.back() : 1, rows = x.count() / columns;
  Operands16 operands(columns);
  const void* from = operands.add(true, x);
  void* to = operands.add(true, y);
  NormParams p = paramsOf(launch.call, rows, columns);
  p.vectors = operands.vectors();
  p.first = rowWalkOf(x);
  launch.run(kernelName("dropout", x.dtype), {blocksFor(rows * ceilDivide(columns, kColumns), 128)}, 128, 0, from, to,
             p);
}

}  // namespace launchers
}  // namespace duo::cuda
