#include <algorithm>

#include "core/relative_position.h"
#include "core/rng.h"
#include "harness.h"

namespace duo::selftest {
namespace {

constexpr int64_t kHeads = 2, kBuckets = 8, kMaxDistance = 20;

struct Settings {
  const char* name;
  int64_t size;  // of a head
  bool causal, table, dense;
  double dropoutP;
};

// One row of one head: the keys that it sees, and for each the probability, its dropout factor and its bucket.
template <typename Real>
struct Row {
  int64_t head, query;
  std::vector<int64_t> keys, buckets, cells;
  Values<Real> p, factor;
  Real lse = 0;
};

template <typename Real>
struct Results {
  Values<Real> o, lse, dQ, dK, dV, dTable, dDense;
};

struct Case {
  Settings settings = {};
  std::vector<int32_t> offsetsQ = {0, 70, 71, 75}, offsetsK = {0, 70, 80, 117};
  double scale = 0.3;
  RandomSite site{3, 8, 2};
  int64_t longestQ = 70, longestK = 70;
  Array q, k, v, dO, table, dense;

  int64_t rowsQ() const { return offsetsQ.back(); }
  int64_t rowsK() const { return offsetsK.back(); }

  template <typename Real>
  Row<Real> row(size_t b, int64_t head, int64_t query) const {
    const int64_t size = settings.size, i = query - offsetsQ[b], firstKey = offsetsK[b], endKey = offsetsK[b + 1];
    // The last query sees the last key.
    const int64_t causalOffset = (endKey - firstKey) - (offsetsQ[b + 1] - offsetsQ[b]);
    const RelativePositionRule rule{kBuckets, !settings.causal, kMaxDistance};
    const DropoutRule dropout(settings.dropoutP);
    Row<Real> result{head, query, {}, {}, {}, {}, {}};
    Real max = -INFINITY, sum = 0;
    for (int64_t key = firstKey; key < endKey; ++key) {
      const int64_t j = key - firstKey, relative = j - i - causalOffset;
      if (settings.causal && relative > 0) continue;
      Real score = 0;
      for (int64_t d = 0; d < size; ++d)
        score += Real(q[(query * kHeads + head) * size + d]) * Real(k[(key * kHeads + head) * size + d]);
      score *= Real(scale);
      result.keys.push_back(key);
      result.buckets.push_back(rule.bucket(relative) * kHeads + head);
      result.cells.push_back(((int64_t(b) * kHeads + head) * longestQ + i) * longestK + j);
      if (settings.table) score += Real(table[result.buckets.back()]);
      if (settings.dense) score += Real(dense[result.cells.back()]);
      const uint64_t element = attentionDropoutStart(head, query, rowsQ()) + uint64_t(j);
      result.factor.push_back(Real(dropout.factor(draws(site, element / 8)[element % 8])));
      result.p.push_back(score);
      max = std::max(max, score);
    }
    for (Real& p : result.p) sum += p = std::exp(p - max);
    for (Real& p : result.p) p /= sum;
    result.lse = max + std::log(sum);
    return result;
  }

  // dP = (dO·Vᵀ)∘Z; dS = P∘(dP − Σ P·dP), which is the gradient of each bias
  template <typename Real>
  void add(const Row<Real>& row, Results<Real>& to) const {
    const int64_t size = settings.size, atQ = (row.query * kHeads + row.head) * size;
    Values<Real> dP;
    Real along = 0;
    for (size_t n = 0; n < row.keys.size(); ++n) {
      const int64_t atK = (row.keys[n] * kHeads + row.head) * size;
      const Real kept = row.p[n] * row.factor[n];
      Real dot = 0;
      for (int64_t d = 0; d < size; ++d) {
        to.o[size_t(atQ + d)] += kept * Real(v[atK + d]);
        to.dV[size_t(atK + d)] += kept * Real(dO[atQ + d]);
        dot += Real(dO[atQ + d]) * Real(v[atK + d]);
      }
      dP.push_back(dot * row.factor[n]);
      along += row.p[n] * dP.back();
    }
    for (size_t n = 0; n < row.keys.size(); ++n) {
      const int64_t atK = (row.keys[n] * kHeads + row.head) * size;
      const Real dS = row.p[n] * (dP[n] - along);
      to.dTable[size_t(row.buckets[n])] += dS;
      to.dDense[size_t(row.cells[n])] += dS;
      for (int64_t d = 0; d < size; ++d) {
        to.dQ[size_t(atQ + d)] += Real(scale) * dS * Real(k[atK + d]);
        to.dK[size_t(atK + d)] += Real(scale) * dS * Real(q[atQ + d]);
      }
    }
    to.lse[size_t(row.head * rowsQ() + row.query)] = row.lse;
  }

