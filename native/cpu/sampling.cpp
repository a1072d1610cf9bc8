// Choosing tokens from rows of logits: argmax, top-k, beam candidates, sampling. One thread a row (a sentence for
// beams); each reads its logits once, sampleCategorical twice. Several at a time are drawn by Gumbel top-k (Kool et al.
// 2019, arXiv:1903.06059): the k largest of score − log(−log u) are k draws without replacement, in their order.
#include <algorithm>
#include <limits>
#include <span>

#include "core/rng.h"
#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kBlock = 512;
constexpr int32_t kNoToken = -1;  // what a row gets that cannot be chosen from

struct Candidate {
  float value;
  int32_t id;
};

bool better(const Candidate& a, const Candidate& b) { return a.value > b.value || (a.value == b.value && a.id < b.id); }

const float* rowOf(const TensorArg& logits, int64_t row) { return logits.f32() + row * logits.strides[0]; }

// The lowest row that was marked fails the op, whichever thread found it.
void expectChosen(const OpCall& call, const int32_t* ids, int64_t rows, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) {
    if (ids[row * stride] == kNoToken) {
      fail(ErrorCode::kData, call.def.name, call.def.usableRows, "others at row " + std::to_string(row));
    }
  }
}

// The k best of what it was shown, ids ascending, in a heap with the worst on top.
class Best {
 public:
  Best(Candidate* heap, int64_t k) : heap_(heap), k_(k) {}

  // Values first[i] + shift with ids from `id`; false when there is a NaN among them.
  bool add(const float* first, int64_t n, float shift, int64_t id) {
    int64_t i = 0;
    for (; i < n && size_ < k_; ++i) {
      const float value = first[i] + shift;
      if (std::isnan(value)) return false;
      heap_[size_++] = {value, int32_t(id + i)};
      std::push_heap(heap_, heap_ + size_, better);
    }
    const VecF add = VecF::fill(shift);
    for (; i < n; i += VecF::kLanes) {
      const int64_t lanes = std::min<int64_t>(n - i, VecF::kLanes);
      // Lanes beyond the row read as 0: they are left out below.
      const VecF values = VecF::load(first + i, lanes) + add;
      if (any(isNaN(values))) return false;
      if (!any(values > VecF::fill(heap_[0].value))) continue;
      for (int64_t j = i; j < i + lanes; ++j) offer({first[j] + shift, int32_t(id + j)});
    }
    return true;
  }

  void sort() { std::sort_heap(heap_, heap_ + size_, better); }

 private:
  // Ids come in ascending order, so that of equal values the one that is there stays.
  void offer(const Candidate& candidate) {
    if (!(candidate.value > heap_[0].value)) return;
    std::pop_heap(heap_, heap_ + size_, better);
    heap_[size_ - 1] = candidate;
    std::push_heap(heap_, heap_ + size_, better);
  }

  Candidate* heap_;
  int64_t k_, size_ = 0;
};

struct Peak {
  float value = -std::numeric_limits<float>::infinity();
  int32_t id = 0;
};

// The largest and its lowest id; kNoToken where there is a NaN.
Peak peakOf(const float* l, int64_t v) {
  Peak peak;
  for (int64_t i = 0; i < v; i += VecF::kLanes) {
    const int64_t lanes = std::min<int64_t>(v - i, VecF::kLanes);
    const VecF values = VecF::load(l + i, lanes);
    if (any(isNaN(values))) return {peak.value, kNoToken};
    if (!any(values > VecF::fill(peak.value))) continue;
    for (int64_t j = i; j < i + lanes; ++j) {
      if (l[j] > peak.value) peak = {l[j], int32_t(j)};
    }
  }
  return peak;
}

// e^(l − max) of up to kBlock logits; returns their sum.
double weightsOf(const float* l, int64_t n, float max, float* weights) {
  VecF total = VecF::zero();
  for (int64_t i = 0; i < n; i += VecF::kLanes) {
    const int64_t lanes = std::min<int64_t>(n - i, VecF::kLanes);
    const VecF w = expFlushed(VecF::load(l + i, lanes) - VecF::fill(max));
    w.store(weights + i, lanes);
    total = total + VecF::load(weights + i, lanes);
  }
  return sum(total);
}

