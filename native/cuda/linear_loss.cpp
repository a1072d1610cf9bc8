// Launchers of the losses that multiply by the vocabulary themselves, with their gradients in the same sweep: for each
// block of tokens the logits in float32, their losses and gradients, and what these add to dX, dWeight and dBias. The
// logits are never held whole. Blocks follow each other, so that sums do not change from run to run.
#include "cuda/gemm_product.h"
#include "cuda/kernels.h"
#include "cuda/room.h"
#include "cuda/vocab_loss.h"

namespace duo::cuda {
namespace {

constexpr int64_t kLineUnit = 8;  // 16-bit elements in 16 bytes

// Parts of the workspace, and the products of a block of tokens.
struct Plan {
  const OpCall& call;
  const TensorArg &x, &weight;
  int64_t n, k, v, block, line;
  bool wide, wantsGradient;

  explicit Plan(const OpCall& call)
      : call(call),
        x(call.in("x")),
        weight(call.in("weight")),
        n(x.dims[0]),
        k(call.dim("K")),
        v(call.dim("V")),
        block(linearLossRows(n, v)),
        line(roundUpTo(v, kLineUnit)),
        wide(x.dtype == DType::kFloat32),
        wantsGradient(call.wants("dX") || call.wants("dWeight") || call.wants("dBias")) {}

  Matrices rowsOfX(int64_t begin, int64_t rows) const {
    Matrices m = matricesOf(x);
    m.rows = rows;
    m.data = static_cast<const char*>(x.data) + begin * x.strides[0] * int64_t(sizeOf(x.dtype));
    return m;
  }
  // The gradient of a block: float32 ones take the place of the logits.
  Matrices gradient(const void* data, int64_t rows) const {
    const int64_t stride = wide ? v : line;
    return {.data = data, .rows = rows, .columns = v, .rowStride = stride, .readable = stride};
  }
  Product product(const Matrices& a, const Matrices& b) const {
    return {.dtype = x.dtype, .tf32 = call.tf32, .a = a, .b = b};
  }
  Product logits(int64_t begin, int64_t rows) const {
    return product(rowsOfX(begin, rows), matricesOf(weight).transposed());
  }
  Product toX(const void* g, int64_t rows) const { return product(gradient(g, rows), matricesOf(weight)); }
  Product toWeight(const void* g, int64_t begin, int64_t rows) const {
    return product(gradient(g, rows).transposed(), rowsOfX(begin, rows));
  }

