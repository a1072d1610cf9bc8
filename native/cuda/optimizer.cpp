// Launchers of optimisers: a table of the group's tensors goes to the device with each call, and the number of launches
// does not depend on how many there are.
#include "cuda/optimizer.h"

#include "cuda/kernels.h"
#include "cuda/tuning.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;

bool aligned(const TensorArg& x, size_t bytes) { return reinterpret_cast<uintptr_t>(x.data) % bytes == 0; }

// The group `main` with what belongs to each of its tensors; empty lists are left out.
std::vector<OptimizerTensor> tableOf(std::span<const TensorArg> main, std::span<const TensorArg> grads = {},
                                     std::span<const TensorArg> first = {}, std::span<const TensorArg> second = {},
                                     std::span<const TensorArg> shadows = {}) {
  std::vector<OptimizerTensor> table(main.size());
  int64_t chunks = 0;
  for (size_t i = 0; i < main.size(); ++i) {
    OptimizerTensor& t = table[i];
    bool vectors = aligned(main[i], 16);
    const auto take = [&](std::span<const TensorArg> list, size_t bytes) -> void* {
      if (list.empty()) return nullptr;
      vectors = vectors && aligned(list[i], bytes);
      return list[i].data;
    };
    t.param = main[i].f32();
    t.grad = static_cast<const float*>(take(grads, 16));
    t.first = static_cast<float*>(take(first, 16));
    t.second = static_cast<float*>(take(second, 16));
    t.shadow = take(shadows, 8);
    t.shadowType = shadowTypeOf(shadows, i);
    t.count = main[i].count();
    t.firstChunk = chunks;
    t.vectors = vectors;
    chunks += deviceChunks(main[i]);
  }
  return table;
}

size_t tableBytes(std::span<const TensorArg> main) { return alignedSize(main.size() * sizeof(OptimizerTensor)); }
size_t sumBytes(std::span<const TensorArg> main) { return alignedSize(size_t(deviceChunks(main)) * sizeof(double)); }

unsigned blocksOf(std::span<const TensorArg> main) { return blocksFor(deviceChunks(main), 1); }

size_t updateBytes(const OpCall& call, bool scaled) {
  const auto params = call.list("params");
  return tableBytes(params) + prepareBytes(params.size()) + (scaled ? sumBytes(params) : 0);
}

// By a table that is on the device.
void sumSquares(Launch& launch, std::span<const TensorArg> tensors, const OptimizerTensor* table, double* sums) {
  if (deviceChunks(tensors) == 0) return;
  launch.run("sumSquares", {blocksOf(tensors)}, kThreads, 0, table, int(tensors.size()), deviceChunks(tensors), sums);
}

// Runs `kernel` over the group, by the rates of `rule`.
void update(Launch& launch, const char* kernel, StepRule rule, const ElementRule& element, const char* first,
            const char* second) {
  const OpCall& call = launch.call;
  const auto params = call.list("params");
  if (params.empty()) return;
  const auto stateOf = [&](const char* name) { return name ? call.list(name) : std::span<const TensorArg>(); };
  Room room(launch.workspace);
  auto* table = room.take<OptimizerTensor>(params.size());
  launch.upload(table, tableOf(params, call.list("grads"), stateOf(first), stateOf(second), call.list("shadows")));
  const int64_t chunks = deviceChunks(params);
  double* sums = rule.scaled ? room.take<double>(size_t(chunks)) : nullptr;
  if (sums) sumSquares(launch, params, table, sums);
  const Prepared prepared = prepare(launch, rule, params, sums, room);
  if (chunks == 0) return;
  launch.run(kernel, {blocksOf(params)}, kThreads, 0, table, int(params.size()), chunks, prepared.state, prepared.rates,
             element);
}

ElementRule elementRuleOf(const OpCall& call) {
  ElementRule rule{};
  rule.weightDecay = call.f32("weightDecay");
  return rule;
}

}  // namespace

int64_t deviceChunks(const TensorArg& tensor) { return ceilDivide(tensor.count(), kDeviceChunk); }

int64_t deviceChunks(std::span<const TensorArg> tensors) {
  int64_t chunks = 0;
  for (const TensorArg& tensor : tensors) chunks += deviceChunks(tensor);
  return chunks;
}

ShadowType shadowTypeOf(std::span<const TensorArg> shadows, size_t i) {
  if (shadows.empty()) return ShadowType::kNone;
  return shadows[i].dtype == DType::kFloat16 ? ShadowType::kFloat16 : ShadowType::kBFloat16;
}

