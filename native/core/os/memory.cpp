#include "core/os/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace duo::os {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t(2) << 20;
// From here on a block is its own mapping: it goes back to the system whole, and never fragments the heap.
constexpr size_t kMapFrom = kHugePage;

}  // namespace

size_t physicalMemory() { return size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)); }

void* HostMemory::take(size_t bytes) {
  if (bytes < kMapFrom) return std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  madvise(data, bytes, MADV_HUGEPAGE);
  return data;
}

void HostMemory::give(void* data, size_t bytes) {
  if (bytes < kMapFrom) {
    std::free(data);
  } else {
    munmap(data, bytes);
  }
}

void* ExactMemory::take(size_t bytes) {
  void* data = nullptr;
  return posix_memalign(&data, kAlignment, bytes) == 0 ? data : nullptr;
}

void ExactMemory::give(void* data, size_t) { std::free(data); }

}  // namespace duo::os
