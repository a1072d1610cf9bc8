// attentionBwd: with P = exp(S − lse), dP = dO·Vᵀ and dots = Σ dO·O of a row,
//   dS = P∘(dP − dots)     dQ = scale·dS·K     dK = scale·dSᵀ·Q     dV = Pᵀ·dO     dBias = dS
// and with dropout Z: dV from P∘Z, and dP∘Z for dP. S is computed anew, so memory is linear in the tokens.
// Dao 2023, FlashAttention-2, algorithm 2. arXiv:2307.08691
//
// Work: a task owns a part of the keys of one sequence and head. It packs up to 1152 query rows, walks over its blocks
// of 128 keys and for each over the tiles of 96 rows: five products a tile. dK and dV of a block stay in cache, dQ in
// the task's packed rows; where keys are cut in parts, the parts' dQ are summed in order. 10·D FLOP a score.
#include <functional>

#include "cpu/attention_diagonals.h"
#include "cpu/attention_scores.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

struct BackwardCall {
  const AttentionPlan& plan;
  const BackwardLayout& layout;
  ScoreSource source;
  AttentionRows q, k, v, o, dO;
  const float* lse;
  float *dQ, *dK, *dV, *dDense;

  int64_t rowFloats() const { return plan.heads * plan.size; }
};

// Keys [begin, end) of one sequence and head.
struct BackwardTask {
  const BackwardCall& call;
  const AttentionPlan& plan;
  const BackwardLayout::Area& area;
  Diagonals* diagonals;  // or null
  size_t sequence;
  int64_t head;
  int64_t begin, end;  // keys
  float* dQ;           // rows (Nq, H, D): the output, or this part's share of it

  const AttentionSequence& s() const { return plan.sequences[sequence]; }
  int64_t panels() const { return panelsOf(plan.size); }
  int64_t tileOffset(int64_t first) const { return first * panels() * kPanel; }

  // Rows [first, first + rows) of the sequence.
  void packQueries(int64_t first, int64_t rows) const {
    for (int64_t t = 0; t < rows; t += kTileQueries) {
      const int64_t row = s().firstQuery + first + t, count = std::min(kTileQueries, rows - t);
      packRows(call.q.at(row, head), call.q.rowStride, count, plan.size, plan.scale, area.queries + tileOffset(t),
               kTilePanel);
      packRows(call.dO.at(row, head), call.dO.rowStride, count, plan.size, 1.f, area.dO + tileOffset(t), kTilePanel);
      std::fill_n(area.dQ + tileOffset(t), panels() * kTilePanel, 0.f);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = s().firstQuery + first + i;
      prefetchRow(call.o.at(row - i, head), call.o.rowStride, i, rows, plan.size);
      area.dots[i] = dot(call.dO.at(row, head), call.o.at(row, head));
      const float lse = call.lse[head * plan.nq + row];
      // A row without keys: exp(−inf − inf) is 0, exp(−inf + inf) would be NaN.
      area.lse[i] = lse == -kInfinity ? kInfinity : lse;
    }
  }

  float dot(const float* a, const float* b) const {
    VecF total = VecF::zero();
    int64_t d = 0;
    for (; d + VecF::kLanes <= plan.size; d += VecF::kLanes) total = fma(VecF::load(a + d), VecF::load(b + d), total);
    if (d < plan.size) total = fma(VecF::load(a + d, plan.size - d), VecF::load(b + d, plan.size - d), total);
    return sum(total);
  }

  void packKeys(int64_t key, int64_t keys) const {
    const int64_t row = s().firstKey + key;
    packTransposed(call.k.at(row, head), call.k.rowStride, keys, plan.size, area.keysT);
    packTransposed(call.v.at(row, head), call.v.rowStride, keys, plan.size, area.valuesT);
    packRows(call.k.at(row, head), call.k.rowStride, keys, plan.size, plan.scale, area.keys, kBlockPanel);
    std::fill_n(area.dK, panels() * kBlockPanel, 0.f);
    std::fill_n(area.dV, panels() * kBlockPanel, 0.f);
  }

  // One panel of one row: dS over dP, and over S what dV is made from. `dropAt(k)`: what dropout does to columns from
  // k.
  template <typename DropAt>
  static void panelGradient(float* scores, float* gradients, float lse, float dots, const DropAt& dropAt) {
    const VecF l = VecF::fill(lse), d = VecF::fill(dots);
    for (int64_t k = 0; k < kPanel; k += VecF::kLanes) {
      const VecF p = expFlushed(VecF::load(scores + k) - l), gradient = VecF::load(gradients + k);
      const auto drop = dropAt(k);
      drop(p).store(scores + k);
      (p * (drop(gradient) - d)).store(gradients + k);
    }
  }

