// An op's CPU column: one kernel for each instruction set that this build has; and how a column is run.
#pragma once
#include <cstddef>

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

// Bytes of workspace, behind the op's own, for operands that must be converted to float32 or made dense first.
size_t stagingBytes(const OpCall& call);
// Runs the kernel of the active instruction set on the calling thread and the pool; stages operands around it where
// `staging` is given: as many bytes as above, null for 0.
void run(const OpCall& call, char* staging);

}  // namespace duo::cpu
