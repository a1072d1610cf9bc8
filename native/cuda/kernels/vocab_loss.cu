// Losses over a vocabulary, a block a row: cross-entropy of given logits, and of logits that a product left in float32;
// draws of ELECTRA's replacement tokens from given logits or from the sums of the loss.
// A row is read from memory once, then from the caches: for its sums, and for its gradient, which it writes.
#include "cuda/kernels/vocab_row.cuh"

using namespace duo::cuda;

namespace {

template <typename W>
__device__ float weightOf(const VocabRows& p, int64_t row) {
  return p.weights ? toFloat(static_cast<const W*>(p.weights)[row]) : 1.f;
}

// Whether a row counts; a label out of range is reported, and does not. A row without weight counts like an ignored
// one, even where its loss is infinite.
template <typename W>
__device__ bool isKept(const VocabRows& p, int64_t row) {
  const int64_t label = p.labels[row];
  if (label == p.ignoreIndex) return false;
  if (label < 0 || label >= p.v) {
    if (threadIdx.x == 0) reportIndex(p.reporter.error, p.reporter.call, label, p.v);
    return false;
  }
  return weightOf<W>(p, row) != 0.f;
}

template <typename W>
__device__ float gradientScale(const VocabRows& p, int64_t row) {
  const float* upstream = static_cast<const float*>(p.upstream);
  const float given = upstream ? upstream[p.upstreamByRow ? row : 0] : 1.f;
  return given * *p.scale * weightOf<W>(p, row);
}

// The element types of logits, of bias and weights, and of the gradient; kDraws: tokens are drawn as well.
template <typename L, typename W, typename G, bool kDraws>
__device__ void lossRows(const VocabRows& p, const VocabDraw& draw) {
  extern __shared__ char shared[];
  const VocabMemory memory(shared, vocabBlocksOf(p.v));
  for (int64_t r = blockIdx.x; r < p.rows; r += gridDim.x) {
    const Logits<L, W> logits{static_cast<const L*>(p.logits) + r * p.stride, static_cast<const W*>(p.bias)};
    const bool kept = isKept<W>(p, r);
    RowSum row{0.f, 0.f, 1};
    if (kept || kDraws) {
      sumVocabBlocks(logits, p.v, 1.f, -1, memory);
      row = mergeVocabBlocks(p.v, 1.f, memory);
    }
    if (kDraws) {
      const int64_t excluded = draw.disallowCorrect ? p.labels[r] : -1;
      if (draw.inverseTemperature != 1.f || excluded >= 0) {
        sumVocabBlocks(logits, p.v, draw.inverseTemperature, excluded, memory);
      }
      const int32_t token = drawToken(logits, p.v, draw, draw.firstRow + r, excluded, memory);
      if (threadIdx.x == 0) {
        draw.sampled[draw.firstRow + r] = token;
        if (token == kNoDraw) reportRow(p.reporter.error, p.reporter.call, draw.firstRow + r);
      }
    }
    if (p.losses) {
      const float loss = kept ? vocabLoss(p.rule, logits, p.v, p.labels[r], row, memory) : 0.f;
      if (threadIdx.x == 0) p.losses[r] = loss;
    }
    if (p.lse && threadIdx.x == 0) p.lse[2 * r] = row.max, p.lse[2 * r + 1] = row.logSum;
    if (p.gradient) {
      __syncthreads();  // the label's logit is read before its place is written
      G* gradient = static_cast<G*>(p.gradient) + r * p.gradientStride;
      if (kept) {
        vocabGradient(p.rule, logits, p.v, p.labels[r], row, gradientScale<W>(p, r), gradient);
      }
      // What fills lines up to 16 bytes takes part in the products.
      for (int64_t c = (kept ? p.v : 0) + threadIdx.x; c < p.gradientStride; c += blockDim.x) {
        gradient[c] = fromFloat<G>(0.f);
      }
    }
    __syncthreads();
  }
}

template <typename T>
__device__ void backwardRows(const VocabRows& p) {
  for (int64_t r = blockIdx.x; r < p.rows; r += gridDim.x) {
    const Logits<T, T> logits{static_cast<const T*>(p.logits) + r * p.stride, nullptr};
    T* gradient = static_cast<T*>(p.gradient) + r * p.gradientStride;
    if (isKept<T>(p, r)) {
      const RowSum row{p.lse[2 * r], p.lse[2 * r + 1], 1};
      vocabGradient(p.rule, logits, p.v, p.labels[r], row, gradientScale<T>(p, r), gradient);
    } else {
      for (int64_t c = threadIdx.x; c < p.v; c += blockDim.x) gradient[c] = fromFloat<T>(0.f);
    }
  }
}

template <typename T>
__device__ void drawRows(const VocabRows& p, const VocabDraw& draw) {
  extern __shared__ char shared[];
  const VocabMemory memory(shared, vocabBlocksOf(p.v));
  for (int64_t r = blockIdx.x; r < p.rows; r += gridDim.x) {
    const Logits<T, T> logits{static_cast<const T*>(p.logits) + r * p.stride, nullptr};
    const int64_t excluded = draw.disallowCorrect ? p.labels[r] : -1;
    sumVocabBlocks(logits, p.v, draw.inverseTemperature, excluded, memory);
    const int32_t token = drawToken(logits, p.v, draw, r, excluded, memory);
    if (threadIdx.x == 0) {
      draw.sampled[r] = token;
      if (token == kNoDraw) reportRow(p.reporter.error, p.reporter.call, r);
    }
  }
}

// What a weighted row's loss is multiplied with: for the means, 1 over the sum of the kept weights.
template <typename W>
__device__ void findScale(const VocabRows& p, int mean, float* scale) {
  __shared__ double scratch[kWarp];
  double total = 0;
  for (int64_t r = threadIdx.x; mean && r < p.rows; r += blockDim.x) {
    const int64_t label = p.labels[r];
    if (label != p.ignoreIndex && label >= 0 && label < p.v) total += double(weightOf<W>(p, r));
  }
  total = blockReduce(total, Sum(), scratch);
  if (threadIdx.x == 0) *scale = !mean ? 1.f : total == 0 ? 0.f : float(1 / total);
}

// Σ scale·weight·loss over the kept rows.
template <typename W>
__device__ void addLosses(const VocabRows& p, float* loss) {
  __shared__ double scratch[kWarp];
  double total = 0;
  for (int64_t r = threadIdx.x; r < p.rows; r += blockDim.x) {
    const float weight = weightOf<W>(p, r);
    if (weight != 0.f) total += double(weight) * double(p.losses[r]);
  }
  total = blockReduce(total, Sum(), scratch);
  if (threadIdx.x == 0) *loss = *p.scale == 0.f ? 0.f : float(total * double(*p.scale));
}

// sums[c] = Σ over rows of the gradient's column c, or added to it.
template <typename G>
__device__ void addBias(const G* gradient, int64_t rows, int64_t v, int64_t stride, int add, float* sums) {
  for (int64_t c = globalThread(); c < v; c += globalThreads()) {
    float total = add ? sums[c] : 0.f;
    for (int64_t r = 0; r < rows; ++r) total += toFloat(gradient[r * stride + c]);
    sums[c] = total;
  }
}

}  // namespace

