// Memory from the operating system.
#pragma once
#include <cstddef>
#include <map>

#include "core/allocator.h"

namespace duo::os {

size_t physicalMemory();  // bytes of RAM in this machine

// Host memory for tensors, aligned to 64 bytes, in huge pages: GEMM walks matrices in large strides, and the processor
// fetches ahead only within a page. A large block has addresses of its own, with more reserved behind it, so that it
// can grow; others share regions, which are given back when nothing in them is in use.
class HostMemory final : public MemorySource {
 public:
  ~HostMemory() override;
  void* take(size_t bytes) override;
  void give(void* data, size_t bytes) override;
  void release(void* data, size_t bytes) override;
  size_t slabBytes() const override;
  bool extend(void* end, size_t bytes) override;
  bool shorten(void* end, size_t bytes) override;

 private:
  struct Region {
    size_t used = 0;  // bytes handed out so far, never again
    size_t live = 0;  // of those, in use
  };
  using Regions = std::map<char*, Region>;
  struct Slab {
    size_t reserved;  // bytes of addresses
    size_t bytes;     // of those, memory
  };
  using Slabs = std::map<char*, Slab>;

  void* takeSlab(size_t bytes);
  // That ends at `end`.
  Slabs::iterator slabBefore(char* end);

  Regions regions_;  // by first byte
  Regions::iterator open_ = regions_.end();
  Slabs slabs_;  // by first byte
};

// The same from the heap, of exactly the size asked for: what a memory checker can watch.
class ExactMemory final : public MemorySource {
 public:
  void* take(size_t bytes) override;
  void give(void* data, size_t bytes) override;
};

}  // namespace duo::os
