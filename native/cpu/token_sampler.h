// Exact categorical sampling of replacement tokens by an inverse CDF in two levels, out of the partial sums of a loss.
// The contract, the same on every backend:
//
//   Weights e_v = exp((l_v − m)/T), m the row's max; with disallowCorrect the true token's is 0.
//   The row is cut into blocks of kVocabBlock ids, S_b = Σ e_v over block b, S = Σ S_b in order, in float64.
//   The draw of row i (its index in maskedPositions): the i-th 32-bit word w of Philox with (seed, site, step), which
//   is 16-bit draws 2i (low half) and 2i + 1; t = (w + ½)/2³²·S, never 0 nor S. Level 1: the first block with S_0 + … +
//   S_b > t. Level 2: in it, the first id whose running sum of e_v is above what is left of t; where rounding leaves
//   none, the block's last id with a weight.
//
// So equal logits give equal ids on two backends but where t lies within rounding of an edge of the CDF.
#pragma once
#include "core/rng.h"
#include "cpu/vocab_row.h"
#include "ops/registry.h"

namespace duo::cpu::DUO_ISA {

constexpr int32_t kNoToken = -1;  // the row has no weights to draw by, or a NaN among them

struct TokenSampler {
  RandomSite at;
  float inverseTemperature;
  bool disallowCorrect;

  explicit TokenSampler(const OpCall& call)
      : at{uint64_t(call.integer("seed")), uint32_t(call.integer("site")), uint32_t(call.integer("step"))},
        inverseTemperature(float(1 / call.number("temperature"))),
        disallowCorrect(call.flag("disallowCorrect")) {}

  // `sums`: as sumBlocks leaves them, of this temperature; used up when a token is excluded.
  int32_t draw(const float* l, int64_t v, int64_t row, int32_t correct, const BlockSums& sums) const {
    const int64_t excluded = disallowCorrect ? correct : -1;
    if (excluded >= 0) sumWithout(l, v, excluded, sums);
    const RowSum total = mergeBlocks(sums, v, inverseTemperature);
    if (!(total.sum > 0) || !(total.max < std::numeric_limits<float>::infinity())) return kNoToken;

    double left = uniformDraw(at, row) * total.sum;
    int64_t block = 0, last = 0;
    for (const int64_t count = vocabBlocks(v); block < count && left >= double(sums.share[block]); ++block) {
      left -= double(sums.share[block]);
      if (sums.share[block] > 0) last = block;
    }
    // Rounding of the running difference may walk past the end; what is left is then the last block's whole sum.
    const bool inside = block < vocabBlocks(v);
    return drawInBlock(l, v, inside ? block : last, inside ? left : total.sum, total.max, excluded);
  }

 private:
  // The excluded token's block summed again without it: subtracting it would cancel when it holds most of the sum.
  void sumWithout(const float* l, int64_t v, int64_t excluded, const BlockSums& sums) const {
    const int64_t block = excluded / kVocabBlock, start = block * kVocabBlock, n = std::min(kVocabBlock, v - start);
    float others[kVocabBlock];
    std::copy_n(l + start, n, others);
    others[excluded - start] = kMinusInfinity;
    sumBlock(others, n, inverseTemperature, sums.max[block], sums.sum[block]);
  }

  int32_t drawInBlock(const float* l, int64_t v, int64_t block, double left, float max, int64_t excluded) const {
    const int64_t start = block * kVocabBlock, n = std::min(kVocabBlock, v - start);
    float weights[kVocabBlock];
    for (int64_t i = 0; i < n; i += VecF::kLanes) {
      const int64_t lanes = std::min<int64_t>(n - i, VecF::kLanes);
      const VecF x = (VecF::load(l + start + i, lanes) - VecF::fill(max)) * VecF::fill(inverseTemperature);
      expFlushed(x).store(weights + i, lanes);
    }
    int64_t chosen = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (start + i == excluded || weights[i] == 0) continue;
      chosen = i;
      if (left < double(weights[i])) break;
      left -= double(weights[i]);
    }
    return int32_t(start + chosen);
  }
};

// Which tokens are replaced: position maskedPositions[i] of originalIds by the i-th sample. Of samples for one position
// the last counts. A sample equal to the original is not a replacement.
struct Replacement {
  const int32_t *originalIds, *positions;
  int64_t n, m;

  explicit Replacement(const OpCall& call)
      : originalIds(call.in("originalIds").i32()),
        positions(call.in("maskedPositions").i32()),
        n(call.dim("N")),
        m(call.dim("M")) {}

  int32_t correct(int64_t i) const { return originalIds[positions[i]]; }

  void check(const char* op, int64_t v) const {
    const auto refuse = [&](const char* what, int64_t limit, int64_t got, int64_t i) {
      fail(ErrorCode::kIndex, op, std::string(what) + " in [0, " + std::to_string(limit) + ")",
           std::to_string(got) + " at index " + std::to_string(i));
    };
    for (int64_t i = 0; i < m; ++i) {
      if (positions[i] < 0 || positions[i] >= n) refuse("maskedPositions", n, positions[i], i);
      if (correct(i) < 0 || correct(i) >= v) refuse("originalIds", v, correct(i), positions[i]);
    }
  }

  void write(const char* op, const int32_t* sampled, int32_t* corrupted, uint8_t* isReplaced) const {
    for (int64_t i = 0; i < m; ++i) {
      if (sampled[i] != kNoToken) continue;
      fail(ErrorCode::kData, op, "logits that are finite or -inf, with at least one token to draw",
           "NaN, inf or no such token at row " + std::to_string(i));
    }
    std::copy_n(originalIds, n, corrupted);
    std::fill_n(isReplaced, n, uint8_t(0));
    for (int64_t i = 0; i < m; ++i) {
      corrupted[positions[i]] = sampled[i];
      isReplaced[positions[i]] = sampled[i] != correct(i);
    }
  }
};

}  // namespace duo::cpu::DUO_ISA