#define DUO_VOCAB(T)                                                                                                  \
  extern "C" __global__ void vocabLoss_##T(VocabRows p, VocabDraw draw) { lossRows<T, T, T, false>(p, draw); }        \
  extern "C" __global__ void vocabLossBwd_##T(VocabRows p) { backwardRows<T>(p); }                                    \
  extern "C" __global__ void linearLoss_##T(VocabRows p, VocabDraw draw) { lossRows<float, T, T, false>(p, draw); }   \
  extern "C" __global__ void generatorLoss_##T(VocabRows p, VocabDraw draw) { lossRows<float, T, T, true>(p, draw); } \
  extern "C" __global__ void vocabDraw_##T(VocabRows p, VocabDraw draw) { drawRows<T>(p, draw); }                     \
  extern "C" __global__ void lossScale_##T(VocabRows p, int mean, float* scale) { findScale<T>(p, mean, scale); }     \
  extern "C" __global__ void lossSum_##T(VocabRows p, float* loss) { addLosses<T>(p, loss); }                         \
  extern "C" __global__ void lossBias_##T(const T* gradient, int64_t rows, int64_t v, int64_t stride, int add,        \
                                          float* sums) {                                                              \
    addBias(gradient, rows, v, stride, add, sums);                                                                    \
  }

DUO_VOCAB(f32)
DUO_VOCAB(f16)
DUO_VOCAB(bf16)

// labels[i] = the token at positions[i], and of each token that is replaced, one more than the last of its samples. A
// position or a token that is out of range is reported; its label is −1.
extern "C" __global__ void replacementLabels(VocabDraw draw, int64_t count, int64_t v, int32_t* labels, int32_t* owners,
                                             Reporter reporter) {
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int64_t at = draw.positions[i];
    labels[i] = -1;
    if (at < 0 || at >= draw.numTokens) {
      reportIndex(reporter.error, reporter.call, at, draw.numTokens);
      continue;
    }
    atomicMax(owners + at, int32_t(i + 1));
    const int64_t id = draw.originalIds[at];
    if (id < 0 || id >= v) {
      reportIndex(reporter.error, reporter.call, id, v);
    } else {
      labels[i] = int32_t(id);
    }
  }
}

extern "C" __global__ void writeReplacements(VocabDraw draw, const int32_t* owners, int32_t* corrupted,
                                             uint8_t* isReplaced) {
  for (int64_t t = globalThread(); t < draw.numTokens; t += globalThreads()) {
    const int32_t original = draw.originalIds[t], owner = owners[t];
    const int32_t token = owner ? draw.sampled[owner - 1] : original;
    corrupted[t] = token;
    isReplaced[t] = token != original;
  }
}
