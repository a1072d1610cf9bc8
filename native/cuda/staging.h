// Runs a column: what differs from the operands that it asks for is converted around it, once for all ops.
#pragma once
#include "ops/registry.h"

namespace duo::cuda {

class Stream;

constexpr size_t kAlignment = 256;  // of workspaces, and of what is staged in them
constexpr size_t alignedSize(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The call as the kernel will see it, without data: element types and strides after staging.
OpCall stagedCall(const OpCall& call);
// Bytes of workspace, behind the op's own, for operands that must be converted or made dense first.
size_t stagingBytes(const OpCall& call);
// Queues the op's kernels, staging around them where `staging` is given: as many bytes as above, null for 0.
void runStaged(const OpCall& call, char* staging, uint64_t number, Stream& stream);

}  // namespace duo::cuda
