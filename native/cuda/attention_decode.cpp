// Launchers of decode attention: kvCacheAppend and attentionDecode.
#include <algorithm>
#include <numeric>

#include "core/relative_position.h"
#include "cuda/attention_plan.h"
#include "cuda/gemm_product.h"
#include "cuda/kernels.h"
#include "cuda/kernels/decode_params.h"
#include "cuda/logit_rows.h"
#include "cuda/tuning.h"

namespace duo::cuda {
namespace {

DecodeCache cacheOf(const TensorArg& arg) { return {arg.f32(), arg.strides[0], arg.strides[1], arg.strides[2]}; }

// How a call is cut, and its workspace.
struct DecodeLayout {
  DecodeLayout(const OpCall& call, const Limits& limits, void* workspace) : carve(workspace) {
    const auto slots = call.host("slots"), offsets = call.host("cuSeqlens"), lengths = call.host("lengths");
    const bool causal = call.flag("causal");
    std::vector<size_t> order(slots.size());
    std::iota(order.begin(), order.end(), size_t(0));
    // Sequences of one slot see the same keys, unless a table says otherwise.
    const bool shared = !call.has("slotTable");
    if (shared) std::ranges::stable_sort(order, {}, [&](size_t i) { return slots[i]; });
    int64_t reached = 0;
    for (size_t n = 0; n < order.size(); ++n) {
      const size_t i = order[n];
      const int32_t count = offsets[i + 1] - offsets[i];
      bool joins = n > 0 && shared && slots[i] == slots[order[n - 1]];
      for (int32_t r = 0; r < count; ++r) {
        const int32_t position = lengths[i] - count + r;
        const int32_t keys = causal ? std::clamp(position + 1, 0, lengths[i]) : lengths[i];
        if (!joins || tasks.empty() || tasks.back().rows == kDecodeRows) {
          tasks.push_back({slots[i], 0, int32_t(rows.size()), 0});
        }
        joins = true;
        rows.push_back({offsets[i] + r, position, keys});
        ++tasks.back().rows;
        tasks.back().keys = std::max(tasks.back().keys, keys);
      }
      reached = std::max<int64_t>({reached, lengths[i], count});
    }
    int64_t longest = 0;
    for (const DecodeTask& task : tasks) longest = std::max<int64_t>(longest, task.keys);
    splitKeys = decodeSplitKeys(longest, int64_t(tasks.size()) * call.dim("H"), limits);
    splits = std::max<int64_t>(ceilDivide(longest, splitKeys), 1);
    if (call.has("biasTable")) {
      const RelativePositionRule rule{call.dim("numBuckets"), call.flag("bidirectional"), call.integer("maxDistance")};
      reach = std::min(rule.maxDistance, reached);
      for (int64_t i = -reach; i <= reach; ++i) buckets.push_back(int32_t(rule.bucket(i)));
    }
    tasksAt = carve.take<DecodeTask>(tasks.size());
    rowsAt = carve.take<DecodeRow>(rows.size());
    bucketsAt = carve.take<int32_t>(buckets.size());
    const int64_t partial = call.dim("N") * call.dim("H") * (call.dim("D") + 2);
    partials = carve.take<float>(splits > 1 ? size_t(splits * partial) : 0);
  }

