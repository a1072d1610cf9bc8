// Labels of a vocabulary loss: checked before anything is written, and what their rows weigh.
#pragma once
#include <string>

#include "ops/registry.h"

namespace duo::cpu {

// In the order of the losses' attribute `reduction`.
enum class Reduction { kMean, kSum, kNone, kWeighted };

struct Labels {
  const int32_t* data;
  const float* weights;  // null: all 1
  int64_t n, v, ignoreIndex;

  float weight(int64_t row) const { return weights ? weights[row] : 1.f; }
  // A row without weight counts like an ignored one, even where its loss is infinite.
  bool kept(int64_t row) const { return data[row] != ignoreIndex && weight(row) != 0; }

  void check(const char* op) const {
    for (int64_t i = 0; i < n; ++i) {
      if (data[i] != ignoreIndex && (data[i] < 0 || data[i] >= v)) {
        fail(ErrorCode::kIndex, op, "labels in [0, " + std::to_string(v) + ") or " + std::to_string(ignoreIndex),
             std::to_string(data[i]) + " at row " + std::to_string(i));
      }
    }
  }

  // What a weighted row's loss is multiplied with: for the means, 1 over the sum of the kept weights, 0 when that is 0.
  float scale(Reduction reduction) const {
    if (reduction == Reduction::kSum || reduction == Reduction::kNone) return 1.f;
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += kept(i) ? double(weight(i)) : 0.;
    return total == 0 ? 0.f : float(1 / total);
  }

  // Σ scale·weight·loss over the kept rows, in their order.
  float reduce(const float* rows, float scale) const {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (kept(i)) total += double(weight(i)) * double(rows[i]);
    }
    return scale == 0 ? 0.f : float(total * double(scale));
  }
};

}  // namespace duo::cpu
