// Filters on rows of logits, a block each. A removed token's score is −inf. The rules and their order of sums are those
// of native/cpu/warp_logits.cpp: what is kept by mass is found in rank order, in float64.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/lanes.cuh"
#include "cuda/kernels/logits_params.h"
#include "cuda/kernels/ranking.cuh"

using namespace duo::cuda;

namespace {

// In the order of warpLogits' `rule`.
enum class Rule { kTemperature, kTopK, kTopP, kMinP, kTypical, kEpsilon, kEta, kTopH };

constexpr int64_t kTopHTokens = 100;
constexpr int64_t kFirstRanks = 64;  // that are asked for: the kept tokens are mostly few

struct WarpMemory {
  RankingMemory ranking;
  double terms[RankingMemory::kKeys];  // of what is added in rank order
  double sum;
  int32_t kept;
};

// softmax of a row, as far as the rules ask: p = e^(l − max)/sum.
struct Distribution {
  float max;
  double sum, logSum;
  double entropy;  // nats

  __device__ double probability(float l) const { return exp(double(l) - double(max)) / sum; }
  // |information − entropy|, how far from typical a token is
  __device__ float surprise(float l) const { return float(fabs(logSum + double(max) - double(l) - entropy)); }
  // The logit at which the probability is p.
  __device__ float logitOf(double p) const { return float(double(max) + log(p * sum)); }
};

// `sums`: 2 · blocks floats of the row.
__device__ Distribution distributionOf(const RowValues& row, float max, int64_t blocks, float* sums) {
  sumBlocks(row.row, row.columns, max, blocks, sums, sums + blocks);
  __syncthreads();
  double sum = 0, weighted = 0;
  for (int64_t b = 0; b < blocks; ++b) sum += double(sums[b]), weighted += double(sums[blocks + b]);
  const double logSum = log(sum);
  return {max, sum, logSum, logSum - weighted / sum};
}

// The least surprising come first.
struct TypicalValues {
  const RowValues& row;
  const Distribution& distribution;

  __device__ int64_t count() const { return row.columns; }
  template <typename Fn>
  __device__ void forEach(const Fn& fn) const {
    row.forEach([&](float l, int64_t c) { fn(-distribution.surprise(l), c); });
  }
};

// scores = keep(l, column) ? l : −inf
template <typename Keep>
__device__ void filter(const RowValues& row, float* scores, const Keep& keep) {
  row.forEach([&](float l, int64_t c) { scores[c] = keep(l, c) ? l : -INFINITY; });
}

// The id at a rank from 0.
template <typename Values>
__device__ uint32_t idAt(Ranking<Values>& ranking, int64_t rank) {
  for (;;) {
    const int ready = ranking.next(rank + 1 < RankingMemory::kKeys ? rank + 1 : RankingMemory::kKeys);
    if (rank < ready) return ranking.id(int(rank));
    rank -= ready;
  }
}

__device__ float kthLargest(const RowValues& row, int64_t k, WarpMemory& memory) {
  Ranking<RowValues> ranking(row, Ties::kLowerIdFirst, memory.ranking);
  return row.row[idAt(ranking, k - 1)];
}

// The id of the last token, in rank order, before which the mass is below p, or fewer than minKept are kept.
template <typename Values>
__device__ uint32_t lastByMass(Ranking<Values>& ranking, const RowValues& row, const Distribution& distribution,
                               double p, int64_t minKept, WarpMemory& memory) {
  double mass = 0;  // of the first thread
  uint32_t last = 0;
  int64_t ranked = 0;
  for (int64_t wanted = kFirstRanks; ranked < row.columns; wanted = RankingMemory::kKeys) {
    const int ready = ranking.next(wanted);
    for (int i = threadIdx.x; i < ready; i += blockDim.x) {
      memory.terms[i] = distribution.probability(row.row[ranking.id(i)]);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int i = 0;
      for (; i < ready && (mass < p || ranked + i < minKept); ++i) mass += memory.terms[i];
      memory.kept = i;
    }
    __syncthreads();
    if (memory.kept > 0) last = ranking.id(memory.kept - 1);
    if (memory.kept < ready) break;
    ranked += ready;
  }
  return last;
}

// The best tokens until their mass reaches p. The reference sorts ascending, stably: of equal logits it reaches, from
// the end, the higher ids first.
__device__ void topP(const RowValues& row, const Distribution& distribution, double p, int64_t minKept, float* scores,
                     WarpMemory& memory) {
  Ranking<RowValues> ranking(row, Ties::kHigherIdFirst, memory.ranking);
  const uint32_t last = lastByMass(ranking, row, distribution, p, minKept, memory);
  const uint64_t least = ranking.keyOf(row.row[last], last);
  filter(row, scores, [&](float l, int64_t c) { return ranking.keyOf(l, c) >= least; });
}

// The most typical tokens until their mass reaches p, with all that are as typical as the last.
__device__ void typical(const RowValues& row, const Distribution& distribution, double p, int64_t minKept,
                        float* scores, WarpMemory& memory) {
  const TypicalValues values{row, distribution};
  Ranking<TypicalValues> ranking(values, Ties::kLowerIdFirst, memory.ranking);
  const uint32_t last = lastByMass(ranking, row, distribution, p, minKept, memory);
  const float threshold = distribution.surprise(row.row[last]);
  filter(row, scores, [&](float l, int64_t) { return distribution.surprise(l) <= threshold; });
}

// Tokens of at least the probability, and at least minKept of them.
__device__ void keepProbable(const RowValues& row, const Distribution& distribution, double probability,
                             int64_t minKept, float* scores, WarpMemory& memory) {
  const float least = minKept == 1 ? distribution.max : kthLargest(row, minKept, memory);
  const float wanted = distribution.logitOf(probability), threshold = wanted < least ? wanted : least;
  filter(row, scores, [&](float l, int64_t) { return !(l < threshold); });
}

// Of the best hundred, those whose terms of the entropy add up to at most h times it; at least minKept of them.
__device__ void topH(const RowValues& row, float max, double h, int64_t minKept, float* scores, WarpMemory& memory) {
  Ranking<RowValues> ranking(row, Ties::kLowerIdFirst, memory.ranking);
  const int n = int(row.columns < kTopHTokens ? row.columns : kTopHTokens);
  ranking.next(n);
  double* terms = memory.terms;
  for (int i = threadIdx.x; i < n; i += blockDim.x) terms[i] = exp(double(row.row[ranking.id(i)]) - double(max));
  __syncthreads();
  if (threadIdx.x == 0) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += terms[i];
    memory.sum = sum;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    const double p = terms[i] / memory.sum;
    terms[i] = p > 0 ? -p * log(p) : 0;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    double entropy = 0, used = 0;
    for (int i = 0; i < n; ++i) entropy += terms[i];
    int kept = 0;
    for (; kept < n; ++kept) {
      used += terms[kept];
      if (kept >= minKept && used > h * entropy) break;
    }
    memory.kept = kept;
  }
  __syncthreads();
  const uint64_t least = ranking.key(memory.kept - 1);
  filter(row, scores, [&](float l, int64_t c) { return ranking.keyOf(l, c) >= least; });
}

}  // namespace

