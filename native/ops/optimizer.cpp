// Optimiser steps over all tensors of a parameter group in one call, and the global norm of their gradients.
#include "ops/optimizer.h"

#include <algorithm>
#include <numeric>

#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

InputSpec mutatedList(const char* name, Kind kind = Kind::kFloat32) {
  return {.name = name, .dims = "*", .kind = kind, .layout = Layout::kStrided, .list = true, .mutated = true};
}

// What every optimiser takes: master weights, gradients, and what may come with them. `shadows` are the 16-bit copies
// of the weights (none, or one for each). With `norm`, a step whose norm is not finite changes nothing; `skipped`
// counts such steps, once for each call that has `countSkip`, and they do not count as steps for the bias correction.
std::vector<InputSpec> optimizerInputs(std::initializer_list<const char*> states) {
  std::vector<InputSpec> inputs = {mutatedList("params"),
                                   {.name = "grads", .dims = "*", .kind = Kind::kFloat32, .list = true}};
  for (const char* state : states) inputs.push_back(mutatedList(state));
  inputs.push_back(mutatedList("shadows", Kind::kAny));
  inputs.push_back({.name = "norm", .dims = "", .kind = Kind::kFloat32, .optional = true});
  inputs.push_back({.name = "skipped", .dims = "", .kind = Kind::kInt32, .optional = true, .mutated = true});
  return inputs;
}

AttrSpec real(const char* name, std::optional<double> fallback, double min, double max) {
  return {name, AttrType::kFloat, fallback, min, max};
}
AttrSpec flag(const char* name, bool fallback) { return {name, AttrType::kBool, double(fallback)}; }

constexpr double kLarge = 1e30, kBelowOne = 1 - 1e-9;

std::vector<AttrSpec> optimizerAttrs(std::initializer_list<AttrSpec> own) {
  std::vector<AttrSpec> attrs = {real("lr", std::nullopt, 0, kLarge),
                                 {"step", AttrType::kInt, std::nullopt, 1},
                                 real("weightDecay", 0, 0, kLarge)};
  attrs.insert(attrs.end(), own);
  attrs.push_back(flag("countSkip", true));
  return attrs;
}

std::string at(const char* name, size_t i) { return std::string(name) + "[" + std::to_string(i) + "]"; }

void expectCount(const OpCall& call, const char* name, size_t count) {
  const size_t got = call.list(name).size();
  call.expect(got == count, ErrorCode::kShape, std::to_string(count) + " " + name, std::to_string(got));
}

void expectDense(const OpCall& call, const char* name) {
  const auto list = call.list(name);
  for (size_t i = 0; i < list.size(); ++i) {
    const bool dense = list[i].count() == 0 || list[i].strides == list[i].dims.strides();
    call.expect(dense, ErrorCode::kShape, at(name, i) + " to be contiguous", "a strided view");
  }
}

// `name` holds one contiguous tensor for each of the params, of its shape.
void expectLikeParams(const OpCall& call, const char* name) {
  const auto params = call.list("params"), list = call.list(name);
  expectCount(call, name, params.size());
  for (size_t i = 0; i < list.size(); ++i) {
    call.expect(list[i].dims == params[i].dims, ErrorCode::kShape, at(name, i) + " " + params[i].dims.text(),
                list[i].dims.text());
  }
}

void checkGroup(const OpCall& call) {
  expectDense(call, "params");
  expectLikeParams(call, "grads");
  if (call.list("shadows").empty()) return;
  expectLikeParams(call, "shadows");
  expectDense(call, "shadows");
  for (const TensorArg& shadow : call.list("shadows")) {
    const bool narrow = shadow.dtype == DType::kFloat16 || shadow.dtype == DType::kBFloat16;
    call.expect(narrow, ErrorCode::kDType, "shadows of float16 or bfloat16", nameOf(shadow.dtype));
  }
}

void checkState(const OpCall& call, const char* name) {
  expectLikeParams(call, name);
  expectDense(call, name);
}

void checkSgd(const OpCall& call) {
  checkGroup(call);
  if (call.number("momentum") != 0 || !call.list("velocities").empty()) checkState(call, "velocities");
}

void checkAdagrad(const OpCall& call) {
  checkGroup(call);
  checkState(call, "sums");
}

