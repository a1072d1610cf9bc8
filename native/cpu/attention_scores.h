// What forward and backward of attention share: the scores of a tile with bias and mask, and which of them stay.
#pragma once
#include <limits>

#include "cpu/attention_plan.h"
#include "cpu/dropout.h"
#include "cpu/tile_product.h"

namespace duo::cpu::DUO_ISA {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline AttentionRows rowsOf(const TensorArg& arg) { return {arg.f32(), arg.strides[0], arg.strides[1]}; }

// Floats between the panels of a packed tile, whatever its number of rows.
constexpr int64_t kTilePanel = kTileQueries * kPanel, kBlockPanel = kBlockKeys * kPanel;

inline float* scoreAt(float* scores, int64_t row, int64_t key) {
  return scores + key / kPanel * kTilePanel + row * kPanel + key % kPanel;
}

// Where one call's scores come from.
struct ScoreSource {
  const AttentionPlan& plan;
  const float* windows;  // of all heads, or null
  const float* dense;    // or null

  const float* window(int64_t head) const { return windows + head * plan.windowFloats(); }
};

// −inf where the causal rule hides a key, and in the columns that only fill the last panel.
inline void hideKeys(const AttentionPlan& plan, const AttentionSequence& s, const AttentionTile& tile, float* scores) {
  const int64_t padded = panelsOf(tile.keys) * kPanel;
  for (int64_t r = 0; r < tile.rows; ++r) {
    for (int64_t k = tile.keys; k < padded; ++k) *scoreAt(scores, r, k) = -kInfinity;
    if (!tile.clipped) continue;
    const int64_t first = tile.regular ? std::clamp<int64_t>(r - tile.relative + 1, 0, tile.keys) : 0;
    for (int64_t k = first; k < tile.keys; ++k) {
      if (tile.regular || plan.relative(s, tile.query + r, tile.key + k) > 0) *scoreAt(scores, r, k) = -kInfinity;
    }
  }
}

// S = bias + Q·Kᵀ for packed (already scaled) queries and transposed keys, −inf where a key is hidden or not there.
inline void tileScores(const ScoreSource& source, size_t sequence, int64_t head, const AttentionTile& tile,
                       const float* queries, const float* keysT, float* scores) {
  const AttentionPlan& plan = source.plan;
  const AttentionSequence& s = plan.sequences[sequence];
  const bool slides = source.windows && tile.regular;
  const float* window = slides ? source.window(head) + plan.windowIndex(tile) : nullptr;
  const float* dense = source.dense ? source.dense + plan.denseRow(sequence, head, tile.query) + tile.key : nullptr;
  for (int64_t k = 0; k < tile.keys; k += kPanel) {
    // The bias is what the sums start from; the last panel of a dense row may not be read to its end.
    const bool whole = k + kPanel <= tile.keys;
    const Start start = slides           ? Start{window + k, -1}
                        : dense && whole ? Start{dense + k, plan.denseKeys}
                                         : Start{kZeroRow, 0};
    product(tile.rows, queries, kTilePanel, keysT + k * plan.size, plan.size, start, scoreAt(scores, 0, k));
  }
  const auto addEach = [&](int64_t firstKey, const auto& bias) {
    for (int64_t r = 0; r < tile.rows; ++r) {
      for (int64_t k = firstKey; k < tile.keys; ++k) *scoreAt(scores, r, k) += bias(r, k);
    }
  };
  if (dense) {
    // Beside a table, the dense bias comes on top of it.
    addEach(slides ? 0 : tile.keys / kPanel * kPanel,
            [&](int64_t r, int64_t k) { return dense[r * plan.denseKeys + k]; });
  }
  if (source.windows && !tile.regular) {
    addEach(0, [&](int64_t r, int64_t k) {
      return source.window(head)[plan.windowIndexOf(plan.relative(s, tile.query + r, tile.key + k))];
    });
  }
  hideKeys(plan, s, tile, scores);
}

// What dropout does to one row of a tile, to the end of its last panel.
class RowDropout {
 public:
  RowDropout(const AttentionPlan& plan, const AttentionSequence& s, const AttentionTile& tile, int64_t head,
             int64_t row)
      : scale_(plan.dropout.scale) {
    const uint64_t start = attentionDropoutStart(head, s.firstQuery + tile.query + row, plan.nq);
    if (tile.regular) {
      const int64_t first = plan.positionOfKey(s, tile.key);
      const uint64_t group = (start + uint64_t(first)) / 8;
      offset_ = first % 8;
      keepBits(
          plan.site, plan.dropout, (offset_ + panelsOf(tile.keys) * kPanel + kBitsPerVec - 1) / kBitsPerVec,
          [&](int64_t i) { return group + uint64_t(i * VecU64::kLanes); }, bits_);
      return;
    }
    std::fill_n(bits_, sizeof bits_, uint8_t(0));
    for (int64_t k = 0; k < tile.keys; ++k) {
      const uint64_t index = start + uint64_t(plan.positionOfKey(s, tile.key + k));
      const bool stays = draws(plan.site, index / 8)[index % 8] >= plan.dropout.threshold;
      bits_[k / 8] |= uint8_t(unsigned(stays) << (k % 8));
    }
  }

  Drop at(int64_t key) const { return {bitsFrom(bits_, offset_ + key), scale_}; }

 private:
  float scale_;
  int64_t offset_ = 0;  // of the tile's first key, whose row may begin inside a Philox call
  uint8_t bits_[(kBlockKeys + 7 + kBitsPerVec - 1) / kBitsPerVec * VecU64::kLanes + kBitPadding];
};

}  // namespace duo::cpu::DUO_ISA