  Carver carve;
  std::vector<DecodeTask> tasks;
  std::vector<DecodeRow> rows;
  std::vector<int32_t> buckets;
  int64_t reach = 0, splits, splitKeys;
  DecodeTask* tasksAt;
  DecodeRow* rowsAt;
  int32_t* bucketsAt;
  float* partials;  // (splits, N, H, D + 2)
};

bool liesInVectors(const TensorArg& cache) {
  bool whole = liesAt16Bytes(cache.data) && cache.dims[3] % 4 == 0;
  for (int d = 0; d < 3; ++d) whole = whole && (cache.dims[d] == 1 || cache.strides[d] % 4 == 0);
  return whole;
}

struct Place {
  int32_t slot, position;
};

}  // namespace

namespace workspaces {

size_t attentionDecode(const OpCall& call, const Limits& limits) {
  return DecodeLayout(call, limits, nullptr).carve.used();
}
size_t kvCacheAppend(const OpCall& call, const Limits&) { return size_t(call.dim("N")) * sizeof(Place); }

}  // namespace workspaces

namespace launchers {

void attentionDecode(Launch& launch) {
  const OpCall& call = launch.call;
  const DecodeLayout layout(call, launch.limits, launch.workspace);
  const TensorArg &q = call.in("q"), &cacheK = call.in("cacheK"), &cacheV = call.in("cacheV");
  if (layout.rows.empty() || q.count() == 0) return;
  launch.upload(layout.tasksAt, layout.tasks);
  launch.upload(layout.rowsAt, layout.rows);
  DecodeParams p{};
  p.q = q.data, p.rowOfQ = q.strides[0], p.headOfQ = q.strides[1];
  p.k = cacheOf(cacheK), p.v = cacheOf(cacheV);
  p.tasks = layout.tasksAt, p.rows = layout.rowsAt;
  if (call.has("slotTable")) p.slotTable = call.in("slotTable").i32();
  if (call.has("biasTable")) {
    launch.upload(layout.bucketsAt, layout.buckets);
    p.table = call.in("biasTable").data, p.buckets = layout.bucketsAt, p.reach = int32_t(layout.reach);
  }
  p.slots = int32_t(cacheK.dims[0]), p.maxLength = int32_t(cacheK.dims[2]);
  p.taskCount = int32_t(layout.tasks.size()), p.heads = int32_t(call.dim("H")), p.size = int32_t(call.dim("D"));
  p.rowCount = int32_t(call.dim("N"));
  p.splits = int32_t(layout.splits), p.splitKeys = int32_t(layout.splitKeys);
  p.vectors = liesInVectors(cacheK) && liesInVectors(cacheV);
  p.scale = call.f32("scale");
  p.call = launch.callNumber, p.error = launch.error;
  const int64_t width = roundUpTo(p.size, kDecodeColumns);
  const size_t shared =
      sizeof(float) * size_t(kDecodeRows * (width + layout.splitKeys + kDecodeGroups * kDecodeColumns));
  const Dim3 grid{unsigned(layout.tasks.size() * size_t(p.heads)), unsigned(layout.splits)};
  const TensorArg& o = call.out("o");
  launch.run(kernelName("attentionDecode", q.dtype), grid, kDecodeThreads, shared, p, o.data, layout.partials);
  if (layout.splits > 1) {
    const int64_t count = int64_t(p.rowCount) * p.heads;
    launch.run(kernelName("attentionDecodeJoin", q.dtype), {unsigned(count)}, 64, 0, layout.partials, o.data, count,
               p.size, p.splits);
  }
}

void kvCacheAppend(Launch& launch) {
  const OpCall& call = launch.call;
  const auto offsets = call.host("cuSeqlens"), slots = call.host("slots"), lengths = call.host("lengths");
  const int64_t rows = call.dim("N"), count = call.in("k").count();
  if (count == 0) return;
  std::vector<Place> places(static_cast<size_t>(rows));
  for (size_t i = 0; i < slots.size(); ++i) {
    for (int32_t row = offsets[i]; row < offsets[i + 1]; ++row) {
      places[size_t(row)] = {slots[i], lengths[i] - (offsets[i + 1] - row)};
    }
  }
  Place* at = launch.scratch<Place>();
  launch.upload(at, places);
  const auto copy = [&](const char* from, const char* to) {
    const TensorArg& rowsOf = call.in(from);
    launch.run(kernelName("kvCacheAppend", rowsOf.dtype), {blocksFor(count, 256)}, 256, 0, rowsOf.data,
               rowsOf.strides[0], rowsOf.strides[1], cacheOf(call.in(to)), at, rows, int32_t(call.dim("H")),
               int32_t(call.dim("D")));
  };
  copy("k", "cacheK");
  copy("v", "cacheV");
}

void continueSlots(Launch& launch) {
  const OpCall& call = launch.call;
  const int64_t slots = call.dim("S"), size = call.dim("L");
  if (slots * size == 0) return;
  launch.run("continueSlots", {blocksFor(slots * size, 256)}, 256, 0, call.in("slotTable").data, slots, size,
             call.in("before").data, call.dim("m"), call.in("rows").data, call.in("slots").data,
             call.in("lengths").data, call.dim("n"), call.out("y").data, reporterOf(launch));
}

}  // namespace launchers
}  // namespace duo::cuda