  size_t productBytes(const Limits& limits) const {
    size_t most = 0;
    // The last block may be cut otherwise.
    for (const int64_t rows : {block, n % std::max<int64_t>(block, 1)}) {
      if (rows == 0) continue;
      most = std::max(most, productWorkspace(logits(0, rows), limits));
      if (call.wants("dX")) most = std::max(most, productWorkspace(toX(nullptr, rows), limits));
      if (call.wants("dWeight")) most = std::max(most, productWorkspace(toWeight(nullptr, 0, rows), limits));
    }
    return most;
  }
  size_t logitBytes() const { return alignedSize(size_t(block * v) * sizeof(float)); }
  size_t gradientBytes() const { return wide || !wantsGradient ? 0 : alignedSize(size_t(block * line) * 2); }
  size_t bytes(const Limits& limits) const {
    return logitBytes() + gradientBytes() + alignedSize(size_t(n) * sizeof(float)) + alignedSize(sizeof(float)) +
           productBytes(limits);
  }
};

GemmEpilogue sumsInto(float* to, int64_t columns, bool add) {
  GemmEpilogue e{};
  e.alpha = 1;
  e.sums = to, e.line = columns, e.add = add;
  e.vectors = columns % 4 == 0 && liesAt16Bytes(to);
  return e;
}

// Runs `kernel` over all rows. `rows`: labels, weights and rule; `losses` null: into scratch memory, and their
// reduction into the output.
void sweep(Launch& launch, const Plan& plan, const char* kernel, VocabRows rows, VocabDraw draw,
           LossReduction reduction, Room& room) {
  const OpCall& call = launch.call;
  const DType type = plan.x.dtype;
  auto* logits = room.take<float>(size_t(plan.block * plan.v));
  void* gradient = plan.wide ? static_cast<void*>(logits) : nullptr;
  if (plan.gradientBytes()) gradient = room.take<uint16_t>(size_t(plan.block * plan.line));
  auto* scratchLosses = room.take<float>(size_t(plan.n));
  auto* scale = room.take<float>(1);
  float* losses = reduction == LossReduction::kNone ? call.out("loss").f32() : scratchLosses;
  rows.scale = scale;
  findScale(launch, type, rows, reduction, scale);

  const size_t element = sizeOf(type);
  for (int64_t begin = 0; begin < plan.n; begin += plan.block) {
    const int64_t count = std::min(plan.block, plan.n - begin);
    multiply(launch, plan.logits(begin, count), sumsInto(logits, plan.v, false), room.rest());
    VocabRows part = rows;
    part.rows = count;
    part.logits = logits, part.stride = plan.v;
    part.bias = call.has("bias") ? call.in("bias").data : nullptr;
    part.labels = rows.labels + begin;
    if (rows.weights) part.weights = static_cast<const char*>(rows.weights) + size_t(begin) * element;
    if (rows.upstream) part.upstream = static_cast<const float*>(rows.upstream) + begin;
    part.losses = losses + begin;
    part.gradient = plan.wantsGradient ? gradient : nullptr;
    part.gradientStride = plan.wide ? plan.v : plan.line;
    draw.firstRow = begin;
    launch.run(kernelName(kernel, type), {blocksFor(count, 1)}, kVocabThreads, vocabShared(plan.v), part, draw);
    if (call.wants("dX")) {
      multiply(launch, plan.toX(gradient, count), sumsInto(call.out("dX").f32() + begin * plan.k, plan.k, false),
               room.rest());
    }
    if (call.wants("dWeight")) {
      multiply(launch, plan.toWeight(gradient, begin, count), sumsInto(call.out("dWeight").f32(), plan.k, begin > 0),
               room.rest());
    }
    if (call.wants("dBias")) {
      launch.run(kernelName("lossBias", type), {blocksFor(plan.v, kVocabThreads)}, kVocabThreads, 0, gradient, count,
                 plan.v, part.gradientStride, int(begin > 0), call.out("dBias").data);
    }
  }
  if (plan.n == 0) {
    if (call.wants("dWeight")) launch.zero(call.out("dWeight").data, size_t(plan.v * plan.k) * sizeof(float));
    if (call.wants("dBias")) launch.zero(call.out("dBias").data, size_t(plan.v) * sizeof(float));
  }
  rows.losses = losses;
  if (reduction != LossReduction::kNone) addLosses(launch, type, rows, call.out("loss").data);
}

}  // namespace

namespace workspaces {

size_t linearCrossEntropy(const OpCall& call, const Limits& limits) { return Plan(call).bytes(limits); }
size_t generatorObjective(const OpCall& call, const Limits& limits) {
  return replaceTokens(call, limits) + Plan(call).bytes(limits);
}

}  // namespace workspaces

namespace launchers {

void linearCrossEntropy(Launch& launch) {
  const OpCall& call = launch.call;
  const Plan plan(call);
  VocabRows rows = vocabRowsOf(launch, plan.n, plan.v);
  rows.labels = call.in("labels").i32();
  rows.weights = call.has("weights") ? call.in("weights").data : nullptr;
  rows.ignoreIndex = call.integer("ignoreIndex");
  rows.rule = vocabRuleOf(call, plan.v);
  rows.upstream = call.has("dLoss") ? call.in("dLoss").data : nullptr;
  rows.upstreamByRow = 1;
  Room room(launch.workspace);
  sweep(launch, plan, "linearLoss", rows, {}, LossReduction(call.integer("reduction")), room);
}

void generatorObjective(Launch& launch) {
  const OpCall& call = launch.call;
  const Plan plan(call);
  const VocabDraw draw = vocabDrawOf(call);
  Room room(launch.workspace);
  auto* labels = room.take<int32_t>(size_t(plan.n));
  auto* owners = room.take<int32_t>(size_t(draw.numTokens));
  replacementLabels(launch, draw, plan.n, plan.v, labels, owners);
  VocabRows rows = vocabRowsOf(launch, plan.n, plan.v);
  rows.labels = labels;
  rows.weights = call.has("weights") ? call.in("weights").data : nullptr;
  rows.ignoreIndex = -1;  // what a bad position is labelled with
  sweep(launch, plan, "generatorLoss", rows, draw, LossReduction::kWeighted, room);
  writeReplacements(launch, draw, owners);
}

}  // namespace launchers
}  // namespace duo::cuda
