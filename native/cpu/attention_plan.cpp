#include "cpu/attention_plan.h"

#include <algorithm>

#include "cpu/column.h"

namespace duo::cpu {
namespace {

// Tasks that keep any number of cores busy; with fewer sequences and heads, rows and keys are cut finer.
constexpr int64_t kWantedTasks = 12;

bool stepsByOne(const int32_t* positions, int64_t count) {
  for (int64_t i = 1; i < count; ++i) {
    if (positions[i] != positions[i - 1] + 1) return false;
  }
  return true;
}

struct Range {
  int64_t min, max;
};

Range rangeOf(const int32_t* positions, int64_t first, int64_t count, int64_t base) {
  if (!positions) return {first, first + count - 1};
  const auto [min, max] = std::minmax_element(positions + base + first, positions + base + first + count);
  return {*min, *max};
}

void checkRange(const char* op, const char* name, const int32_t* positions, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (positions[i] < 0 || positions[i] >= kMaxPositions) {
      fail(ErrorCode::kIndex, op, std::string(name) + " in [0, 1048576)",
           std::to_string(positions[i]) + " at " + std::to_string(i));
    }
  }
}

}  // namespace

AttentionPlan::AttentionPlan(const OpCall& call)
    : nq(call.dim("Nq")),
      nk(call.dim("Nk")),
      heads(call.dim("H")),
      size(call.dim("D")),
      padded((size + kMaxPanel - 1) / kMaxPanel * kMaxPanel),
      scale(call.f32("scale")),
      causal(call.flag("causal")),
      hasTable(call.has("biasTable")),
      hasDense(call.has("biasDense")),
      dropout(call.number("dropoutP")),
      site{uint64_t(call.number("seed")), uint32_t(call.number("site")), uint32_t(call.number("step"))},
      op_(call.def.name) {
  const auto offsetsQ = call.host("cuSeqlensQ"), offsetsK = call.host("cuSeqlensK");
  const bool positioned = call.has("positionsQ");
  if (positioned) {
    positionsQ = call.in("positionsQ").i32();
    positionsK = call.in("positionsK").i32();
  }
  int64_t longest = 0;
  for (size_t b = 0; b + 1 < offsetsQ.size(); ++b) {
    const int64_t queries = offsetsQ[b + 1] - offsetsQ[b], keys = offsetsK[b + 1] - offsetsK[b];
    sequences.push_back({offsetsQ[b], queries, offsetsK[b], keys, positioned ? 0 : keys - queries});
    longest = std::max({longest, queries, keys});
  }
  if (hasTable) {
    rule = {call.in("biasTable").dims[0], call.flag("bidirectional"), call.integer("maxDistance")};
    reach = positioned ? rule.maxDistance : std::min(rule.maxDistance, longest);
  }
  if (hasDense) {
    const Dims& dims = call.in("biasDense").dims;
    denseBatches = dims[0], denseQueries = dims[2], denseKeys = dims[3];
  }
}

void AttentionPlan::checkPositions() const {
  if (!positionsQ) return;
  checkRange(op_, "positionsQ", positionsQ, nq);
  checkRange(op_, "positionsK", positionsK, nk);
}

AttentionTile AttentionPlan::tile(const AttentionSequence& s, int64_t query, int64_t rows, int64_t key,
                                  int64_t keys) const {
  AttentionTile tile{query, rows, key, keys, true, 0, false, false};
  tile.regular = !positionsQ || (stepsByOne(positionsQ + s.firstQuery + query, rows) &&
                                 stepsByOne(positionsK + s.firstKey + key, keys));
  tile.relative = relative(s, query, key);
  if (causal) {
    const Range q = rangeOf(positionsQ, query, rows, s.firstQuery), k = rangeOf(positionsK, key, keys, s.firstKey);
    tile.hidden = k.min > q.max + s.causalOffset;
    tile.clipped = k.max > q.min + s.causalOffset;
    // Nothing beyond the last row's last key needs to be computed.
    if (tile.clipped && tile.regular) tile.keys = std::min(keys, std::max<int64_t>(rows - tile.relative, 0));
  }
  return tile;
}

int64_t AttentionPlan::windowIndexOf(int64_t relative) const {
  return windowCenter() + std::clamp(relative, -reach, reach);
}

int64_t AttentionPlan::windowIndex(const AttentionTile& tile) const {
  // Out there the window is constant over the whole tile, wherever in the margin it starts.
  return windowCenter() + std::clamp(tile.relative, -reach - kBlockKeys, reach + kTileQueries);
}

