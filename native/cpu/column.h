// An op's CPU column: one kernel for each instruction set that this build has.
#pragma once
#include "cpu/isa.h"

namespace duo {
class OpCall;
}

namespace duo::cpu {

using Kernel = void (*)(const OpCall&);

struct Column {
  Kernel kernels[kNumIsas] = {};
  bool present() const { return kernels[int(Isa::kScalar)] != nullptr; }
};

// Scratch areas that a kernel may index by parallelFor's `worker`: the largest number of threads of any setting.
int scratchSlots();

}  // namespace duo::cpu
