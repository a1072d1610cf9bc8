#include "core/allocator.h"

#include <algorithm>
#include <bit>
#include <string>

#include "core/error.h"

namespace duo {
namespace {

// Four classes for each power of two: at most a quarter of a block is slack, and blocks fit again.
size_t sizeClass(size_t bytes) {
  constexpr size_t kSmallest = 64;  // a cache line, and the alignment of the widest vectors
  if (bytes <= kSmallest) return kSmallest;
  const size_t step = std::max(std::bit_floor(bytes - 1) / 4, kSmallest);
  return (bytes + step - 1) / step * step;
}

}  // namespace

Allocator::Allocator(MemorySource& source, size_t limit, std::function<void()> settle, bool caching)
    : source_(source), limit_(limit), settle_(std::move(settle)), caching_(caching) {}

Allocator::~Allocator() {
  for (auto& [bytes, blocks] : cache_) {
    for (void* data : blocks) source_.give(data, bytes);
  }
}

Block Allocator::take(size_t bytes, const char* op) {
  const size_t size = bytes > limit_ ? bytes : sizeClass(bytes);
  Block block{nullptr, size};
  if (auto found = cache_.find(size); found != cache_.end() && !found->second.empty()) {
    block.data = found->second.back();
    found->second.pop_back();
    use_.cached -= size;
  } else if (size <= limit_) {
    if (use_.live + use_.cached + size > limit_) trim();
    if (use_.live + size <= limit_) block.data = source_.take(caching_ ? size : bytes);
    if (!block.data && use_.cached > 0) {
      trim();
      block.data = source_.take(size);
    }
  }
  if (!block.data) {
    fail(ErrorCode::kDevice, op, "at most " + std::to_string(limit_ - std::min(limit_, use_.live)) + " more bytes",
         std::to_string(size) + " (out of memory: " + std::to_string(use_.live) + " bytes live)");
  }
  use_.live += size;
  use_.peak = std::max(use_.peak, use_.live);
  return block;
}

void Allocator::give(Block block) {
  use_.live -= block.bytes;
  if (!caching_) return source_.give(block.data, block.bytes);
  cache_[block.bytes].push_back(block.data);
  use_.cached += block.bytes;
}

void Allocator::trim() {
  if (use_.cached == 0) return;
  settle_();
  for (auto& [bytes, blocks] : cache_) {
    for (void* data : blocks) source_.give(data, bytes);
  }
  cache_.clear();
  use_.cached = 0;
}

}  // namespace duo
