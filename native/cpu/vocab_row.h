// One row of logits over a vocabulary: its log-sum-exp by blocks, its loss and its gradient.
//
// With target q (a·onehot(label) + b, Σq = 1) and lse = log Σ exp(l):
//   loss = Σ q·(lse − l) − H(q) + z·lse²        dl = (1 + 2z·lse)·softmax(l) − q
// Smoothing e over V classes: uniform has b = e/V and leaves H out; t5x has b = e/(V−1), with 1−e left on the label.
#pragma once
#include <cmath>
#include <limits>

#include "cpu/vec_math.h"
#include "ops/vocabulary.h"

namespace duo::cpu::DUO_ISA {

// Partial sums of a row, one for each block of kVocabBlock columns: Σ exp((l − max)/T), the block's max, and its share
// of the row's sum. A NaN among the logits makes its block's sum NaN.
struct BlockSums {
  float *max, *sum, *share;

  static BlockSums in(float* scratch, int64_t v) {
    const int64_t blocks = vocabBlocks(v);
    return {scratch, scratch + blocks, scratch + 2 * blocks};
  }
};

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Without a finite logit any shift will do; this one keeps −inf − −inf, a NaN, out of the sum.
inline float shiftFor(float max) { return max == kMinusInfinity ? 0.f : max; }

inline void sumBlock(const float* l, int64_t n, float inverseTemperature, float& maxOut, float& sumOut) {
  VecF most = VecF::fill(kMinusInfinity);
  int64_t i = 0;
  for (; i + VecF::kLanes <= n; i += VecF::kLanes) most = max(most, VecF::load(l + i));
  float top = maxOf(most);
  for (; i < n; ++i) top = l[i] > top ? l[i] : top;

  const VecF shift = VecF::fill(shiftFor(top)), scale = VecF::fill(inverseTemperature);
  VecF sums = VecF::zero();
  i = 0;
  for (; i + VecF::kLanes <= n; i += VecF::kLanes) sums = sums + expFlushed((VecF::load(l + i) - shift) * scale);
  float total = sum(sums);
  if (i < n) {
    float lanes[VecF::kLanes];
    expFlushed((VecF::load(l + i, n - i) - shift) * scale).store(lanes);
    for (int64_t j = 0; j < n - i; ++j) total += lanes[j];
  }
  maxOut = top, sumOut = total;
}

inline void sumBlocks(const float* l, int64_t v, float inverseTemperature, const BlockSums& out) {
  for (int64_t b = 0, start = 0; start < v; ++b, start += kVocabBlock) {
    sumBlock(l + start, std::min(kVocabBlock, v - start), inverseTemperature, out.max[b], out.sum[b]);
  }
}

// lse = max + logSum, kept apart: one float would lose the low bits of the second to a large first.
struct RowSum {
  float max = 0, logSum = 0;
  double sum = 1;  // Σ exp((l − max)/T)

  double lse() const { return double(max) + double(logSum); }
};

// Writes the shares and adds them up in order.
inline RowSum mergeBlocks(const BlockSums& blocks, int64_t v, float inverseTemperature) {
  const int64_t count = vocabBlocks(v);
  float top = kMinusInfinity;
  for (int64_t b = 0; b < count; ++b) top = blocks.max[b] > top ? blocks.max[b] : top;
  const VecF shift = VecF::fill(shiftFor(top)), scale = VecF::fill(inverseTemperature);
  double total = 0;
  for (int64_t b = 0; b < count; b += VecF::kLanes) {
    const int64_t n = std::min<int64_t>(count - b, VecF::kLanes);
    const VecF factor = expFlushed((VecF::load(blocks.max + b, n) - shift) * scale);
    (VecF::load(blocks.sum + b, n) * factor).store(blocks.share + b, n);
    for (int64_t j = b; j < b + n; ++j) total += double(blocks.share[j]);
  }
  return {top, float(std::log(total)), total};
}

inline RowSum sumRow(const float* l, int64_t v, float inverseTemperature, const BlockSums& scratch) {
  sumBlocks(l, v, inverseTemperature, scratch);
  return mergeBlocks(scratch, v, inverseTemperature);
}

// The target distribution and what else a row's loss adds.
struct VocabLoss {
  double onLabel = 1, everywhere = 0;  // q = onLabel·onehot + everywhere
  double entropy = 0;
  double z = 0;

  VocabLoss(double smoothing, bool t5x, double z, int64_t v) : z(z) {
    if (smoothing == 0) return;
    const double other = t5x ? smoothing / double(v - 1) : smoothing / double(v);
    everywhere = other;
    onLabel = t5x ? 1 - smoothing - other : 1 - smoothing;
    if (t5x) entropy = -((1 - smoothing) * std::log(1 - smoothing) + smoothing * std::log(other));
  }
};

// Σ (l − max), by blocks
inline double sumBelowMax(const float* l, int64_t v, float max) {
  double total = 0;
  for (int64_t start = 0; start < v; start += kVocabBlock) {
    const int64_t end = std::min(v, start + kVocabBlock);
    VecF sums = VecF::zero();
    int64_t i = start;
    for (; i + VecF::kLanes <= end; i += VecF::kLanes) sums = sums + (VecF::load(l + i) - VecF::fill(max));
    float block = sum(sums);
    for (; i < end; ++i) block += l[i] - max;
    total += double(block);
  }
  return total;
}

inline double rowLoss(const VocabLoss& rule, const float* l, int64_t v, int64_t label, const RowSum& row) {
  const double logSum = double(row.logSum);
  double loss = rule.onLabel * (logSum - double(l[label] - row.max));
  if (rule.everywhere != 0) {
    loss += rule.everywhere * (double(v) * logSum - sumBelowMax(l, v, row.max)) - rule.entropy;
  }
  return rule.z == 0 ? loss : loss + rule.z * row.lse() * row.lse();
}

// dl = scale·((1 + 2z·lse)·softmax(l) − q); l and dl may be the same.
inline void rowGradient(const VocabLoss& rule, const float* l, int64_t v, int64_t label, const RowSum& row, float scale,
                        float* dl) {
  const VecF top = VecF::fill(row.max), rest = VecF::fill(row.logSum);
  const VecF onSoftmax = VecF::fill(float(double(scale) * (1 + 2 * rule.z * row.lse())));
  const VecF below = VecF::fill(float(-double(scale) * rule.everywhere));
  for (int64_t i = 0; i < v; i += VecF::kLanes) {
    const int64_t n = std::min<int64_t>(v - i, VecF::kLanes);
    const VecF x = n == VecF::kLanes ? VecF::load(l + i) : VecF::load(l + i, n);
    const VecF d = fma(onSoftmax, expFlushed((x - top) - rest), below);
    n == VecF::kLanes ? d.store(dl + i) : d.store(dl + i, n);
  }
  dl[label] -= float(double(scale) * rule.onLabel);
}

}  // namespace duo::cpu::DUO_ISA