  // To the end of the last panel: its filling columns, whose scores are −inf, must come out as zeros.
  void scoreGradients(const AttentionTile& tile, const float* lse, const float* dots) const {
    const int64_t count = panelsOf(tile.keys);
    if (plan.dropout.active()) {
      for (int64_t r = 0; r < tile.rows; ++r) {
        const RowDropout dropout(plan, s(), tile, head, r);
        for (int64_t p = 0; p < count; ++p) {
          const int64_t at = p * kTilePanel + r * kPanel;
          panelGradient(area.scores + at, area.dScores + at, lse[r], dots[r],
                        [&](int64_t k) { return dropout.at(p * kPanel + k); });
        }
      }
      return;
    }
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t r = 0; r < tile.rows; ++r) {
        const int64_t at = p * kTilePanel + r * kPanel;
        panelGradient(area.scores + at, area.dScores + at, lse[r], dots[r], [](int64_t) { return std::identity(); });
      }
    }
  }

  void addDense(const AttentionTile& tile) const {
    for (int64_t r = 0; r < tile.rows; ++r) {
      float* row = call.dDense + plan.denseRow(sequence, head, tile.query + r) + tile.key;
      for (int64_t k = 0; k < tile.keys; ++k) row[k] += *scoreAt(area.dScores, r, k);
    }
  }

  // Tile `tile`, whose rows are packed from row `first` on.
  void addTile(const AttentionTile& tile, int64_t first) const {
    const float *queries = area.queries + tileOffset(first), *dO = area.dO + tileOffset(first);
    tileScores(call.source, sequence, head, tile, queries, area.keysT, area.scores);
    for (int64_t k = 0; k < tile.keys; k += kPanel) {
      product(tile.rows, dO, kTilePanel, area.valuesT + k * plan.size, plan.size, {kZeroRow, 0},
              scoreAt(area.dScores, 0, k));
    }
    scoreGradients(tile, area.lse + first, area.dots + first);
    for (int64_t k = 0; k < tile.keys; k += kPanel) {
      for (int64_t p = 0; p < panels(); ++p) {
        const int64_t c = p * kBlockPanel + k * kPanel;
        transposedProduct(scoreAt(area.scores, 0, k), dO + p * kTilePanel, tile.rows, area.dV + c);
        transposedProduct(scoreAt(area.dScores, 0, k), queries + p * kTilePanel, tile.rows, area.dK + c);
      }
    }
    for (int64_t p = 0; p < panels(); ++p) {
      float* c = area.dQ + tileOffset(first) + p * kTilePanel;
      product(tile.rows, area.dScores, kTilePanel, area.keys + p * kBlockPanel, tile.keys, {c, kPanel}, c);
    }
    if (diagonals) diagonals->add(s(), tile, area.dScores);
    if (call.dDense) addDense(tile);
  }

  void block(int64_t first, int64_t rows, int64_t key, int64_t keys) const {
    packKeys(key, keys);
    for (int64_t t = 0; t < rows; t += kTileQueries) {
      const AttentionTile tile = plan.tile(s(), first + t, std::min(kTileQueries, rows - t), key, keys);
      if (!tile.hidden) addTile(tile, t);
    }
    const int64_t to = (s().firstKey + key) * call.rowFloats() + head * plan.size;
    unpackRows(area.dK, kBlockPanel, keys, plan.size, 1.f, first > 0, call.dK + to, call.rowFloats());
    unpackRows(area.dV, kBlockPanel, keys, plan.size, 1.f, first > 0, call.dV + to, call.rowFloats());
  }

  void run() const {
    // At least once, so that keys that no query sees get their zeros.
    for (int64_t first = 0; first == 0 || first < s().queries; first += kBackwardQueries) {
      const int64_t rows = std::min(kBackwardQueries, s().queries - first);
      packQueries(first, rows);
      for (int64_t key = begin; key < end; key += kBlockKeys) block(first, rows, key, std::min(kBlockKeys, end - key));
      for (int64_t t = 0; t < rows; t += kTileQueries) {
        unpackRows(area.dQ + tileOffset(t), kTilePanel, std::min(kTileQueries, rows - t), plan.size, 1.f, false,
                   dQ + (s().firstQuery + first + t) * call.rowFloats() + head * plan.size, call.rowFloats());
      }
    }
  }
};