  template <typename Real>
  Results<Real> results() const {
    const auto zeros = [](const Array& like) { return Values<Real>(like.values.size()); };
    Results<Real> all{zeros(q),    Values<Real>(size_t(kHeads * rowsQ())), zeros(q), zeros(k), zeros(v), zeros(table),
                      zeros(dense)};
    for (size_t b = 0; b + 1 < offsetsQ.size(); ++b) {
      for (int64_t head = 0; head < kHeads; ++head) {
        for (int64_t query = offsetsQ[b]; query < offsetsQ[b + 1]; ++query) add(row<Real>(b, head, query), all);
      }
    }
    return all;
  }
};

void check(Harness& harness, const Settings& settings) {
  Case c;
  c.settings = settings;
  c.q = harness.random({c.rowsQ(), kHeads, settings.size}), c.dO = harness.random({c.rowsQ(), kHeads, settings.size});
  c.k = harness.random({c.rowsK(), kHeads, settings.size}), c.v = harness.random({c.rowsK(), kHeads, settings.size});
  c.table = harness.random({kBuckets, kHeads}), c.dense = harness.random({3, kHeads, c.longestQ, c.longestK});
  const Tensor offsetsQ = harness.offsets(c.offsetsQ), offsetsK = harness.offsets(c.offsetsK);

  Inputs inputs = {
      {"q", &c.q.tensor}, {"k", &c.k.tensor}, {"v", &c.v.tensor}, {"cuSeqlensQ", &offsetsQ}, {"cuSeqlensK", &offsetsK}};
  if (settings.table) inputs["biasTable"] = &c.table.tensor;
  if (settings.dense) inputs["biasDense"] = &c.dense.tensor;
  Attrs attrs = {{"scale", c.scale},
                 {"causal", double(settings.causal)},
                 {"bidirectional", double(!settings.causal)},
                 {"maxDistance", double(kMaxDistance)},
                 {"dropoutP", settings.dropoutP},
                 {"seed", double(c.site.seed)},
                 {"site", double(c.site.site)},
                 {"step", double(c.site.step)}};
  const auto forward = harness.run("attentionFwd", inputs, attrs);
  inputs.insert({{"o", &forward[0]}, {"lse", &forward[1]}, {"dO", &c.dO.tensor}});
  attrs.insert({{"wantTable", double(settings.table)}, {"wantDense", double(settings.dense)}});
  const auto backward = harness.run("attentionBwd", inputs, attrs);

  const auto exact = c.results<double>();
  const auto plain = c.results<float>();
  const auto expect = [&](const char* op, const char* what, const Tensor& got, auto of) {
    harness.expect(op, std::string(settings.name) + ", " + what, got, [&](auto zero) {
      if constexpr (std::is_same_v<decltype(zero), double>) {
        return of(exact);
      } else {
        return of(plain);
      }
    });
  };
  expect("attentionFwd", "o", forward[0], [](const auto& r) { return r.o; });
  expect("attentionFwd", "lse", forward[1], [](const auto& r) { return r.lse; });
  expect("attentionBwd", "dQ", backward[0], [](const auto& r) { return r.dQ; });
  expect("attentionBwd", "dK", backward[1], [](const auto& r) { return r.dK; });
  expect("attentionBwd", "dV", backward[2], [](const auto& r) { return r.dV; });
  if (settings.table) expect("attentionBwd", "dBiasTable", backward[3], [](const auto& r) { return r.dTable; });
  if (settings.dense) expect("attentionBwd", "dBiasDense", backward[4], [](const auto& r) { return r.dDense; });
}

}  // namespace

void checkAttention(Harness& harness) {
  check(harness, {.name = "plain", .size = 16, .causal = false, .table = false, .dense = false, .dropoutP = 0});
  check(harness,
        {.name = "causal with table", .size = 64, .causal = true, .table = true, .dense = false, .dropoutP = 0});
  check(harness,
        {.name = "table and dropout", .size = 13, .causal = false, .table = true, .dense = false, .dropoutP = 0.2});
  check(harness, {.name = "dense, causal", .size = 32, .causal = true, .table = false, .dense = true, .dropoutP = 0.1});
}

}  // namespace duo::selftest