// Inverse CDF: the first id at which the running sum of weights is above u times their whole sum.
int32_t drawFrom(const float* l, int64_t v, double u) {
  const Peak peak = peakOf(l, v);
  if (peak.id == kNoToken || std::isinf(peak.value)) return kNoToken;
  float weights[kBlock];
  double total = 0;
  for (int64_t start = 0; start < v; start += kBlock) {
    total += weightsOf(l + start, std::min(kBlock, v - start), peak.value, weights);
  }
  double left = u * total;
  int32_t chosen = peak.id;
  for (int64_t start = 0; start < v; start += kBlock) {
    const int64_t n = std::min(kBlock, v - start);
    const double block = weightsOf(l + start, n, peak.value, weights);
    if (left >= block) {
      left -= block;
      continue;
    }
    for (int64_t i = 0; i < n; ++i) {
      if (weights[i] == 0) continue;
      chosen = int32_t(start + i);
      if (left < double(weights[i])) return chosen;
      left -= double(weights[i]);
    }
    // Rounding left a little over: the block's last id with a weight.
    return chosen;
  }
  return chosen;
}

PhiloxWords wordsOf(const RandomSite& at, uint64_t group) {
  return philox(at.seed, {uint32_t(group), uint32_t(group >> 32), at.site, at.step});
}

// Gumbel noise of the words start … start + n − 1; the last lanes of the register that holds word n − 1 are written,
// too.
void gumbelNoise(const RandomSite& at, uint64_t start, int64_t n, float* noise) {
  // 23 bits and a half: no more fit in float32, where a u of 1 would be infinite noise.
  for (int64_t i = 0; i < n;) {
    const uint64_t index = start + uint64_t(i);
    const PhiloxWords words = wordsOf(at, index / 4);
    for (size_t w = size_t(index % 4); w < 4 && i < n; ++w, ++i) {
      noise[i] = (float(words[w] >> 9) + 0.5f) * 0x1p-23f;
    }
  }
  for (int64_t i = 0; i < n; i += VecF::kLanes) {
    const int64_t lanes = std::min<int64_t>(n - i, VecF::kLanes);
    const VecF exponential = VecF::zero() - log(VecF::load(noise + i, lanes));
    (VecF::zero() - log(exponential)).store(noise + i, lanes);
  }
}

RandomSite siteOf(const OpCall& call) {
  return {uint64_t(call.integer("seed")), uint32_t(call.integer("site")), uint32_t(call.integer("step"))};
}

// Which random stream each row draws from: its own number unless the call says.
class Streams {
 public:
  explicit Streams(const OpCall& call, int64_t rows) : streams_(call.in("streams").i32()) {
    for (int64_t row = 0; streams_ && row < rows; ++row) {
      if (streams_[row] >= 0) continue;
      fail(ErrorCode::kIndex, call.def.name, "streams >= 0",
           std::to_string(streams_[row]) + " at row " + std::to_string(row));
    }
  }
  int64_t operator[](int64_t row) const { return streams_ ? streams_[row] : row; }

 private:
  const int32_t* streams_;
};

// The k best of each sentence by the keys that `fill` shows to Best, false on a NaN; their scores are sums without
// noise.
template <typename Fill>
void chooseCandidates(const OpCall& call, const Fill& fill) {
  const TensorArg &logits = call.in("logits"), &before = call.in("beamScores");
  const int64_t sentences = call.dim("B"), beams = call.dim("b"), v = call.dim("V"), k = call.integer("k");
  float* scores = call.out("scores").f32();
  int32_t *parents = call.out("parents").as<int32_t>(), *tokens = call.out("tokens").as<int32_t>();
  parallelFor(sentences, [&](int64_t s, int) {
    Candidate* heap = call.scratch<Candidate>() + s * k;
    Best best(heap, k);
    if (!fill(best, s, beams)) {
      std::fill_n(parents + s * k, k, kNoToken);
      return;
    }
    best.sort();
    for (int64_t i = 0; i < k; ++i) {
      const int64_t beam = heap[i].id / v, token = heap[i].id % v, row = s * beams + beam;
      scores[s * k + i] = rowOf(logits, row)[token] + before.f32()[row];
      parents[s * k + i] = int32_t(beam);
      tokens[s * k + i] = int32_t(token);
    }
  });
  expectChosen(call, parents, sentences, k);
}

}  // namespace

void argmax(const OpCall& call) {
  const TensorArg &logits = call.in("logits"), &ids = call.out("ids");
  const int64_t rows = call.dim("R"), v = call.dim("V");
  parallelFor(rows, [&](int64_t row, int) { ids.as<int32_t>()[row] = peakOf(rowOf(logits, row), v).id; });
  expectChosen(call, ids.i32(), rows, 1);
}

