// Memory from the operating system.
#pragma once
#include <cstddef>

#include "core/allocator.h"

namespace duo::os {

size_t physicalMemory();  // bytes of RAM in this machine

// Host memory for tensors, aligned to 64 bytes; large blocks ask for huge pages, which GEMM's strided walks need.
class HostMemory final : public MemorySource {
 public:
  void* take(size_t bytes) override;
  void give(void* data, size_t bytes) override;
};

// The same from the heap, of exactly the size asked for: what a memory checker can watch.
class ExactMemory final : public MemorySource {
 public:
  void* take(size_t bytes) override;
  void give(void* data, size_t bytes) override;
};

}  // namespace duo::os
