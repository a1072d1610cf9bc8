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

  float rowMax(int64_t r) const {
    VecF top[kPanelVecs];
    for (VecF& t : top) t = VecF::fill(-kInfinity);
    for (int64_t p = 0; p < panels; ++p) {
      const float* s = scores + p * kTilePanel + r * kPanel;
      for (int v = 0; v < kPanelVecs; ++v) top[v] = max(top[v], VecF::load(s + v * VecF::kLanes));
    }
    for (int v = 1; v < kPanelVecs; ++v) top[0] = max(top[0], top[v]);
    return maxOf(top[0]);
  }

  // Replaces the scores by their exponentials and returns the sum of those.
  float rowExp(int64_t r, float shift) const {
    const VecF by = VecF::fill(shift);
    VecF total[kPanelVecs];
    for (VecF& t : total) t = VecF::zero();
    for (int64_t p = 0; p < panels; ++p) {
      float* s = scores + p * kTilePanel + r * kPanel;
      for (int v = 0; v < kPanelVecs; ++v) {
        const VecF e = expFlushed(VecF::load(s + v * VecF::kLanes) - by);
        e.store(s + v * VecF::kLanes);
        total[v] = total[v] + e;
      }
    }
    for (int v = 1; v < kPanelVecs; ++v) total[0] = total[0] + total[v];
    return sum(total[0]);
  }

  void rescale(int64_t r, float factor) const {
    const VecF f = VecF::fill(factor);
    for (int64_t p = 0; p < outputPanels; ++p) {
      float* o = outputs + p * kTilePanel + r * kPanel;
      for (int v = 0; v < kPanelVecs; ++v) (VecF::load(o + v * VecF::kLanes) * f).store(o + v * VecF::kLanes);
    }
  }

  void run() const {
    for (int64_t r = 0; r < tile.rows; ++r) {
      const float before = highest[r], now = std::max(before, rowMax(r));
      // While a row has seen no key its maximum is −inf, from which nothing may be subtracted.
      const float shift = now == -kInfinity ? 0.f : now;
      const float factor = std::exp(before - shift);
      if (factor != 1.f) rescale(r, factor);
      totals[r] = totals[r] * factor + rowExp(r, shift);
      highest[r] = now;
    }
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
      const float* factors = rowFactors(plan, s, tile, head, r, area.factors);
      for (int64_t key = 0; key < tile.keys; key += VecF::kLanes) {
        float* p = scoreAt(area.scores, r, key);
        (VecF::load(p) * VecF::load(factors + key)).store(p);
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
    const int64_t stride = plan.heads * plan.size;
    for (int64_t i = 0; i < task.rows; ++i) {
      const int64_t row = s.firstQuery + task.query + i, first = i / kTileQueries * kTileQueries;
      const float total = area.sum[i];
      // A row without keys has the sum 0; NaN goes on.
      unpackRows(area.outputs + tileOffset(first) + (i - first) * kPanel, kTilePanel, 1, plan.size,
                 total == 0.f ? 0.f : 1.f / total, false, o + row * stride + head * plan.size, stride);
      lse[head * plan.nq + row] = total == 0.f ? -kInfinity : area.max[i] + std::log(total);
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
