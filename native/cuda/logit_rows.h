// What launchers of the kernels over rows of logits share.
#pragma once
#include "cuda/kernels/logits_params.h"
#include "cuda/launch.h"

namespace duo::cuda {

inline Reporter reporterOf(const Launch& launch) { return {launch.error, launch.callNumber}; }

// The blocks that the sums over a row of logits are cut into.
inline int64_t sumBlocksOf(int64_t vocabulary) { return (vocabulary + kSumBlock - 1) / kSumBlock; }

inline LogitRows logitRows(const OpCall& call) {
  const TensorArg& logits = call.in("logits");
  return {logits.f32(), logits.strides[0], logits.dims[0], logits.dims[1]};
}

}  // namespace duo::cuda
