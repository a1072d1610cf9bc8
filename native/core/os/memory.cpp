#include "core/os/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace duo::os {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t(2) << 20;
// From here on a block is its own mapping: it goes back to the system whole.
constexpr size_t kMapFrom = 4 * kHugePage;
constexpr size_t kRegionBytes = 32 * kHugePage;

constexpr size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

char* map(size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? nullptr : static_cast<char*>(data);
}

// Begins at a huge page. What a region never hands out is never touched, and takes no memory.
char* mapRegion() {
  char* data = map(kRegionBytes + kHugePage);
  if (!data) return nullptr;
  const size_t before = -reinterpret_cast<uintptr_t>(data) % kHugePage;
  if (before > 0) munmap(data, before);
  munmap(data + before + kRegionBytes, kHugePage - before);
  madvise(data + before, kRegionBytes, MADV_HUGEPAGE);
  return data + before;
}

}  // namespace

size_t physicalMemory() { return size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)); }

HostMemory::~HostMemory() {
  for (const auto& [data, region] : regions_) munmap(data, kRegionBytes);
}

void* HostMemory::take(size_t bytes) {
  if (bytes >= kMapFrom) {
    char* data = map(bytes);
    if (data) madvise(data, bytes, MADV_HUGEPAGE);
    return data;
  }
  bytes = roundUp(bytes, kAlignment);
  if (open_ == regions_.end() || open_->second.used + bytes > kRegionBytes) {
    char* data = mapRegion();
    if (!data) return nullptr;
    open_ = regions_.emplace(data, Region{}).first;
  }
  auto& [data, region] = *open_;
  void* block = data + region.used;
  region.used += bytes, region.live += bytes;
  return block;
}

void HostMemory::give(void* block, size_t bytes) {
  if (bytes >= kMapFrom) {
    munmap(block, bytes);
    return;
  }
  bytes = roundUp(bytes, kAlignment);
  const auto found = std::prev(regions_.upper_bound(static_cast<char*>(block)));
  found->second.live -= bytes;
  if (found->second.live > 0) return release(block, bytes);
  if (found == open_) open_ = regions_.end();
  munmap(found->first, kRegionBytes);
  regions_.erase(found);
}

// The whole pages of it.
void HostMemory::release(void* data, size_t bytes) {
  static const size_t page = size_t(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const size_t before = -begin % page, after = (begin + bytes) % page;
  if (before + after < bytes) madvise(static_cast<char*>(data) + before, bytes - before - after, MADV_DONTNEED);
}

void* ExactMemory::take(size_t bytes) {
  void* data = nullptr;
  return posix_memalign(&data, kAlignment, bytes) == 0 ? data : nullptr;
}

void ExactMemory::give(void* data, size_t) { std::free(data); }

}  // namespace duo::os
