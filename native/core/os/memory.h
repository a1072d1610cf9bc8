// Memory from the operating system.
#pragma once
#include <cstddef>
#include <map>

#include "core/allocator.h"

namespace duo::os {

size_t physicalMemory();  // bytes of RAM in this machine

// Host memory for tensors, aligned to 64 bytes, in huge pages: GEMM walks matrices in large strides, and the processor
// fetches ahead only within a page. Large blocks are mappings of their own; others share regions, which are given back
// when nothing in them is in use.
class HostMemory final : public MemorySource {
 public:
  ~HostMemory() override;
  void* take(size_t bytes) override;
  void give(void* data, size_t bytes) override;
  void release(void* data, size_t bytes) override;

 private:
  struct Region {
    size_t used = 0;  // bytes handed out so far, never again
    size_t live = 0;  // of those, in use
  };
  using Regions = std::map<char*, Region>;

  Regions regions_;  // by first byte
  Regions::iterator open_ = regions_.end();
};

// The same from the heap, of exactly the size asked for: what a memory checker can watch.
class ExactMemory final : public MemorySource {
 public:
  void* take(size_t bytes) override;
  void give(void* data, size_t bytes) override;
};

}  // namespace duo::os
