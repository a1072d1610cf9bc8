// What the losses that multiply by the vocabulary themselves count.
#pragma once
#include "ops/registry.h"

namespace duo {

// Logits x·Wᵀ of every row, those without a label included, and the gradients that are asked for.
inline double linearLossFlops(const OpCall& call) {
  const int products = 1 + call.flag("gradX") + call.flag("gradWeight");
  return 2. * products * double(call.in("x").count()) * double(call.dim("V"));
}

}  // namespace duo
