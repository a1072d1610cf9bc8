// Launcher of Adafactor: seven kernels, whatever the number of tensors.
#include "cuda/kernels.h"
#include "cuda/optimizer.h"
#include "cuda/tuning.h"
#include "ops/optimizer.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kWarp = 32;

// Work items of all tensors, by kernel.
struct Totals {
  int64_t chunks = 0, rows = 0, parts = 0, columns = 0, matrices = 0;
};

// Rows of a piece: 64, or so many more that a tensor has at most 256 pieces.
int64_t heightOf(const Factoring& f) { return std::max<int64_t>(64, ceilDivide(f.rows, 256)); }

int64_t partsOf(const Factoring& f) { return f.slabs() * ceilDivide(f.rows, heightOf(f)) * f.line(); }

size_t floatsOf(const Factoring& f) {
  if (!f.factored) return 0;
  return alignedSize(size_t(partsOf(f)) * sizeof(float)) + alignedSize(size_t(f.rowMoments()) * sizeof(float)) +
         alignedSize(size_t(f.columnMoments()) * sizeof(float));
}

std::vector<AdafactorTensor> tableOf(const OpCall& call, Room& room, Totals& totals) {
  const auto params = call.list("params"), grads = call.list("grads"), means = call.list("means");
  const auto shadows = call.list("shadows");
  const TensorArg *rows = call.list("rows").data(), *columns = call.list("columns").data();
  const TensorArg* squares = call.list("squares").data();
  std::vector<AdafactorTensor> table(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    AdafactorTensor& t = table[i];
    const Factoring f = factoringOf(call, params[i].dims);
    t.param = params[i].f32();
    t.grad = grads[i].f32();
    t.mean = means.empty() ? nullptr : means[i].f32();
    t.shadow = shadows.empty() ? nullptr : shadows[i].data;
    t.shadowType = shadowTypeOf(shadows, i);
    t.count = params[i].count();
    t.factored = f.factored;
    t.firstChunk = totals.chunks;
    t.firstRow = totals.rows;
    t.firstPart = totals.parts;
    t.firstColumn = totals.columns;
    t.firstMatrix = totals.matrices;
    totals.chunks += deviceChunks(params[i]);
    if (!f.factored) {
      t.squares = (squares++)->f32();
      continue;
    }
    t.rows = (rows++)->f32();
    t.columns = (columns++)->f32();
    t.numRows = f.rows, t.middle = f.middle, t.numColumns = f.columns, t.inner = f.inner;
    t.line = f.line(), t.slabs = f.slabs();
    t.height = heightOf(f), t.pieces = ceilDivide(f.rows, t.height);
    t.columnSums = room.take<float>(size_t(partsOf(f)));
    t.rowFactors = room.take<float>(size_t(f.rowMoments()));
    t.columnFactors = room.take<float>(size_t(f.columnMoments()));
    totals.rows += f.rowMoments();
    totals.parts += partsOf(f);
    totals.columns += f.columnMoments();
    totals.matrices += f.slabs() * f.inner;
  }
  return table;
}

}  // namespace

namespace workspaces {

size_t adafactor(const OpCall& call, const Limits&) {
  const auto params = call.list("params");
  size_t bytes = alignedSize(params.size() * sizeof(AdafactorTensor)) + prepareBytes(params.size()) +
                 alignedSize(params.size() * sizeof(float)) + sumSquaresBytes(params) +
                 alignedSize(size_t(deviceChunks(params)) * sizeof(double));
  for (const TensorArg& param : params) bytes += floatsOf(factoringOf(call, param.dims));
  return bytes;
}

}  // namespace workspaces

namespace launchers {

void adafactor(Launch& launch) {
  const OpCall& call = launch.call;
  const auto params = call.list("params");
  if (params.empty()) return;
  const int numTensors = int(params.size());
  const int64_t chunks = deviceChunks(params);
  Room room(launch.workspace);
  StepRule rule = stepRuleOf(call, StepKind::kAdafactor);
  rule.decayRate = call.number("decayRate");
  rule.relativeStep = call.flag("relativeStep");
  rule.warmupInit = call.flag("warmupInit");
  rule.scaled = call.flag("scaleParameter");
  rule.least = call.number("eps2");
  double* sums = room.take<double>(size_t(chunks));
  if (rule.scaled) sumSquares(launch, params, sums, room);
  const Prepared prepared = prepare(launch, rule, params, sums, room);
  if (chunks == 0) return;

  Totals totals;
  auto* tensors = room.take<AdafactorTensor>(params.size());
  auto* rates = room.take<float>(params.size());
  launch.upload(tensors, tableOf(call, room, totals));
  const float eps = call.f32("eps1");
  const auto over = [&](const char* kernel, int64_t items, int64_t threadsEach, const auto&... args) {
    if (items == 0) return;
    launch.run(kernel, {blocksFor(items * threadsEach, kThreads)}, kThreads, 0, tensors, numTensors, items,
               prepared.state, args...);
  };
  over("adafactorRows", totals.rows, kWarp, eps);
  over("adafactorColumnSums", totals.parts, 1);
  over("adafactorColumns", totals.columns, 1, eps);
  over("adafactorRowFactors", totals.matrices, kThreads);
  over("adafactorUpdateSums", chunks, kThreads, eps, sums);
  launch.run("adafactorRates", {blocksFor(numTensors * kWarp, kThreads)}, kThreads, 0, prepared.chunkStarts,
             prepared.counts, numTensors, sums, prepared.rates, prepared.state, call.number("clipThreshold"), rates);
  const double beta1 = call.number("beta1");
  over("adafactorUpdate", chunks, kThreads, prepared.rates, rates, call.number("weightDecay"), float(beta1),
       float(1 - beta1));
}

}  // namespace launchers
}  // namespace duo::cuda