void topK(const OpCall& call) {
  const TensorArg &logits = call.in("logits"), &values = call.out("values"), &ids = call.out("ids");
  const int64_t rows = call.dim("R"), v = call.dim("V"), k = call.integer("k");
  parallelFor(rows, [&](int64_t row, int) {
    Candidate* heap = call.scratch<Candidate>() + row * k;
    Best best(heap, k);
    const bool valid = best.add(rowOf(logits, row), v, 0, 0);
    best.sort();
    for (int64_t i = 0; i < k; ++i) {
      values.f32()[row * k + i] = heap[i].value;
      ids.as<int32_t>()[row * k + i] = valid ? heap[i].id : kNoToken;
    }
  });
  expectChosen(call, ids.i32(), rows, k);
}

void beamCandidates(const OpCall& call) {
  const TensorArg &logits = call.in("logits"), &before = call.in("beamScores");
  const int64_t v = call.dim("V");
  chooseCandidates(call, [&](Best& best, int64_t sentence, int64_t beams) {
    for (int64_t beam = 0; beam < beams; ++beam) {
      const int64_t row = sentence * beams + beam;
      if (!best.add(rowOf(logits, row), v, before.f32()[row], beam * v)) return false;
    }
    return true;
  });
}

void sampleCandidates(const OpCall& call) {
  const TensorArg &logits = call.in("logits"), &before = call.in("beamScores");
  const int64_t v = call.dim("V");
  const RandomSite at = siteOf(call);
  const Streams streams(call, call.dim("B"));
  chooseCandidates(call, [&](Best& best, int64_t sentence, int64_t beams) {
    float keys[kBlock];
    for (int64_t beam = 0; beam < beams; ++beam) {
      const int64_t row = sentence * beams + beam;
      const uint64_t word = (uint64_t(streams[sentence]) * uint64_t(beams) + uint64_t(beam)) * uint64_t(v);
      for (int64_t start = 0; start < v; start += kBlock) {
        const int64_t n = std::min(kBlock, v - start);
        gumbelNoise(at, word + uint64_t(start), n, keys);
        for (int64_t i = 0; i < n; ++i) keys[i] += rowOf(logits, row)[start + i];
        if (!best.add(keys, n, before.f32()[row], beam * v + start)) return false;
      }
    }
    return true;
  });
}

void runningBeams(const OpCall& call) {
  const TensorArg& ends = call.in("ends");
  const int64_t sentences = call.dim("B"), k = call.dim("k"), beams = call.integer("beams");
  const float* scores = call.in("scores").f32();
  const float demotion = call.f32("demotion");
  const int32_t *parents = call.in("parents").i32(), *tokens = call.in("tokens").i32();
  float* beamScores = call.out("beamScores").f32();
  int32_t *rows = call.out("rows").as<int32_t>(), *running = call.out("running").as<int32_t>();
  for (int64_t s = 0; s < sentences; ++s) {
    Candidate* ranked = call.scratch<Candidate>();
    for (int64_t i = 0; i < k; ++i) {
      const std::span<const int32_t> all(ends.i32(), size_t(ends.count()));
      const bool over = std::ranges::find(all, tokens[s * k + i]) != all.end();
      ranked[i] = {over ? scores[s * k + i] + demotion : scores[s * k + i], int32_t(i)};
    }
    std::partial_sort(ranked, ranked + beams, ranked + k, better);
    for (int64_t j = 0; j < beams; ++j) {
      const int64_t from = s * k + ranked[j].id, to = s * beams + j;
      beamScores[to] = ranked[j].value;
      rows[to] = int32_t(s * beams) + parents[from];
      running[to] = tokens[from];
    }
  }
}

void sampleCategorical(const OpCall& call) {
  const TensorArg &logits = call.in("logits"), &ids = call.out("ids");
  const int64_t rows = call.dim("R"), v = call.dim("V");
  const RandomSite at = siteOf(call);
  const Streams streams(call, rows);
  parallelFor(rows, [&](int64_t row, int) {
    ids.as<int32_t>()[row] = drawFrom(rowOf(logits, row), v, uniformDraw(at, streams[row]));
  });
  expectChosen(call, ids.i32(), rows, 1);
}

}  // namespace duo::cpu::DUO_ISA