// Task `group` of a head: one part of the keys of one sequence, or of every sequence.
void runGroup(const BackwardCall& call, const BackwardLayout::Area& area, int64_t group, int64_t head) {
  const AttentionPlan& plan = call.plan;
  const BackwardLayout& layout = call.layout;
  const int64_t split = group % layout.splits;
  const size_t first = layout.sharedDense ? 0 : size_t(group / layout.splits);
  const size_t last = layout.sharedDense ? plan.sequences.size() : first + 1;
  std::optional<Diagonals> diagonals;
  if (layout.tablePartials) diagonals.emplace(plan, area.diagonals);
  for (size_t b = first; b < last; ++b) {
    const int64_t keys = plan.sequences[b].keys, blocks = (keys + kBlockKeys - 1) / kBlockKeys;
    const auto cut = [&](int64_t part) { return std::min(keys, part * blocks / layout.splits * kBlockKeys); };
    float* dQ = split == 0 ? call.dQ : layout.dQPartials + (split - 1) * plan.nq * call.rowFloats();
    BackwardTask{call, plan, area, diagonals ? &*diagonals : nullptr, b, head, cut(split), cut(split + 1), dQ}.run();
  }
  if (diagonals) {
    diagonals->intoBuckets(layout.windowBuckets,
                           layout.tablePartials + (group * plan.heads + head) * plan.rule.numBuckets);
  }
}

void sumPartialQueries(const BackwardCall& call) {
  const int64_t count = call.plan.nq * call.rowFloats();
  if (call.layout.splits == 1) return;
  parallelBlocks(count, /*grain=*/16384, [&](int64_t begin, int64_t end) {
    for (int64_t part = 0; part < call.layout.splits - 1; ++part) {
      const float* from = call.layout.dQPartials + part * count;
      for (int64_t i = begin; i < end; ++i) call.dQ[i] += from[i];
    }
  });
}

void sumTable(const BackwardCall& call, float* table) {
  const int64_t buckets = call.plan.rule.numBuckets, heads = call.plan.heads;
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t i = 0; i < buckets; ++i) {
      float total = 0.f;
      for (int64_t g = 0; g < call.layout.groups; ++g)
        total += call.layout.tablePartials[(g * heads + h) * buckets + i];
      table[i * heads + h] = total;
    }
  }
}

}  // namespace

void attentionBwd(const OpCall& op) {
  const AttentionPlan plan(op);
  plan.checkPositions();
  const bool wantsTable = op.wants("dBiasTable"), wantsDense = op.wants("dBiasDense");
  BackwardLayout layout(plan, wantsDense && plan.denseBatches == 1, op.workspace);
  if (plan.hasTable) {
    plan.fillWindowBuckets(layout.windowBuckets);
    plan.fillWindows(op.in("biasTable").f32(), layout.windowBuckets, layout.windows);
  }
  if (!wantsTable) layout.tablePartials = nullptr;
  float* dDense = wantsDense ? op.out("dBiasDense").f32() : nullptr;
  // Beyond the lengths of a sequence the dense bias has no use, and no gradient.
  if (dDense) {
    parallelBlocks(op.out("dBiasDense").count(), /*grain=*/65536,
                   [&](int64_t begin, int64_t end) { std::fill(dDense + begin, dDense + end, 0.f); });
  }
  const BackwardCall call{
      plan,
      layout,
      {plan, plan.hasTable ? layout.windows : nullptr, plan.hasDense ? op.in("biasDense").f32() : nullptr},
      rowsOf(op.in("q")),
      rowsOf(op.in("k")),
      rowsOf(op.in("v")),
      rowsOf(op.in("o")),
      rowsOf(op.in("dO")),
      op.in("lse").f32(),
      op.out("dQ").f32(),
      op.out("dK").f32(),
      op.out("dV").f32(),
      dDense};
  const int64_t count = layout.groups * plan.heads;
  parallelFor(count, [&](int64_t index, int worker) {
    const auto& area = layout.areas[count <= int64_t(layout.areas.size()) ? size_t(index) : size_t(worker)];
    runGroup(call, area, index / plan.heads, index % plan.heads);
  });
  sumPartialQueries(call);
  if (wantsTable) sumTable(call, op.out("dBiasTable").f32());
}

}  // namespace duo::cpu::DUO_ISA
