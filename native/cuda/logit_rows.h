// What launchers of the kernels over rows of logits share.
#pragma once
#include "cuda/kernels/logits_params.h"
#include "cuda/launch.h"

namespace duo::cuda {

inline Reporter reporterOf(const Launch& launch) { return {launch.error, launch.callNumber}; }

inline LogitRows logitRows(const OpCall& call) {
  const TensorArg& logits = call.in("logits");
  return {logits.f32(), logits.strides[0], logits.dims[0], logits.dims[1]};
}

}  // namespace duo::cuda