void AttentionPlan::fillWindowBuckets(int32_t* buckets) const {
  for (int64_t i = 0; i < windowFloats(); ++i) {
    buckets[i] = int32_t(rule.bucket(std::clamp(i - windowCenter(), -reach, reach)));
  }
}

void AttentionPlan::fillWindows(const float* table, const int32_t* buckets, float* windows) const {
  const int64_t length = windowFloats();
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t i = 0; i < length; ++i) windows[h * length + i] = table[buckets[i] * heads + h];
  }
}

ForwardLayout::ForwardLayout(const AttentionPlan& plan, void* workspace) {
  const bool many = int64_t(plan.sequences.size()) * plan.heads >= kWantedTasks;
  chunk = (many ? 6 : 3) * kTileQueries;
  int64_t largest = 0;
  for (size_t s = 0; s < plan.sequences.size(); ++s) {
    const int64_t queries = plan.sequences[s].queries;
    for (int64_t q = 0; q < queries; q += chunk) {
      tasks.push_back({s, q, std::min(chunk, queries - q)});
      largest = std::max(largest, tasks.back().rows);
    }
  }
  largest = (largest + kTileQueries - 1) / kTileQueries * kTileQueries;
  Carver carve(workspace);
  windowBuckets = carve.ints(plan.windowFloats());
  windows = carve.floats(plan.windowFloats() * plan.heads);
  areas.resize(size_t(std::min<int64_t>(int64_t(tasks.size()) * plan.heads, scratchSlots())));
  for (Area& area : areas) {
    area.queries = carve.floats(largest * plan.padded);
    area.outputs = carve.floats(largest * plan.padded);
    area.max = carve.floats(largest);
    area.sum = carve.floats(largest);
    area.keysT = carve.floats(kBlockKeys * plan.padded);
    area.values = carve.floats(kBlockKeys * plan.padded);
    area.scores = carve.floats(kTileQueries * kBlockKeys);
  }
  bytes = carve.used();
}

BackwardLayout::BackwardLayout(const AttentionPlan& plan, bool sharedDense, void* workspace)
    : sharedDense(sharedDense) {
  const int64_t batches = int64_t(plan.sequences.size());
  int64_t longestQ = 0, longestK = 0;
  for (const AttentionSequence& s : plan.sequences) {
    longestQ = std::max(longestQ, s.queries);
    longestK = std::max(longestK, s.keys);
  }
  // At most four: every part but the first costs a partial dQ.
  const int64_t independent = std::max<int64_t>(plan.heads * (sharedDense ? 1 : batches), 1);
  splits = std::clamp<int64_t>(kWantedTasks / independent, 1, std::clamp<int64_t>(longestK / (2 * kBlockKeys), 1, 4));
  groups = splits * (sharedDense ? 1 : batches);

  const int64_t rows = std::min((longestQ + kTileQueries - 1) / kTileQueries * kTileQueries, kBackwardQueries);
  const int64_t window = plan.windowFloats();
  Carver carve(workspace);
  windowBuckets = carve.ints(window);
  windows = carve.floats(window * plan.heads);
  tablePartials = carve.floats(plan.hasTable ? groups * plan.heads * plan.rule.numBuckets : 0);
  dQPartials = carve.floats((splits - 1) * plan.nq * plan.heads * plan.size);
  areas.resize(size_t(std::min<int64_t>(groups * plan.heads, scratchSlots())));
  for (Area& area : areas) {
    for (float** packed : {&area.queries, &area.dO, &area.dQ}) *packed = carve.floats(rows * plan.padded);
    for (float** column : {&area.lse, &area.dots}) *column = carve.floats(rows);
    for (float** packed : {&area.keysT, &area.valuesT, &area.keys, &area.dK, &area.dV}) {
      *packed = carve.floats(kBlockKeys * plan.padded);
    }
    for (float** scores : {&area.scores, &area.dScores}) *scores = carve.floats(kTileQueries * kBlockKeys);
    area.diagonals = carve.floats(plan.hasTable ? kMaxLanes * (window + kMaxLanes) : 0);
  }
  bytes = carve.used();
}

size_t attentionFwdBytes(const OpCall& call) { return ForwardLayout(AttentionPlan(call), nullptr).bytes; }

size_t attentionBwdBytes(const OpCall& call) {
  const AttentionPlan plan(call);
  return BackwardLayout(plan, call.flag("wantDense") && plan.denseBatches == 1, nullptr).bytes;
}

}  // namespace duo::cpu
