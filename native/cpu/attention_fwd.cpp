// attentionFwd: O = softmax(scale·Q·Kᵀ + bias)·V over packed sequences, the softmax online, scores only tile by tile.
// Dao 2023, FlashAttention-2, algorithm 1. arXiv:2307.08691
//
// Work: a task is up to 576 query rows of one sequence and head. It walks over blocks of 128 keys, packs each once, and
// for each tile of 96 rows makes the scores (their sums start from the bias), takes the exponentials and adds P·V.
// Bytes: reads Q and O's rows once, K and V once a task; a tile of scores lives in cache. 4·D FLOP a score.
#include "cpu/attention_scores.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

// exp of a tile's scores against the running maximum of each row; rescales what the rows have summed up so far.
struct TileSoftmax {
  const AttentionTile& tile;
  int64_t panels;
  float *scores, *outputs;  // packed
  int64_t outputPanels;
  float *highest, *totals;  // of each row so far

  // The maximum of a row is that of these lanes.
  VecF rowMax(int64_t r) const {
    VecF top[kPanelVecs];
    for (VecF& t : top) t = VecF::fill(-kInfinity);
    for (int64_t p = 0; p < panels; ++p) {
      const float* s = scores + p * kTilePanel + r * kPanel;
      for (int v = 0; v < kPanelVecs; ++v) top[v] = max(top[v], VecF::load(s + v * VecF::kLanes));
    }
    for (int v = 1; v < kPanelVecs; ++v) top[0] = max(top[0], top[v]);
    return top[0];
  }

  // Replaces the scores by their exponentials; the sum of those is that of these lanes.
  VecF rowExp(int64_t r, VecF shift) const {
    VecF total[kPanelVecs];
    for (VecF& t : total) t = VecF::zero();
    for (int64_t p = 0; p < panels; ++p) {
      float* s = scores + p * kTilePanel + r * kPanel;
      for (int v = 0; v < kPanelVecs; ++v) {
        const VecF e = expFlushed(VecF::load(s + v * VecF::kLanes) - shift);
        e.store(s + v * VecF::kLanes);
        total[v] = total[v] + e;
      }
    }
    for (int v = 1; v < kPanelVecs; ++v) total[0] = total[0] + total[v];
    return total[0];
  }

  void rescale(int64_t r, float factor) const {
    const VecF f = VecF::fill(factor);
    for (int64_t p = 0; p < outputPanels; ++p) {
      float* o = outputs + p * kTilePanel + r * kPanel;
      for (int v = 0; v < kPanelVecs; ++v) (VecF::load(o + v * VecF::kLanes) * f).store(o + v * VecF::kLanes);
    }
  }

  // As many rows as a register has lanes, so that what there is one of for each row is computed for all at once.
  void rows(int64_t first, int64_t count) const {
    VecF lanes[VecF::kLanes];
    const auto each = [&](const auto& row) {
      for (int64_t i = 0; i < VecF::kLanes; ++i) lanes[i] = i < count ? row(i) : VecF::zero();
    };
    each([&](int64_t i) { return rowMax(first + i); });
    const VecF before = VecF::load(highest + first), none = VecF::fill(-kInfinity);
    const VecF now = max(reduceEach(lanes, [](VecF a, VecF b) { return max(a, b); }), before);
    // While a row has seen no key its maximum is −inf, from which nothing may be subtracted.
    const VecF shift = select(now > none, now, VecF::zero()), factor = expFlushed(before - shift);
    float shifts[VecF::kLanes], factors[VecF::kLanes];
    shift.store(shifts), factor.store(factors);
    for (int64_t i = 0; i < count; ++i) {
      // Until a row has seen a key there is nothing to rescale.
      if (factors[i] != 1.f && highest[first + i] > -kInfinity) rescale(first + i, factors[i]);
    }
    each([&](int64_t i) { return rowExp(first + i, VecF::fill(shifts[i])); });
    const VecF added = reduceEach(lanes, [](VecF a, VecF b) { return a + b; });
    fma(VecF::load(totals + first), factor, added).store(totals + first);
    now.store(highest + first);
  }

  void run() const {
    for (int64_t r = 0; r < tile.rows; r += VecF::kLanes) rows(r, std::min<int64_t>(tile.rows - r, VecF::kLanes));
  }
};

struct ForwardTask {
  const ScoreSource& source;
  const AttentionPlan& plan;
  const ForwardLayout::Task& task;
  const ForwardLayout::Area& area;
  int64_t head;
  AttentionRows q, k, v;

  int64_t outputPanels() const { return panelsOf(plan.size); }
  // Of the packed rows of the tile that starts at row `first` of the task.
  int64_t tileOffset(int64_t first) const { return first * outputPanels() * kPanel; }

