// The CPU as a backend: the host's memory, and kernels that run on the queue's thread and the pool.
#pragma once
#include <memory>

#include "ops/backend.h"

namespace duo::cpu {

// `queue` is the device's own. DUOFORMER_CHECKED_MEMORY=1: every tensor is a heap block of its own, for memory
// checkers.
std::unique_ptr<Backend> makeBackend(Queue& queue);

}  // namespace duo::cpu
