// Launchers of fused attention.
#include <algorithm>

#include "cuda/attention_plan.h"
#include "cuda/gemm_product.h"
#include "cuda/kernels.h"
#include "cuda/tuning.h"
#include "ops/dropout.h"

namespace duo::cuda {
namespace {

constexpr int32_t kPairTile = 64;
constexpr unsigned kPairThreads = 256, kTensorThreads = 128;
constexpr size_t kPairTileBytes = 4 * kPairTile * kPairTile;
// Copies of a tile's buckets, one for each of the parts that its threads sum by themselves.
constexpr int64_t kBucketParts = 8;

AttentionRows rowsOf(const TensorArg& arg) { return {arg.data, arg.strides[0], arg.strides[1]}; }

// What both directions keep in workspace.
struct Tables {
  Tables(const AttentionPlan& plan, Carver& carve)
      : sequences(carve.take<AttentionSequence>(plan.sequences.size())),
        buckets(carve.take<int32_t>(size_t(plan.windowLength()))),
        window(carve.take<float>(size_t(plan.windowLength() * plan.heads))) {}
  AttentionSequence* sequences;
  int32_t* buckets;
  float* window;
};

// Operands that the tensor kernels can read: where they lie, or copied to workspace.
class TensorRows {
 public:
  TensorRows(const TensorArg& arg, bool wanted, Carver& carve) : arg_(arg) {
    const auto dense = [&](int d) { return arg.dims[d] == 1 || arg.strides[d] % 8 == 0; };
    if (!wanted || (liesAt16Bytes(arg.data) && arg.dims[2] % 8 == 0 && dense(0) && dense(1))) return;
    copy_ = true;
    data_ = carve.take<uint16_t>(size_t(arg.dims[0] * arg.dims[1] * width()));
  }
  AttentionRows ready(Launch& launch) const {
    const AttentionRows rows = rowsOf(arg_);
    if (!copy_ || arg_.count() == 0) return rows;
    launch.run(kernelName("attentionRows", arg_.dtype), {blocksFor(arg_.dims[0] * arg_.dims[1] * width(), 256)}, 256, 0,
               rows, data_, arg_.dims[0], int32_t(arg_.dims[1]), int32_t(arg_.dims[2]));
    return {data_, arg_.dims[1] * width(), width()};
  }

 private:
  int64_t width() const { return roundUpTo(arg_.dims[2], 8); }
  const TensorArg& arg_;
  bool copy_ = false;
  void* data_ = nullptr;
};

struct ForwardLayout {
  ForwardLayout(const OpCall& call, void* workspace)
      : plan(call),
        tensors(plan.fitsTensors()),
        block(attentionForwardBlock(plan.size, plan.isGeneral(), Dropout(call).active())),
        carve(workspace),
        tables(plan, carve),
        queryTiles(plan.queryTiles(tensors ? block.rows : kPairTile)),
        q(call.in("q"), tensors, carve),
        k(call.in("k"), tensors, carve),
        v(call.in("v"), tensors, carve) {
    tiles = carve.take<AttentionTile>(queryTiles.size());
    quads = carve.take<float>(tensors && !plan.isGeneral() ? size_t(4 * plan.heads * plan.quadLength()) : 0);
  }
  AttentionPlan plan;
  bool tensors;
  AttentionBlock block;
  Carver carve;
  Tables tables;
  std::vector<AttentionTile> queryTiles;
  TensorRows q, k, v;
  AttentionTile* tiles;
  float* quads;
};

struct BackwardLayout {
  BackwardLayout(const OpCall& call, const Limits& limits, void* workspace)
      : plan(call),
        numBuckets(call.flag("wantTable") ? plan.rule.numBuckets : 0),
        block(attentionBackwardBlock(plan.size, plan.isGeneral())),
        tensors(plan.fitsTensors() && (!plan.isGeneral() || plan.size <= kWidestOfGeneralBackward) &&
                block.backwardQueriesShared(numBuckets) <= limits.sharedPerBlock),
        carve(workspace),
        tables(plan, carve),
        queryTiles(plan.queryTiles(tensors ? block.rows : kPairTile)),
        keyTiles(plan.keyTiles(tensors ? block.rows : kPairTile)),
        q(call.in("q"), tensors, carve),
        k(call.in("k"), tensors, carve),
        v(call.in("v"), tensors, carve),
        dO(call.in("dO"), tensors, carve) {
    tilesOfQueries = carve.take<AttentionTile>(queryTiles.size());
    tilesOfKeys = carve.take<AttentionTile>(keyTiles.size());
    dots = carve.take<float>(size_t(call.dim("Nq") * plan.heads));
    for (float*& table : quads)
      table = carve.take<float>(tensors && !plan.isGeneral() ? size_t(4 * plan.heads * plan.quadLength()) : 0);
    if (numBuckets) sums = carve.take<float>(size_t(partsOfTable() * numBuckets * plan.heads));
  }
  // Of the bias table's gradient.
  int64_t partsOfTable() const { return int64_t(queryTiles.size()) * (tensors ? 1 : kBucketParts); }

