// Choosing tokens from rows of logits, a block each. Rows with a NaN are reported and get no token.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/lanes.cuh"
#include "cuda/kernels/logits_params.h"
#include "cuda/kernels/philox.cuh"
#include "cuda/kernels/ranking.cuh"

using namespace duo::cuda;

namespace {

constexpr int32_t kNoToken = -1;  // what a row gets that cannot be chosen from

__device__ const float* rowOf(const LogitRows& logits, int64_t row) { return logits.data + row * logits.stride; }

struct Later {
  static constexpr uint64_t kStart = 0;
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};

// The largest logit and its lowest id, the same in every thread; kNoToken where there is a NaN.
struct Peak {
  float value;
  int32_t id;
};
__device__ Peak peakOf(const float* row, int64_t columns, uint64_t* scratch) {
  uint64_t best = 0;
  bool nan = false;
  forColumns(row, columns, [&](float x, int64_t c) {
    nan |= x != x;
    best = Later()(best, uint64_t(orderedBits(x)) << 32 | ~uint32_t(c));
  });
  best = blockReduce(best, Later(), scratch);
  const int32_t id = int32_t(~uint32_t(best));
  if (__syncthreads_or(nan)) return {0.f, kNoToken};
  return {row[id], id};
}

// The stream that `row` draws from: its own number unless the caller says.
__device__ int64_t streamOf(const int32_t* streams, int64_t row, const Reporter& reporter) {
  if (!streams) return row;
  const int64_t stream = streams[row];
  if (stream >= 0) return stream;
  reportIndex(reporter.error, reporter.call, stream, int64_t(1) << 31);
  return 0;
}

// Gumbel noise of a random word: of 23 bits of it, as no more and a half fit in float32.
__device__ float gumbel(uint32_t word) {
  const float u = (float(word >> 9) + 0.5f) * 0x1p-23f;
  return -logAsOnCpu(-logAsOnCpu(u));
}

// The sums logits + beamScores of a sentence's beams, one beam after the other.
struct BeamValues {
  const LogitRows& logits;
  const float* beamScores;
  int64_t sentence, beams;

  __device__ int64_t count() const { return beams * logits.vocabulary; }
  template <typename Fn>
  __device__ void forEach(const Fn& fn) const {
    for (int64_t beam = 0; beam < beams; ++beam) {
      const int64_t row = sentence * beams + beam, first = beam * logits.vocabulary;
      const float before = beamScores[row];
      forColumns(rowOf(logits, row), logits.vocabulary, [&](float x, int64_t c) { fn(x + before, first + c); });
    }
  }
};

struct Candidates {
  float* scores;
  int32_t *parents, *tokens;
  int64_t k;
};

// The k best of one sentence's values; their scores are sums without noise.
template <typename Values>
__device__ void choose(const Values& values, const LogitRows& logits, const float* beamScores, int64_t sentence,
                       int64_t beams, const Candidates& out, RankingMemory& memory, const Reporter& reporter) {
  Ranking<Values> ranking(values, Ties::kLowerIdFirst, memory);
  for (int64_t done = 0; done < out.k;) {
    const int ready = ranking.next(out.k - done < RankingMemory::kKeys ? out.k - done : RankingMemory::kKeys);
    for (int64_t i = threadIdx.x; i < ready && done + i < out.k; i += blockDim.x) {
      const uint32_t id = ranking.id(int(i)), beam = id / uint32_t(logits.vocabulary);
      const uint32_t token = id - beam * uint32_t(logits.vocabulary);
      const int64_t row = sentence * beams + beam, to = sentence * out.k + done + i;
      const bool valid = !ranking.hasNaN();
      out.scores[to] = rowOf(logits, row)[token] + beamScores[row];
      out.parents[to] = valid ? int32_t(beam) : kNoToken;
      out.tokens[to] = valid ? int32_t(token) : kNoToken;
    }
    done += ready;
  }
  if (threadIdx.x == 0 && ranking.hasNaN()) reportRow(reporter.error, reporter.call, sentence);
}

}  // namespace

extern "C" __global__ void argmax(LogitRows logits, int32_t* ids, Reporter reporter) {
  __shared__ uint64_t scratch[kWarp];
  for (int64_t r = blockIdx.x; r < logits.rows; r += gridDim.x) {
    const Peak peak = peakOf(rowOf(logits, r), logits.vocabulary, scratch);
    if (threadIdx.x == 0) {
      ids[r] = peak.id;
      if (peak.id == kNoToken) reportRow(reporter.error, reporter.call, r);
    }
  }
}

extern "C" __global__ void topK(LogitRows logits, int64_t k, float* values, int32_t* ids, Reporter reporter) {
  __shared__ RankingMemory memory;
  for (int64_t r = blockIdx.x; r < logits.rows; r += gridDim.x) {
    const RowValues row{rowOf(logits, r), logits.vocabulary};
    Ranking<RowValues> ranking(row, Ties::kLowerIdFirst, memory);
    for (int64_t done = 0; done < k;) {
      const int ready = ranking.next(k - done < RankingMemory::kKeys ? k - done : RankingMemory::kKeys);
      for (int64_t i = threadIdx.x; i < ready && done + i < k; i += blockDim.x) {
        const uint32_t id = ranking.id(int(i));
        values[r * k + done + i] = row.row[id];
        ids[r * k + done + i] = ranking.hasNaN() ? kNoToken : int32_t(id);
      }
      done += ready;
    }
    if (threadIdx.x == 0 && ranking.hasNaN()) reportRow(reporter.error, reporter.call, r);
  }
}

