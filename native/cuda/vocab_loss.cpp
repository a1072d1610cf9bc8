// Launchers of losses over given logits, and of the draw of replacement tokens from them.
#include "cuda/vocab_loss.h"

#include <cmath>

#include "cuda/kernels.h"
#include "cuda/logit_rows.h"
#include "cuda/room.h"
#include "ops/vocabulary.h"

namespace duo::cuda {
namespace {

static_assert(kVocabColumns == kVocabBlock);

LossReduction reductionOf(const OpCall& call) { return LossReduction(call.integer("reduction")); }

const void* dataOf(const OpCall& call, const char* name) { return call.has(name) ? call.in(name).data : nullptr; }

VocabRows rowsOf(const Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg& logits = call.in("logits");
  VocabRows rows = vocabRowsOf(launch, call.dim("N"), call.dim("V"));
  rows.logits = logits.data;
  rows.stride = logits.strides[0];
  rows.labels = call.in("labels").i32();
  rows.weights = dataOf(call, "weights");
  rows.ignoreIndex = call.integer("ignoreIndex");
  rows.rule = vocabRuleOf(call, rows.v);
  return rows;
}

}  // namespace

size_t vocabShared(int64_t v) {
  constexpr size_t kWarp = 32;
  return kWarp * (sizeof(double) + sizeof(float)) +
         (size_t(kVocabColumns) + 3 * size_t(vocabBlocks(v))) * sizeof(float);
}

VocabRows vocabRowsOf(const Launch& launch, int64_t rows, int64_t v) {
  VocabRows result{};
  result.rows = rows, result.v = v;
  result.rule = {1, 0, 0, 0};
  result.reporter = reporterOf(launch);
  return result;
}

VocabRule vocabRuleOf(const OpCall& call, int64_t v) {
  const double smoothing = call.number("labelSmoothing");
  const bool t5x = call.integer("smoothing") == 1;
  VocabRule rule{1, 0, 0, call.number("zLoss")};
  if (smoothing == 0) return rule;
  rule.everywhere = t5x ? smoothing / double(v - 1) : smoothing / double(v);
  rule.onLabel = t5x ? 1 - smoothing - rule.everywhere : 1 - smoothing;
  if (t5x) {
    rule.entropy = -((1 - smoothing) * std::log(1 - smoothing) + smoothing * std::log(rule.everywhere));
  }
  return rule;
}

VocabDraw vocabDrawOf(const OpCall& call) {
  VocabDraw draw{};
  draw.seed = uint64_t(call.integer("seed"));
  draw.site = uint32_t(call.integer("site"));
  draw.step = uint32_t(call.integer("step"));
  draw.inverseTemperature = float(1 / call.number("temperature"));
  draw.disallowCorrect = call.flag("disallowCorrect");
  draw.originalIds = call.in("originalIds").i32();
  draw.positions = call.in("maskedPositions").i32();
  draw.numTokens = call.dim("N");
  draw.sampled = call.out("sampledIds").as<int32_t>();
  return draw;
}

void findScale(Launch& launch, DType type, const VocabRows& rows, LossReduction reduction, float* scale) {
  const bool mean = reduction == LossReduction::kMean || reduction == LossReduction::kWeighted;
  launch.run(kernelName("lossScale", type), {1}, kVocabThreads, 0, rows, int(mean), scale);
}

void addLosses(Launch& launch, DType type, const VocabRows& rows, void* loss) {
  launch.run(kernelName("lossSum", type), {1}, kVocabThreads, 0, rows, loss);
}

void replacementLabels(Launch& launch, const VocabDraw& draw, int64_t rows, int64_t v, int32_t* labels,
                       int32_t* owners) {
  launch.zero(owners, size_t(draw.numTokens) * sizeof(int32_t));
  if (rows == 0) return;
  launch.run("replacementLabels", {blocksFor(rows, kVocabThreads)}, kVocabThreads, 0, draw, rows, v, labels, owners,
             reporterOf(launch));
}

void writeReplacements(Launch& launch, const VocabDraw& draw, const int32_t* owners) {
  if (draw.numTokens == 0) return;
  launch.run("writeReplacements", {blocksFor(draw.numTokens, kVocabThreads)}, kVocabThreads, 0, draw, owners,
             launch.call.out("corruptedIds").data, launch.call.out("isReplaced").data);
}

namespace workspaces {

size_t crossEntropyFwd(const OpCall& call, const Limits&) {
  return reductionOf(call) == LossReduction::kNone ? 0 : size_t(call.dim("N")) * sizeof(float);
}

// A label of each row, and a number for each token.
size_t replaceTokens(const OpCall& call, const Limits&) {
  return alignedSize(size_t(call.dim("M")) * sizeof(int32_t)) + alignedSize(size_t(call.dim("N")) * sizeof(int32_t));
}

}  // namespace workspaces

namespace launchers {

void crossEntropyFwd(Launch& launch) {
  const OpCall& call = launch.call;
  const LossReduction reduction = reductionOf(call);
  const DType type = call.in("logits").dtype;
  VocabRows rows = rowsOf(launch);
  rows.losses = reduction == LossReduction::kNone ? call.out("loss").f32() : launch.scratch<float>();
  rows.lse = call.out("lse").f32();
  rows.scale = call.out("scale").f32();
  findScale(launch, type, rows, reduction, call.out("scale").f32());
  if (rows.rows > 0) {
    launch.run(kernelName("vocabLoss", type), {blocksFor(rows.rows, 1)}, kVocabThreads, vocabShared(rows.v), rows,
               VocabDraw{});
  }
  if (reduction != LossReduction::kNone) addLosses(launch, type, rows, call.out("loss").data);
}

void crossEntropyBwd(Launch& launch) {
  const OpCall& call = launch.call;
  VocabRows rows = rowsOf(launch);
  if (rows.rows == 0) return;
  rows.lse = call.in("lse").f32();
  rows.scale = call.in("scale").f32();
  rows.upstream = call.in("dLoss").data;
  rows.upstreamByRow = reductionOf(call) == LossReduction::kNone;
  rows.gradient = call.out("dLogits").data;
  rows.gradientStride = rows.v;
  launch.run(kernelName("vocabLossBwd", call.in("logits").dtype), {blocksFor(rows.rows, 1)}, kVocabThreads, 0, rows);
}

void replaceTokens(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg& logits = call.in("logits");
  const VocabDraw draw = vocabDrawOf(call);
  VocabRows rows = vocabRowsOf(launch, call.dim("M"), call.dim("V"));
  Room room(launch.workspace);
  auto* labels = room.take<int32_t>(size_t(rows.rows));
  auto* owners = room.take<int32_t>(size_t(draw.numTokens));
  rows.logits = logits.data, rows.stride = logits.strides[0];
  rows.labels = labels;
  replacementLabels(launch, draw, rows.rows, rows.v, labels, owners);
  if (rows.rows > 0) {
    launch.run(kernelName("vocabDraw", logits.dtype), {blocksFor(rows.rows, 1)}, kVocabThreads, vocabShared(rows.v),
               rows, draw);
  }
  writeReplacements(launch, draw, owners);
}

}  // namespace launchers
}  // namespace duo::cuda