void checkAdamw(const OpCall& call) {
  checkGroup(call);
  checkState(call, "means");
  checkState(call, "squares");
}

Dims without(const Dims& dims, int axis) {
  Dims result;
  for (int i = 0; i < dims.rank(); ++i) {
    if (i != axis) result.push(dims[i]);
  }
  return result;
}

// Factored params take their moments from `rows` and `columns`, the others from `squares`, each list in params' order.
void checkAdafactor(const OpCall& call) {
  checkGroup(call);
  if (call.number("beta1") != 0 || !call.list("means").empty()) checkState(call, "means");
  std::vector<Dims> rows, columns, squares;
  for (const TensorArg& param : call.list("params")) {
    const Factoring f = factoringOf(call, param.dims);
    if (f.factored) {
      rows.push_back(without(param.dims, f.columnAxis));
      columns.push_back(without(param.dims, f.rowAxis));
    } else {
      squares.push_back(param.dims);
    }
  }
  const auto expectDims = [&](const char* name, const std::vector<Dims>& dims) {
    expectCount(call, name, dims.size());
    expectDense(call, name);
    for (size_t i = 0; i < dims.size(); ++i) {
      const Dims& got = call.list(name)[i].dims;
      call.expect(got == dims[i], ErrorCode::kShape, at(name, i) + " " + dims[i].text(), got.text());
    }
  };
  expectDims("rows", rows);
  expectDims("columns", columns);
  expectDims("squares", squares);
}

void checkClip(const OpCall& call) { expectDense(call, "grads"); }

size_t chunkBytes(const OpCall& call) { return (call.list("grads").size() + 1) * sizeof(int64_t); }

size_t normBytes(const OpCall& call) {
  return chunkBytes(call) + size_t(chunkCount(call.list("grads"))) * sizeof(double);
}

size_t adamwBytes(const OpCall& call) {
  const size_t partials = call.flag("rmsScale") ? size_t(chunkCount(call.list("params"))) : 0;
  return chunkBytes(call) + (partials + call.list("params").size()) * sizeof(double);
}

size_t adafactorBytes(const OpCall& call) {
  const AdafactorScratch scratch = adafactorScratch(call);
  return size_t(scratch.doubles) * sizeof(double) + size_t(scratch.floats) * sizeof(float);
}

}  // namespace

int64_t chunkCount(std::span<const TensorArg> tensors) {
  int64_t chunks = 0;
  for (const TensorArg& tensor : tensors) chunks += (tensor.count() + kOptimizerChunk - 1) / kOptimizerChunk;
  return chunks;
}

int64_t Factoring::linesPerPiece() const {
  constexpr int64_t kElements = 65536, kMinLines = 64, kMaxLines = 1024;
  return std::clamp(kElements / std::max<int64_t>(line(), 1), kMinLines, kMaxLines);
}

int64_t Factoring::piecesPerSlab() const { return (rows + linesPerPiece() - 1) / linesPerPiece(); }

Factoring factoringOf(const Dims& dims, FactoringRule rule, int64_t minDimSize) {
  Factoring f;
  const int rank = dims.rank();
  if (rank < 2 || dims.count() == 0) return f;
  int first = rank - 2, second = rank - 1;
  if (rule == FactoringRule::kLargestTwo) {
    std::array<int, kMaxRank> order;
    std::iota(order.begin(), order.begin() + rank, 0);
    std::stable_sort(order.begin(), order.begin() + rank, [&](int a, int b) { return dims[a] < dims[b]; });
    first = std::min(order[rank - 2], order[rank - 1]);
    second = std::max(order[rank - 2], order[rank - 1]);
  }
  if (std::min(dims[first], dims[second]) < minDimSize) return f;
  f.factored = true;
  f.rowAxis = first;
  f.columnAxis = second;
  f.rows = dims[first];
  f.columns = dims[second];
  for (int i = 0; i < rank; ++i) {
    if (i < first) f.outer *= dims[i];
    if (i > first && i < second) f.middle *= dims[i];
    if (i > second) f.inner *= dims[i];
  }
  return f;
}

Factoring factoringOf(const OpCall& call, const Dims& dims) {
  return factoringOf(dims, FactoringRule(call.integer("factoring")), call.integer("minDimSizeToFactor"));
}