  void begin() const {
    const AttentionSequence& s = plan.sequences[task.sequence];
    for (int64_t first = 0; first < task.rows; first += kTileQueries) {
      packRows(q.at(s.firstQuery + task.query + first, head), q.rowStride, std::min(kTileQueries, task.rows - first),
               plan.size, plan.scale, area.queries + tileOffset(first), kTilePanel);
      std::fill_n(area.outputs + tileOffset(first), outputPanels() * kTilePanel, 0.f);
    }
    std::fill_n(area.max, task.rows, -kInfinity);
    std::fill_n(area.sum, task.rows, 0.f);
  }

  void dropOut(const AttentionTile& tile) const {
    const AttentionSequence& s = plan.sequences[task.sequence];
    for (int64_t r = 0; r < tile.rows; ++r) {
      const RowDropout dropout(plan, s, tile, head, r);
      for (int64_t key = 0; key < tile.keys; key += VecF::kLanes) {
        float* p = scoreAt(area.scores, r, key);
        dropout.at(key)(VecF::load(p)).store(p);
      }
    }
  }

  void block(int64_t key, int64_t keys) const {
    const AttentionSequence& s = plan.sequences[task.sequence];
    packTransposed(k.at(s.firstKey + key, head), k.rowStride, keys, plan.size, area.keysT);
    packRows(v.at(s.firstKey + key, head), v.rowStride, keys, plan.size, 1.f, area.values, kBlockPanel);
    for (int64_t first = 0; first < task.rows; first += kTileQueries) {
      const int64_t rows = std::min(kTileQueries, task.rows - first);
      const AttentionTile tile = plan.tile(s, task.query + first, rows, key, keys);
      if (tile.hidden) continue;
      tileScores(source, task.sequence, head, tile, area.queries + tileOffset(first), area.keysT, area.scores);
      float* outputs = area.outputs + tileOffset(first);
      TileSoftmax{tile, panelsOf(tile.keys), area.scores, outputs, outputPanels(), area.max + first, area.sum + first}
          .run();
      if (plan.dropout.active()) dropOut(tile);
      for (int64_t p = 0; p < outputPanels(); ++p) {
        float* c = outputs + p * kTilePanel;
        product(rows, area.scores, kTilePanel, area.values + p * kBlockPanel, tile.keys, {c, kPanel}, c);
      }
    }
  }

  void finish(float* o, float* lse) const {
    const AttentionSequence& s = plan.sequences[task.sequence];
    const int64_t stride = plan.heads * plan.size, firstRow = s.firstQuery + task.query;
    for (int64_t first = 0; first < task.rows; first += VecF::kLanes) {
      const int64_t count = std::min<int64_t>(task.rows - first, VecF::kLanes);
      const VecF total = VecF::load(area.sum + first), one = VecF::fill(1.f);
      // A row without keys has the sum 0; NaN goes on.
      const VecF logTotal = VecF::load(area.max + first) + log(total);
      float factors[VecF::kLanes], logs[VecF::kLanes];
      select(total < VecF::fill(0x1p-126f), VecF::zero(), one / total).store(factors);
      logTotal.store(logs);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t row = firstRow + first + i, tile = (first + i) / kTileQueries * kTileQueries;
        unpackRows(area.outputs + tileOffset(tile) + (first + i - tile) * kPanel, kTilePanel, 1, plan.size, factors[i],
                   false, o + row * stride + head * plan.size, stride);
        lse[head * plan.nq + row] = logs[i];
      }
    }
  }
};

}  // namespace

void attentionFwd(const OpCall& call) {
  const AttentionPlan plan(call);
  plan.checkPositions();
  const ForwardLayout layout(plan, call.workspace);
  if (plan.hasTable) {
    plan.fillWindowBuckets(layout.windowBuckets);
    plan.fillWindows(call.in("biasTable").f32(), layout.windowBuckets, layout.windows);
  }
  const ScoreSource source{plan, plan.hasTable ? layout.windows : nullptr,
                           plan.hasDense ? call.in("biasDense").f32() : nullptr};
  const AttentionRows q = rowsOf(call.in("q")), k = rowsOf(call.in("k")), v = rowsOf(call.in("v"));
  float *o = call.out("o").f32(), *lse = call.out("lse").f32();
  const int64_t count = int64_t(layout.tasks.size()) * plan.heads;
  parallelFor(count, [&](int64_t index, int worker) {
    const auto& area = layout.areas[count <= int64_t(layout.areas.size()) ? size_t(index) : size_t(worker)];
    const ForwardLayout::Task& rows = layout.tasks[size_t(index / plan.heads)];
    const ForwardTask task{source, plan, rows, area, index % plan.heads, q, k, v};
    task.begin();
    const int64_t keys = plan.sequences[rows.sequence].keys;
    for (int64_t key = 0; key < keys; key += kBlockKeys) task.block(key, std::min(kBlockKeys, keys - key));
    task.finish(o, lse);
  });
}

}  // namespace duo::cpu::DUO_ISA
