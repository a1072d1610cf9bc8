// Scratch memory of the losses that multiply by the vocabulary themselves.
#pragma once
#include "cpu/column.h"
#include "cpu/gemm/plan.h"
#include "ops/registry.h"
#include "ops/vocabulary.h"

namespace duo::cpu {

// In floats, one part behind the other:
//   logits of one block of tokens, then in place their gradient · a loss and a label for each token
//   for each worker: partial sums of a row · what the GEMM packs
struct LinearLossPlan {
  int64_t n, k, v, block;
  int64_t gemmFloats;

  explicit LinearLossPlan(const OpCall& call)
      : n(call.in("x").dims[0]), k(call.dim("K")), v(call.dim("V")), block(tokenBlock(n, v)) {
    const GemmTile tile = gemmTile(activeIsa());
    gemmFloats = std::max({gemmScratchFloats(tile, v, k),        // logits = x·Wᵀ
                           gemmScratchFloats(tile, k, v),        // dX = G·W
                           gemmScratchFloats(tile, k, block)});  // dW = Gᵀ·x
  }

  int64_t lossesAt() const { return roundUp(block * v, 16); }
  int64_t labelsAt() const { return lossesAt() + roundUp(n, 16); }
  int64_t sumsAt() const { return labelsAt() + roundUp(n, 16); }
  int64_t gemmAt() const { return sumsAt() + roundUp(scratchSlots() * rowSumFloats(v), 16); }
  size_t bytes() const { return size_t(gemmAt() + scratchSlots() * gemmFloats) * sizeof(float); }
};

}  // namespace duo::cpu