AdafactorScratch adafactorScratch(const OpCall& call) {
  AdafactorScratch scratch;
  scratch.doubles = int64_t(call.list("params").size()) + 1;  // the chunk table
  for (const TensorArg& param : call.list("params")) {
    const Factoring f = factoringOf(call, param.dims);
    const int64_t chunks = (param.count() + kOptimizerChunk - 1) / kOptimizerChunk;
    const int64_t pieces = f.factored ? f.slabs() * f.piecesPerSlab() : chunks;
    scratch.doubles += chunks + pieces;
    if (f.factored) scratch.floats += pieces * f.line() + f.rowMoments() + f.columnMoments();
  }
  return scratch;
}

void registerOptimizer(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "sgd",  // v = momentum·v + g; p −= lr·v, or lr·(g + momentum·v) with nesterov; g includes weightDecay·p
      .inputs = optimizerInputs({"velocities"}),
      .attrs = optimizerAttrs({real("momentum", 0, 0, 1), flag("nesterov", false)}),
      .check = checkSgd,
      .workspace = chunkBytes,
      .cpu = cpu::sgd,
      .cuda = cuda::sgd,
  });
  ops.push_back({
      .name = "adagrad",  // s += g²; p −= lr/(1 + (step−1)·lrDecay) · g/(√s + eps); g includes weightDecay·p
      .inputs = optimizerInputs({"sums"}),
      .attrs = optimizerAttrs({real("lrDecay", 0, 0, kLarge), real("eps", 1e-10, 0, 1)}),
      .check = checkAdagrad,
      .workspace = chunkBytes,
      .cpu = cpu::adagrad,
      .cuda = cuda::adagrad,
  });
  ops.push_back({
      .name =
          "adamw",  // p −= lr·weightDecay·p + lr·scale·m̂/(√v̂ + eps); scale = max(1e-3, RMS(p)) with rmsScale, else 1
      .inputs = optimizerInputs({"means", "squares"}),
      .attrs = optimizerAttrs({real("beta1", 0.9, 0, kBelowOne), real("beta2", 0.999, 0, kBelowOne),
                               real("eps", 1e-8, 0, 1), flag("biasCorrection", true), flag("rmsScale", false)}),
      .check = checkAdamw,
      .workspace = adamwBytes,
      .cpu = cpu::adamw,
      .cuda = cuda::adamw,
  });
  ops.push_back({
      .name = "adafactor",  // factored second moments; formulas in cpu/adafactor.cpp
      .inputs = optimizerInputs({"rows", "columns", "squares", "means"}),
      .attrs = optimizerAttrs({{"factoring", AttrType::kEnum, 0, 0, 0, {"lastTwo", "largestTwo"}},
                               {"minDimSizeToFactor", AttrType::kInt, 0, 0},
                               flag("relativeStep", false),
                               flag("warmupInit", false),
                               flag("scaleParameter", true),
                               real("decayRate", -0.8, -kLarge, 0),
                               real("eps1", 1e-30, 0, 1),
                               real("eps2", 1e-3, 0, kLarge),
                               real("clipThreshold", 1, 1e-30, kLarge),
                               real("beta1", 0, 0, kBelowOne)}),
      .check = checkAdafactor,
      .workspace = adafactorBytes,
      .cpu = cpu::adafactor,
      .cuda = cuda::adafactor,
  });
  ops.push_back({
      .name = "globalNorm",  // norm = √ Σ g² over all elements of all tensors
      .inputs = {{.name = "grads", .dims = "*", .kind = Kind::kFloat32, .list = true}},
      .outputs = {{"norm", ""}},
      .workspace = normBytes,
      .cpu = cpu::globalNorm,
      .cuda = cuda::globalNorm,
  });
  ops.push_back({
      .name = "clipByGlobalNorm",  // g *= maxNorm/max(norm, maxNorm) (tf) or min(1, maxNorm/(norm + 1e-6)) (torch)
      .inputs = {mutatedList("grads"), {"norm", "", Kind::kFloat32}},
      .attrs = {real("maxNorm", std::nullopt, 0, kLarge), {"style", AttrType::kEnum, 0, 0, 0, {"torch", "tf"}}},
      .check = checkClip,
      .workspace = chunkBytes,
      .cpu = cpu::clipByGlobalNorm,
      .cuda = cuda::clipByGlobalNorm,
  });
}

}  // namespace duo
