#include "core/os/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>

namespace duo::os {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kRegionBytes = 32 * kHugePage;
// Addresses of a slab. They cost nothing; where the system has no such range, half as many will do.
constexpr size_t kReservedBytes = size_t(64) << 30;

constexpr size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

size_t pageBytes() {
  static const size_t page = size_t(sysconf(_SC_PAGESIZE));
  return page;
}

// Addresses from a huge page on; what is never touched takes no memory.
char* mapHuge(size_t bytes, int protection) {
  void* mapped = mmap(nullptr, bytes + kHugePage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* data = static_cast<char*>(mapped);
  const size_t before = -reinterpret_cast<uintptr_t>(data) % kHugePage;
  if (before > 0) munmap(data, before);
  munmap(data + before + bytes, kHugePage - before);
  madvise(data + before, bytes, MADV_HUGEPAGE);
  return data + before;
}

}  // namespace

size_t physicalMemory() { return size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)); }

HostMemory::~HostMemory() {
  for (const auto& [data, region] : regions_) munmap(data, kRegionBytes);
  for (const auto& [data, slab] : slabs_) munmap(data, slab.reserved);
}

size_t HostMemory::slabBytes() const { return kHugePage; }

void* HostMemory::take(size_t bytes) {
  if (bytes >= kHugePage) return takeSlab(bytes);
  bytes = roundUp(bytes, kAlignment);
  if (open_ == regions_.end() || open_->second.used + bytes > kRegionBytes) {
    char* data = mapHuge(kRegionBytes, PROT_READ | PROT_WRITE);
    if (!data) return nullptr;
    open_ = regions_.emplace(data, Region{}).first;
  }
  auto& [data, region] = *open_;
  void* block = data + region.used;
  region.used += bytes, region.live += bytes;
  return block;
}

void* HostMemory::takeSlab(size_t bytes) {
  bytes = roundUp(bytes, pageBytes());
  char* data = nullptr;
  size_t reserved = roundUp(std::max(bytes, kReservedBytes), kHugePage);
  while (!(data = mapHuge(reserved, PROT_NONE)) && reserved / 2 >= bytes) reserved /= 2;
  if (!data) return nullptr;
  if (mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0) {
    munmap(data, reserved);
    return nullptr;
  }
  slabs_.emplace(data, Slab{reserved, bytes});
  return data;
}

HostMemory::Slabs::iterator HostMemory::slabBefore(char* end) {
  const auto behind = slabs_.lower_bound(end);
  if (behind == slabs_.begin()) return slabs_.end();
  const auto slab = std::prev(behind);
  return slab->first + slab->second.bytes == end ? slab : slabs_.end();
}

bool HostMemory::extend(void* end, size_t bytes) {
  const auto slab = slabBefore(static_cast<char*>(end));
  if (slab == slabs_.end() || bytes % pageBytes() != 0) return false;
  if (slab->second.bytes + bytes > slab->second.reserved) return false;
  if (mprotect(end, bytes, PROT_READ | PROT_WRITE) != 0) return false;
  slab->second.bytes += bytes;
  return true;
}

bool HostMemory::shorten(void* end, size_t bytes) {
  const auto slab = slabBefore(static_cast<char*>(end) + bytes);
  if (slab == slabs_.end() || bytes % pageBytes() != 0 || bytes >= slab->second.bytes) return false;
  madvise(end, bytes, MADV_DONTNEED);
  if (mprotect(end, bytes, PROT_NONE) != 0) return false;
  slab->second.bytes -= bytes;
  return true;
}

void HostMemory::give(void* block, size_t bytes) {
  if (const auto slab = slabs_.find(static_cast<char*>(block)); slab != slabs_.end()) {
    munmap(slab->first, slab->second.reserved);
    slabs_.erase(slab);
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
  const size_t page = pageBytes();
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