extern "C" __global__ void beamCandidates(LogitRows logits, const float* beamScores, int64_t sentences, int64_t beams,
                                          Candidates out, Reporter reporter) {
  __shared__ RankingMemory memory;
  for (int64_t s = blockIdx.x; s < sentences; s += gridDim.x) {
    choose(BeamValues{logits, beamScores, s, beams}, logits, beamScores, s, beams, out, memory, reporter);
  }
}

// A thread each sentence: its candidates are few. Each beam is the best after the one before it.
extern "C" __global__ void runningBeams(const float* scores, const int32_t* parents, const int32_t* tokens,
                                        const int32_t* ends, int64_t endCount, float demotion, int64_t sentences,
                                        int64_t k, int64_t beams, float* beamScores, int32_t* rows, int32_t* running) {
  for (int64_t s = globalThread(); s < sentences; s += globalThreads()) {
    const auto scoreOf = [&](int64_t i) {
      for (int64_t e = 0; e < endCount; ++e) {
        if (tokens[s * k + i] == ends[e]) return scores[s * k + i] + demotion;
      }
      return scores[s * k + i];
    };
    float before = INFINITY;
    int64_t last = -1;
    for (int64_t j = 0; j < beams; ++j) {
      float best = 0.f;
      int64_t chosen = -1;
      for (int64_t i = 0; i < k; ++i) {
        const float score = scoreOf(i);
        const bool left = score < before || (score == before && i > last);
        if (left && (chosen < 0 || score > best)) best = score, chosen = i;
      }
      // Only a NaN, which was reported, leaves nothing to choose.
      if (chosen < 0) chosen = j, best = scoreOf(j);
      const int64_t to = s * beams + j;
      beamScores[to] = best;
      rows[to] = int32_t(s * beams) + parents[s * k + chosen];
      running[to] = tokens[s * k + chosen];
      before = best, last = chosen;
    }
  }
}

// keys (rows, vocabulary) = logits + Gumbel noise + beamScores, four of a row a thread: those of one call of Philox.
extern "C" __global__ void gumbelKeys(LogitRows logits, const float* beamScores, const int32_t* streams, int64_t beams,
                                      RandomSite at, float* keys, Reporter reporter) {
  const int64_t v = logits.vocabulary;
  for (int64_t row = blockIdx.y; row < logits.rows; row += gridDim.y) {
    const int64_t stream = streamOf(streams, row / beams, reporter);
    const uint64_t first = (uint64_t(stream) * uint64_t(beams) + uint64_t(row % beams)) * uint64_t(v);
    const uint64_t end = first + uint64_t(v);
    for (uint64_t group = first / 4 + uint64_t(globalThread()); 4 * group < end; group += uint64_t(globalThreads())) {
      const uint4 drawn = drawWords(at, group);
      const uint32_t words[4] = {drawn.x, drawn.y, drawn.z, drawn.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint64_t word = 4 * group + uint64_t(i);
        if (word < first || word >= end) continue;
        const int64_t c = int64_t(word - first);
        keys[row * v + c] = (gumbel(words[i]) + rowOf(logits, row)[c]) + beamScores[row];
      }
    }
  }
}

extern "C" __global__ void sampleCandidates(LogitRows logits, const float* beamScores, const float* keys,
                                            int64_t sentences, int64_t beams, Candidates out, Reporter reporter) {
  __shared__ RankingMemory memory;
  const int64_t columns = beams * logits.vocabulary;
  for (int64_t s = blockIdx.x; s < sentences; s += gridDim.x) {
    choose(RowValues{keys + s * columns, columns}, logits, beamScores, s, beams, out, memory, reporter);
  }
}

// Inverse CDF: the first id at which the running sum of e^(l − max) is above u times the whole sum. `sums`: `blocks`
// of each row.
extern "C" __global__ void sampleCategorical(LogitRows logits, const int32_t* streams, RandomSite at, int64_t blocks,
                                             float* sums, int32_t* ids, Reporter reporter) {
  __shared__ uint64_t scratch[kWarp];
  __shared__ float weights[kSumBlock];
  __shared__ int64_t drawn;  // the block that is drawn from
  const int64_t v = logits.vocabulary;
  for (int64_t r = blockIdx.x; r < logits.rows; r += gridDim.x) {
    const float* row = rowOf(logits, r);
    const int64_t stream = streamOf(streams, r, reporter);
    const Peak peak = peakOf(row, v, scratch);
    if (peak.id == kNoToken || isinf(peak.value)) {
      if (threadIdx.x == 0) ids[r] = kNoToken, reportRow(reporter.error, reporter.call, r);
      continue;
    }
    float* sumsOfRow = sums + r * blocks;
    sumBlocks(row, v, peak.value, blocks, sumsOfRow, nullptr);
    __syncthreads();
    double left = 0;
    if (threadIdx.x == 0) {
      double total = 0;
      for (int64_t b = 0; b < blocks; ++b) total += double(sumsOfRow[b]);
      left = __dmul_rn(uniformDraw(at, stream), total);
      int64_t block = 0;
      for (; block < blocks && left >= double(sumsOfRow[block]); ++block) left -= double(sumsOfRow[block]);
      drawn = block;
    }
    __syncthreads();
    const int64_t start = drawn * kSumBlock, n = v - start < kSumBlock ? v - start : kSumBlock;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) weights[i] = expAsOnCpu(row[start + i] - peak.value);
    __syncthreads();
    if (threadIdx.x == 0) {
      // Where rounding leaves a little over: the block's last id with a weight, or beyond all blocks the likeliest.
      int64_t chosen = peak.id;
      for (int64_t i = 0; i < n; ++i) {
        if (weights[i] == 0.f) continue;
        chosen = start + i;
        if (left < double(weights[i])) break;
        left -= double(weights[i]);
      }
      ids[r] = int32_t(chosen);
    }
    __syncthreads();
  }
}