  AttentionPlan plan;
  int64_t numBuckets;  // whose gradient is wanted
  AttentionBlock block;
  bool tensors;
  Carver carve;
  Tables tables;
  std::vector<AttentionTile> queryTiles, keyTiles;
  TensorRows q, k, v, dO;
  AttentionTile *tilesOfQueries, *tilesOfKeys;
  float* dots;
  float* quads[2];        // with queries as rows of scores, and with keys
  float* sums = nullptr;  // (partsOfTable(), numBuckets, H)
};

// 16-byte accesses: whether rows of D elements of every operand begin at a multiple of 16 bytes.
bool liesInVectors(const OpCall& call, int64_t size) {
  const auto lies = [&](const TensorArg& arg) {
    const auto each = int64_t(16 / sizeOf(arg.dtype));
    return reinterpret_cast<uintptr_t>(arg.data) % 16 == 0 && size % each == 0 && arg.strides[0] % each == 0 &&
           arg.strides[1] % each == 0;
  };
  bool all = lies(call.in("q")) && lies(call.in("k")) && lies(call.in("v"));
  if (call.def.name == std::string("attentionBwd")) all = all && lies(call.in("dO"));
  return all;
}

AttentionParams paramsOf(Launch& launch, const AttentionPlan& plan, const Tables& tables) {
  const OpCall& call = launch.call;
  AttentionParams p{};
  p.q = rowsOf(call.in("q")), p.k = rowsOf(call.in("k")), p.v = rowsOf(call.in("v"));
  p.sequences = tables.sequences;
  if (plan.positioned) p.positionsQ = call.in("positionsQ").i32(), p.positionsK = call.in("positionsK").i32();
  if (plan.hasTable) {
    p.window = tables.window, p.buckets = tables.buckets;
    p.reach = int32_t(plan.reach), p.numBuckets = int32_t(plan.rule.numBuckets);
  }
  if (plan.hasDense) {
    const TensorArg& dense = call.in("biasDense");
    p.dense = dense.data;
    p.denseBatches = dense.dims[0], p.denseQueries = dense.dims[2], p.denseKeys = dense.dims[3];
  }
  p.nq = call.dim("Nq");
  p.heads = int32_t(plan.heads), p.size = int32_t(plan.size);
  p.scale = plan.scale, p.scaleLog2 = plan.scale * 1.44269504088896341f;
  p.causal = plan.causal;
  p.vectors = liesInVectors(call, plan.size);
  const Dropout dropout(call);
  p.seed = dropout.at.seed, p.site = dropout.at.site, p.step = dropout.at.step;
  if (dropout.active()) p.threshold = dropout.rule.threshold, p.keepScale = dropout.rule.scale;
  return p;
}

void prepare(Launch& launch, const AttentionPlan& plan, const Tables& tables) {
  const OpCall& call = launch.call;
  launch.upload(tables.sequences, plan.sequences);
  if (plan.positioned) {
    for (const char* name : {"positionsQ", "positionsK"}) {
      const TensorArg& positions = call.in(name);
      if (positions.count() == 0) continue;
      launch.run("attentionPositions", {blocksFor(positions.count(), 256)}, 256, 0, positions.data, positions.count(),
                 launch.error, launch.callNumber);
    }
  }
  if (plan.hasTable && plan.heads > 0) {
    launch.upload(tables.buckets, plan.buckets());
    launch.run(kernelName("attentionWindow", call.in("biasTable").dtype),
               {blocksFor(plan.windowLength() * plan.heads, 256)}, 256, 0, call.in("biasTable").data, tables.buckets,
               tables.window, int32_t(plan.heads), int32_t(plan.windowLength()));
  }
}

// The bias as the tensor kernels read it; `sign`: −1 where rows of scores are keys.
void prepareQuads(Launch& launch, const AttentionPlan& plan, const Tables& tables, float* quads, int32_t sign,
                  AttentionParams& p) {
  const TensorArg& table = launch.call.in("biasTable");
  p.quads = quads, p.quadCenter = plan.quadCenter(), p.quadLength = plan.quadLength();
  launch.run(kernelName("attentionQuads", table.dtype), {blocksFor(plan.heads * p.quadLength, 256)}, 256, 0, table.data,
             tables.buckets, quads, p.heads, p.reach, p.quadCenter, p.quadLength, 1 / plan.scale, sign);
}

std::string tensorKernel(const char* name, const AttentionPlan& plan) {
  return kernelName(name, plan.dtype) + (plan.size <= 64 ? "_d64" : "_d128");
}

// The kernels of float32 arithmetic come for rows of up to 64, and for any.
struct ExactKernels {
  explicit ExactKernels(const AttentionPlan& plan)
      : wide(plan.dtype != DType::kFloat32 || plan.size > 64),
        columns(unsigned(std::max<int64_t>(ceilDivide(plan.size, wide ? 256 : 64), 1))),
        dtype(plan.dtype) {}
  std::string name(const char* kernel) const { return kernelName(kernel, dtype) + (wide ? "_d256" : "_d64"); }
  bool wide;
  unsigned columns;  // blocks that share the columns of a result
  DType dtype;
};

unsigned blocksOf(const std::vector<AttentionTile>& tiles, const AttentionPlan& plan) {
  return unsigned(int64_t(tiles.size()) * plan.heads);
}

void backwardByTensors(Launch& launch, const BackwardLayout& layout, AttentionParams p) {
  const OpCall& call = launch.call;
  const AttentionPlan& plan = layout.plan;
  p.q = layout.q.ready(launch), p.k = layout.k.ready(launch), p.v = layout.v.ready(launch);
  p.dO = layout.dO.ready(launch);
  const bool tabled = plan.hasTable && !plan.isGeneral();
  const std::string mode = plan.isGeneral() ? "General" : tabled ? "Bias" : "";
  if (!layout.queryTiles.empty()) {
    if (tabled) prepareQuads(launch, plan, layout.tables, layout.quads[0], 1, p);
    p.tiles = layout.tilesOfQueries;
    launch.run(tensorKernel(("attentionBwdQueries" + mode).c_str(), plan), {blocksOf(layout.queryTiles, plan)},
               kTensorThreads, layout.block.backwardQueriesShared(layout.numBuckets), p, call.out("dQ").data,
               layout.sums);
  }
  if (!layout.keyTiles.empty()) {
    if (tabled) prepareQuads(launch, plan, layout.tables, layout.quads[1], -1, p);
    p.tiles = layout.tilesOfKeys;
    launch.run(tensorKernel(("attentionBwdKeys" + mode).c_str(), plan), {blocksOf(layout.keyTiles, plan)},
               kTensorThreads, layout.block.backwardKeysShared(), p, call.out("dK").data, call.out("dV").data);
  }
}

void backwardExactly(Launch& launch, const BackwardLayout& layout, AttentionParams p) {
  const OpCall& call = launch.call;
  const AttentionPlan& plan = layout.plan;
  const ExactKernels kernels(plan);
  if (!layout.queryTiles.empty()) {
    p.tiles = layout.tilesOfQueries;
    launch.run(kernels.name("attentionBwdQueriesExact"), {blocksOf(layout.queryTiles, plan), kernels.columns},
               kPairThreads, 4 * kPairTileBytes, p, call.out("dQ").data, layout.sums);
  }
  if (!layout.keyTiles.empty()) {
    p.tiles = layout.tilesOfKeys;
    launch.run(kernels.name("attentionBwdKeysExact"), {blocksOf(layout.keyTiles, plan), kernels.columns}, kPairThreads,
               4 * kPairTileBytes, p, call.out("dK").data, call.out("dV").data);
  }
}

}  // namespace

namespace workspaces {
size_t attentionFwd(const OpCall& call, const Limits&) { return ForwardLayout(call, nullptr).carve.used(); }
size_t attentionBwd(const OpCall& call, const Limits& limits) {
  return BackwardLayout(call, limits, nullptr).carve.used();
}
}  // namespace workspaces

namespace launchers {

void attentionFwd(Launch& launch) {
  const OpCall& call = launch.call;
  const ForwardLayout layout(call, launch.workspace);
  const AttentionPlan& plan = layout.plan;
  prepare(launch, plan, layout.tables);
  if (layout.queryTiles.empty() || plan.heads == 0) return;
  launch.upload(layout.tiles, layout.queryTiles);
  AttentionParams p = paramsOf(launch, plan, layout.tables);
  p.tiles = layout.tiles;
  const unsigned blocks = unsigned(int64_t(layout.queryTiles.size()) * plan.heads);
  if (layout.tensors) {
    p.q = layout.q.ready(launch), p.k = layout.k.ready(launch), p.v = layout.v.ready(launch);
    if (plan.hasTable && !plan.isGeneral()) prepareQuads(launch, plan, layout.tables, layout.quads, 1, p);
    const std::string name =
        "attentionFwd" + (plan.isGeneral() ? std::string("General")
                                           : std::string(plan.hasTable ? "Bias" : "") + (p.threshold ? "Dropout" : ""));
    launch.run(tensorKernel(name.c_str(), plan), {blocks}, kTensorThreads, layout.block.forwardShared(), p,
               call.out("o").data, call.out("lse").f32());
  } else {
    const ExactKernels kernels(plan);
    launch.run(kernels.name("attentionFwdExact"), {blocks, kernels.columns}, kPairThreads, 0, p, call.out("o").data,
               call.out("lse").f32());
  }
}

void attentionBwd(Launch& launch) {
  const OpCall& call = launch.call;
  const BackwardLayout layout(call, launch.limits, launch.workspace);
  const AttentionPlan& plan = layout.plan;
  prepare(launch, plan, layout.tables);
  if (plan.heads > 0) {
    AttentionParams p = paramsOf(launch, plan, layout.tables);
    p.o = rowsOf(call.in("o")), p.dO = rowsOf(call.in("dO"));
    p.lse = call.in("lse").f32(), p.dots = layout.dots;
    if (p.nq > 0) {
      launch.run(kernelName("attentionDots", plan.dtype), {blocksFor(p.nq * plan.heads, 8)}, 256, 0, p, layout.dots);
    }
    launch.upload(layout.tilesOfQueries, layout.queryTiles);
    launch.upload(layout.tilesOfKeys, layout.keyTiles);
    layout.tensors ? backwardByTensors(launch, layout, p) : backwardExactly(launch, layout, p);
    if (call.wants("dBiasDense") && call.out("dBiasDense").count() > 0) {
      const int64_t tiles = ceilDivide(p.denseQueries, kPairTile) * ceilDivide(p.denseKeys, kPairTile);
      const Dim3 grid{unsigned(tiles), unsigned(p.denseBatches * plan.heads)};
      launch.run(kernelName("attentionBwdDense", plan.dtype), grid, kPairThreads, 0, p, int32_t(plan.sequences.size()),
                 call.out("dBiasDense").f32());
    }
  }
  if (call.wants("dBiasTable") && call.out("dBiasTable").count() > 0) {
    const TensorArg& table = call.out("dBiasTable");
    launch.run("attentionTableSums", {unsigned(table.count())}, 128, 0, layout.sums, table.f32(), layout.partsOfTable(),
               table.count());
  }
}

}  // namespace launchers
}  // namespace duo::cuda