// `sums`: 2 · blocks of each row. A row with a NaN or +inf is reported, and loses all its tokens.
extern "C" __global__ void warpLogits(LogitRows logits, int rule, double value, int64_t minKept, int64_t blocks,
                                      float* sums, float* scores, Reporter reporter) {
  __shared__ WarpMemory memory;
  __shared__ float scratch[kWarp];
  const int64_t v = logits.vocabulary;
  for (int64_t r = blockIdx.x; r < logits.rows; r += gridDim.x) {
    const RowValues row{logits.data + r * logits.stride, v};
    float* y = scores + r * v;
    float max = -INFINITY;
    bool usable = true;
    row.forEach([&](float l, int64_t) {
      usable &= l < INFINITY;
      max = Max()(max, l);
    });
    max = blockMax(max, scratch);
    usable = __syncthreads_and(usable);
    if (threadIdx.x == 0 && !usable) reportRow(reporter.error, reporter.call, r);

    if (!usable) {
      filter(row, y, [](float, int64_t) { return false; });
    } else if (Rule(rule) == Rule::kTemperature) {
      row.forEach([&](float l, int64_t c) { y[c] = l / float(value); });
    } else if (Rule(rule) == Rule::kTopK) {
      const int64_t most = value < double(v) ? int64_t(value) : v;
      const float threshold = kthLargest(row, most > minKept ? most : minKept, memory);
      filter(row, y, [&](float l, int64_t) { return !(l < threshold); });
    } else if (max == -INFINITY) {
      filter(row, y, [](float, int64_t) { return false; });
    } else if (Rule(rule) == Rule::kTopH) {
      topH(row, max, value, minKept, y, memory);
    } else {
      const Distribution d = distributionOf(row, max, blocks, sums + r * 2 * blocks);
      if (Rule(rule) == Rule::kTopP) {
        topP(row, d, value, minKept, y, memory);
      } else if (Rule(rule) == Rule::kTypical) {
        typical(row, d, value, minKept, y, memory);
      } else {
        double least = value;
        if (Rule(rule) == Rule::kMinP) least = value / d.sum;
        if (Rule(rule) == Rule::kEta) least = fmin(value, sqrt(value) * exp(-d.entropy));
        keepProbable(row, d, least, minKept, y, memory);
      }
    }
    __syncthreads();
  }
}
