// Filters on rows of logits. A removed token's score is -inf. One thread a row.
// Semantics of Hugging Face's logits warpers. Top-p: Holtzman et al. 2020, arXiv:1904.09751; typical: Meister et al.
// 2022, arXiv:2202.00666; epsilon and eta: Hewitt et al. 2022, arXiv:2210.15191; min-p: Nguyen et al. 2024,
// arXiv:2407.01082; top-h: Potraghloo et al. 2025, arXiv:2509.02510.
#include <algorithm>
#include <limits>

#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kBlock = 512;  // terms that are added in float32 before they go into a double
constexpr int64_t kTopHTokens = 100;

enum class Rule { kTemperature, kTopK, kTopP, kMinP, kTypical, kEpsilon, kEta, kTopH };

// softmax of a row, as far as the rules ask: p = e^(l − max)/sum.
struct Distribution {
  float max = -kInfinity;
  double sum = 0;
  double entropy = 0;  // nats

  double probability(float l) const { return std::exp(double(l) - double(max)) / sum; }
  // |information − entropy|, how far from typical a token is
  float surprise(float l) const { return float(std::fabs(std::log(sum) + double(max) - double(l) - entropy)); }
  // The logit at which the probability is p.
  float logitOf(double p) const { return float(double(max) + std::log(p * sum)); }
};

float maxOfRow(const float* l, int64_t v) {
  float max = -kInfinity;
  for (int64_t i = 0; i < v; ++i) max = l[i] > max ? l[i] : max;
  return max;
}

Distribution distributionOf(const float* l, int64_t v, float peak) {
  Distribution d;
  d.max = peak;
  double weighted = 0;
  for (int64_t start = 0; start < v; start += kBlock) {
    VecF weights = VecF::zero(), products = VecF::zero();
    for (int64_t i = start; i < std::min(start + kBlock, v); i += VecF::kLanes) {
      const int64_t lanes = std::min<int64_t>(v - i, VecF::kLanes);
      float x[VecF::kLanes];
      std::fill_n(x, VecF::kLanes, -kInfinity);
      std::copy_n(l + i, lanes, x);
      // Bounded below, where e^x is 0 already, so that 0 · -inf never happens.
      const VecF below = max(VecF::fill(-200), VecF::load(x) - VecF::fill(peak)), e = expFlushed(below);
      weights = weights + e;
      products = fma(e, below, products);
    }
    d.sum += double(sum(weights));
    weighted += double(sum(products));
  }
  d.entropy = std::log(d.sum) - weighted / d.sum;
  return d;
}

struct Ranked {
  float key;
  int32_t id;
};

// The items in order, sorted only as far as they are asked for: the kept tokens are mostly few.
template <typename Before>
class Ranking {
 public:
  Ranking(Ranked* items, int64_t count, Before before) : items_(items), count_(count), before_(before) {}

  const Ranked& operator[](int64_t i) {
    while (i >= sorted_) {
      const int64_t next = std::min(count_, std::max<int64_t>(64, 4 * sorted_));
      if (next < count_) std::nth_element(items_ + sorted_, items_ + next, items_ + count_, before_);
      std::sort(items_ + sorted_, items_ + next, before_);
      sorted_ = next;
    }
    return items_[i];
  }

 private:
  Ranked* items_;
  int64_t count_, sorted_ = 0;
  Before before_;
};

const auto kLowerIdFirst = [](const Ranked& a, const Ranked& b) {
  return a.key > b.key || (a.key == b.key && a.id < b.id);
};
// The reference sorts ascending, stably: of equal logits it reaches, from the end, the higher ids first.
const auto kHigherIdFirst = [](const Ranked& a, const Ranked& b) {
  return a.key > b.key || (a.key == b.key && a.id > b.id);
};
const auto kSmallestFirst = [](const Ranked& a, const Ranked& b) {
  return a.key < b.key || (a.key == b.key && a.id < b.id);
};

struct Row {
  const float* l;
  float* y;
  int64_t v;
  int64_t minKept;
  Ranked* items;

  void rank() const {
    for (int64_t i = 0; i < v; ++i) items[i] = {l[i], int32_t(i)};
  }
  void removeAll() const { std::fill_n(y, v, -kInfinity); }
  void keep(const Ranked& item) const { y[item.id] = l[item.id]; }
  void keepFrom(float threshold) const {
    for (int64_t i = 0; i < v; ++i) y[i] = l[i] < threshold ? -kInfinity : l[i];
  }

  float largest(int64_t k) const {
    rank();
    std::nth_element(items, items + k - 1, items + v, kLowerIdFirst);
    return items[k - 1].key;
  }
  // Tokens of at least the probability, and at least minKept of them.
  void keepProbable(const Distribution& d, double probability) const {
    const float threshold = d.logitOf(probability);
    keepFrom(std::min(threshold, minKept == 1 ? d.max : largest(minKept)));
  }