StepRule stepRuleOf(const OpCall& call, StepKind kind) {
  StepRule rule{};
  rule.norm = call.has("norm") ? call.in("norm").f32() : nullptr;
  rule.skipped = call.has("skipped") ? call.in("skipped").as<int32_t>() : nullptr;
  rule.step = call.integer("step");
  rule.lr = call.number("lr");
  rule.kind = kind;
  rule.countSkip = call.flag("countSkip");
  return rule;
}

size_t prepareBytes(size_t tensors) {
  return alignedSize((2 * tensors + 1) * sizeof(int64_t)) + alignedSize(sizeof(StepState)) +
         alignedSize(tensors * sizeof(double));
}

Prepared prepare(Launch& launch, const StepRule& rule, std::span<const TensorArg> params, const double* sums,
                 Room& room) {
  std::vector<int64_t> numbers{0};  // chunk starts, then counts
  for (const TensorArg& param : params) numbers.push_back(numbers.back() + deviceChunks(param));
  for (const TensorArg& param : params) numbers.push_back(param.count());
  auto* table = room.take<int64_t>(numbers.size());
  launch.upload(table, numbers);
  auto* state = room.take<StepState>(1);
  auto* rates = room.take<double>(params.size());
  launch.run("optimizerPrepare", {1}, kThreads, 0, rule, table, table + params.size() + 1, int(params.size()), sums,
             state, rates);
  return {state, rates, table, table + params.size() + 1};
}

void sumSquares(Launch& launch, std::span<const TensorArg> tensors, double* sums, Room& room) {
  auto* table = room.take<OptimizerTensor>(tensors.size());
  launch.upload(table, tableOf(tensors));
  sumSquares(launch, tensors, table, sums);
}

size_t sumSquaresBytes(std::span<const TensorArg> tensors) { return tableBytes(tensors) + sumBytes(tensors); }

namespace workspaces {

size_t globalNorm(const OpCall& call, const Limits&) { return sumSquaresBytes(call.list("grads")); }
size_t clipByGlobalNorm(const OpCall& call, const Limits&) { return tableBytes(call.list("grads")); }
size_t sgd(const OpCall& call, const Limits&) { return updateBytes(call, false); }
size_t adagrad(const OpCall& call, const Limits&) { return updateBytes(call, false); }
size_t adamw(const OpCall& call, const Limits&) { return updateBytes(call, call.flag("rmsScale")); }

}  // namespace workspaces

namespace launchers {

void globalNorm(Launch& launch) {
  const auto grads = launch.call.list("grads");
  Room room(launch.workspace);
  auto* sums = room.take<double>(size_t(deviceChunks(grads)));
  sumSquares(launch, grads, sums, room);
  launch.run("globalNorm", {1}, kThreads, 0, sums, deviceChunks(grads), launch.call.out("norm").data);
}

void clipByGlobalNorm(Launch& launch) {
  const auto grads = launch.call.list("grads");
  if (deviceChunks(grads) == 0) return;
  Room room(launch.workspace);
  auto* table = room.take<OptimizerTensor>(grads.size());
  launch.upload(table, tableOf(grads));
  launch.run("clipByGlobalNorm", {blocksOf(grads)}, kThreads, 0, table, int(grads.size()), deviceChunks(grads),
             launch.call.in("norm").data, launch.call.number("maxNorm"), int(launch.call.integer("style")));
}

void sgd(Launch& launch) {
  ElementRule element = elementRuleOf(launch.call);
  element.momentum = launch.call.f32("momentum");
  element.nesterov = launch.call.flag("nesterov");
  update(launch, "sgd", stepRuleOf(launch.call, StepKind::kSgd), element, "velocities", nullptr);
}

void adagrad(Launch& launch) {
  StepRule rule = stepRuleOf(launch.call, StepKind::kAdagrad);
  rule.lrDecay = launch.call.number("lrDecay");
  ElementRule element = elementRuleOf(launch.call);
  element.eps = launch.call.f32("eps");
  update(launch, "adagrad", rule, element, "sums", nullptr);
}

void adamw(Launch& launch) {
  constexpr double kLeastRms = 1e-3;
  const OpCall& call = launch.call;
  StepRule rule = stepRuleOf(call, StepKind::kAdamw);
  rule.beta1 = call.number("beta1"), rule.beta2 = call.number("beta2");
  rule.biasCorrection = call.flag("biasCorrection");
  rule.scaled = call.flag("rmsScale");
  rule.least = kLeastRms;
  ElementRule element{};
  element.beta1 = float(rule.beta1), element.rest1 = float(1 - rule.beta1);
  element.beta2 = float(rule.beta2), element.rest2 = float(1 - rule.beta2);
  element.eps = call.f32("eps");
  element.shrink = float(-rule.lr * call.number("weightDecay"));
  update(launch, "adamw", rule, element, "means", "squares");
}

}  // namespace launchers
}  // namespace duo::cuda
