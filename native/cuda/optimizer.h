// What the launchers of optimisers share.
#pragma once
#include <span>
#include <vector>

#include "cuda/kernels/optimizer_params.h"
#include "cuda/launch.h"
#include "cuda/room.h"

namespace duo::cuda {

int64_t deviceChunks(const TensorArg& tensor);
int64_t deviceChunks(std::span<const TensorArg> tensors);

ShadowType shadowTypeOf(std::span<const TensorArg> shadows, size_t i);

// What every optimiser's call says of its step.
StepRule stepRuleOf(const OpCall& call, StepKind kind);

struct Prepared {
  const StepState* state;
  double* rates;  // of each tensor
  // Of each tensor, the number of its first chunk, and of all chunks; and how many elements it has.
  const int64_t *chunkStarts, *counts;
};
// Queues the kernel that finds the step's number and the rates; takes prepareBytes of room. `sums`: of the weights'
// chunks, where the rule is scaled by them.
Prepared prepare(Launch& launch, const StepRule& rule, std::span<const TensorArg> params, const double* sums,
                 Room& room);
size_t prepareBytes(size_t tensors);

// sums[chunk] = Σ x²; with the sums takes sumSquaresBytes of room.
void sumSquares(Launch& launch, std::span<const TensorArg> tensors, double* sums, Room& room);
size_t sumSquaresBytes(std::span<const TensorArg> tensors);

}  // namespace duo::cuda