  // The best tokens until their mass reaches p.
  void topP(const Distribution& d, double p) const {
    rank();
    removeAll();
    Ranking ranking(items, v, kHigherIdFirst);
    double mass = 0;
    for (int64_t i = 0; i < v && (mass < p || i < minKept); ++i) {
      keep(ranking[i]);
      mass += d.probability(ranking[i].key);
    }
  }

  // The most typical tokens until their mass reaches p, with all that are as typical as the last.
  void typical(const Distribution& d, double p) const {
    for (int64_t i = 0; i < v; ++i) items[i] = {d.surprise(l[i]), int32_t(i)};
    Ranking ranking(items, v, kSmallestFirst);
    double mass = 0;
    int64_t last = 0;
    for (; last < v - 1; ++last) {
      mass += d.probability(l[ranking[last].id]);
      if (mass >= p) break;
    }
    const float threshold = std::max(ranking[last].key, ranking[minKept - 1].key);
    for (int64_t i = 0; i < v; ++i) y[i] = d.surprise(l[i]) > threshold ? -kInfinity : l[i];
  }

  // Of the best hundred, those whose terms of the entropy add up to at most h times it; at least the best.
  void topH(float max, double h) const {
    rank();
    removeAll();
    const int64_t n = std::min(kTopHTokens, v);
    Ranking ranking(items, v, kLowerIdFirst);
    double sum = 0, entropy = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::exp(double(ranking[i].key) - double(max));
    const auto term = [&](int64_t i) {
      const double p = std::exp(double(ranking[i].key) - double(max)) / sum;
      return p > 0 ? -p * std::log(p) : 0;
    };
    for (int64_t i = 0; i < n; ++i) entropy += term(i);
    double used = 0;
    for (int64_t i = 0; i < n; ++i) {
      used += term(i);
      if (i >= minKept && used > h * entropy) break;
      keep(ranking[i]);
    }
  }
};

void warpRow(Rule rule, const Row& row, double value) {
  const float max = maxOfRow(row.l, row.v);
  if (rule == Rule::kTemperature) {
    for (int64_t i = 0; i < row.v; ++i) row.y[i] = row.l[i] / float(value);
    return;
  }
  if (rule == Rule::kTopK) {
    return row.keepFrom(row.largest(std::clamp<int64_t>(int64_t(std::min(value, 1e15)), row.minKept, row.v)));
  }
  if (max == -kInfinity) return row.removeAll();
  if (rule == Rule::kTopH) return row.topH(max, value);
  const Distribution d = distributionOf(row.l, row.v, max);
  switch (rule) {
    case Rule::kTopP: return row.topP(d, value);
    case Rule::kMinP: return row.keepProbable(d, value / d.sum);
    case Rule::kTypical: return row.typical(d, value);
    case Rule::kEpsilon: return row.keepProbable(d, value);
    default: return row.keepProbable(d, std::min(value, std::sqrt(value) * std::exp(-d.entropy)));
  }
}

const float* rowOf(const TensorArg& logits, int64_t row) { return logits.f32() + row * logits.strides[0]; }

// Marks rows with NaN or +inf; the lowest fails the op before anything is written.
void expectUsable(const OpCall& call, char* marks) {
  const TensorArg& logits = call.in("logits");
  const int64_t rows = call.dim("R"), v = call.dim("V");
  parallelFor(rows, [&](int64_t row, int) {
    const float* l = rowOf(logits, row);
    bool usable = true;
    for (int64_t i = 0; i < v; ++i) usable &= l[i] < kInfinity;
    marks[row] = usable;
  });
  const char* bad = std::find(marks, marks + rows, char(0));
  if (bad == marks + rows) return;
  fail(ErrorCode::kData, call.def.name, call.def.usableRows, "others at row " + std::to_string(bad - marks));
}

}  // namespace

void warpLogits(const OpCall& call) {
  const int64_t rows = call.dim("R"), v = call.dim("V");
  if (v == 0) return;
  expectUsable(call, call.scratch<char>());
  Ranked* items = reinterpret_cast<Ranked*>(call.scratch<char>() + (rows + 7) / 8 * 8);
  const int64_t minKept = std::min(call.integer("minTokensToKeep"), v);
  parallelFor(rows, [&](int64_t row, int worker) {
    const Row r = {rowOf(call.in("logits"), row), call.out("scores").f32() + row * v, v, minKept, items + worker * v};
    warpRow(Rule(call.integer("rule")), r, call.number("value"));
  });
}

}  // namespace duo::cpu::DUO_ISA
