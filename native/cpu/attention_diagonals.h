// The gradient of the bias table: dScores summed along relative positions, then into buckets.
#pragma once
#include "cpu/attention_scores.h"

namespace duo::cpu::DUO_ISA {

// One sum for each window index (AttentionPlan::windowIndex), in kLanes copies: row r of a tile adds whole vectors that
// begin at windowIndex − r, and copy c holds those whose beginning is c modulo kLanes. Vectors then start at multiples
// of kLanes within a copy, so a later row reads back exactly what an earlier one stored.
class Diagonals {
 public:
  Diagonals(const AttentionPlan& plan, float* sums) : plan_(plan), copy_(plan.windowFloats() + kMaxLanes), sums_(sums) {
    std::fill_n(sums_, copy_ * VecF::kLanes, 0.f);
  }

  void add(const AttentionSequence& s, const AttentionTile& tile, const float* dScores) {
    for (int64_t r = 0; r < tile.rows; ++r) {
      if (tile.regular) {
        addRow(plan_.windowIndex(tile) - r, tile.keys, dScores + r * kPanel);
      } else {
        for (int64_t k = 0; k < tile.keys; ++k) {
          const int64_t index = plan_.windowIndexOf(plan_.relative(s, tile.query + r, tile.key + k));
          cover(index, index + 1);
          sums_[index] += dScores[k / kPanel * kTilePanel + r * kPanel + k % kPanel];
        }
      }
    }
  }

  void intoBuckets(const int32_t* windowBuckets, float* buckets) const {
    std::fill_n(buckets, plan_.rule.numBuckets, 0.f);
    for (int64_t i = first_; i < end_; i += VecF::kLanes) {
      // Copy c holds index i at i − c; what lies before a copy is the end of another, beyond its window: zeros.
      VecF total = VecF::zero();
      for (int64_t c = 0; c < VecF::kLanes; ++c) total = total + VecF::load(sums_ + c * copy_ + i - c);
      float lanes[VecF::kLanes];
      total.store(lanes);
      for (int64_t l = 0; l < std::min<int64_t>(VecF::kLanes, end_ - i); ++l) buckets[windowBuckets[i + l]] += lanes[l];
    }
  }

 private:
  void cover(int64_t begin, int64_t end) {
    first_ = std::min(first_, begin);
    end_ = std::max(end_, end);
  }

  void addRow(int64_t index, int64_t keys, const float* row) {
    cover(index, index + keys);
    float* to = sums_ + index % VecF::kLanes * copy_ + index / VecF::kLanes * VecF::kLanes;
    for (int64_t k = 0; k < keys; k += kPanel, row += kTilePanel, to += kPanel) {
      // Columns that fill the last panel are zeros, but their sums may lie beyond the window.
      const int64_t vectors = std::min<int64_t>((keys - k + VecF::kLanes - 1) / VecF::kLanes, kPanelVecs);
      for (int64_t v = 0; v < vectors; ++v) {
        float* at = to + v * VecF::kLanes;
        (VecF::load(at) + VecF::load(row + v * VecF::kLanes)).store(at);
      }
    }
  }

  const AttentionPlan& plan_;
  const int64_t copy_;  // floats of one copy
  float* sums_;
  int64_t first_ = std::numeric_limits<int64_t>::max(), end_ = 0;  // indices with a sum
};

}  // namespace duo::cpu::DUO_ISA
