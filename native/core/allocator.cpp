#include "core/allocator.h"

#include <algorithm>
#include <bit>
#include <string>

#include "core/error.h"

namespace duo {
namespace {

// From here on blocks are ranges of slabs.
constexpr size_t kLarge = size_t(256) << 10;
constexpr size_t kPage = 4096;

// Four classes for each power of two: at most a quarter of a block is slack, and blocks fit again.
size_t sizeClass(size_t bytes) {
  constexpr size_t kSmallest = 64;  // a cache line, and the alignment of the widest vectors
  if (bytes <= kSmallest) return kSmallest;
  const size_t step = bytes >= kLarge ? kPage : std::max(std::bit_floor(bytes - 1) / 4, kSmallest);
  return (bytes + step - 1) / step * step;
}

}  // namespace

Allocator::Allocator(MemorySource& source, size_t limit, std::function<void()> settle, bool caching)
    : source_(source), limit_(limit), settle_(std::move(settle)), caching_(caching), ranges_(kLarge) {}

Allocator::~Allocator() {
  for (auto& [bytes, blocks] : cache_) {
    for (void* data : blocks) source_.give(data, bytes);
  }
  for (const Range& slab : ranges_.removeFreeSlabs()) source_.give(slab.data, slab.bytes);
}

Block Allocator::take(size_t bytes, const char* op) {
  Block block{nullptr, bytes > limit_ ? bytes : sizeClass(bytes)};
  if (block.bytes <= limit_) {
    if (!caching_) {
      if (use_.live + block.bytes <= limit_) block.data = source_.take(bytes);
    } else if (block.bytes < kLarge) {
      block.data = takeSmall(block.bytes);
    } else if (const Range range = takeLarge(block.bytes); range.data) {
      block = {range.data, range.bytes};
    }
  }
  if (!block.data) {
    fail(ErrorCode::kDevice, op, "at most " + std::to_string(limit_ - std::min(limit_, use_.live)) + " more bytes",
         std::to_string(block.bytes) + " (out of memory: " + std::to_string(use_.live) + " bytes live)");
  }
  use_.live += block.bytes;
  use_.peak = std::max(use_.peak, use_.live);
  return block;
}

void* Allocator::takeSmall(size_t size) {
  if (auto found = cache_.find(size); found != cache_.end() && !found->second.empty()) {
    void* data = found->second.back();
    found->second.pop_back();
    use_.cached -= size;
    return data;
  }
  if (void* data = fits(size) ? source_.take(size) : nullptr) return data;
  trim();
  return fitsTrimmed(size) ? source_.take(size) : nullptr;
}

Range Allocator::takeLarge(size_t size) {
  Range range = ranges_.take(size);
  if (!range.data) range = takeOfMore(size, [&](size_t more) { return fits(more); });
  if (!range.data) {
    trim();
    range = takeOfMore(size, [&](size_t more) { return fitsTrimmed(more); });
  }
  if (range.data) use_.cached -= range.bytes;
  return range;
}

template <typename Fits>
Range Allocator::takeOfMore(size_t size, const Fits& fits) {
  const auto whole = [unit = source_.slabBytes()](size_t bytes) { return (bytes + unit - 1) / unit * unit; };
  const auto takeFrom = [&](size_t added) {
    use_.cached += added;
    return ranges_.take(size);
  };
  // Near the limit no more than is missing.
  const Range end = ranges_.openEnd();
  const size_t missing = size - std::min(size, end.bytes);
  for (const size_t more : {whole(missing), missing}) {
    if (!end.data || !fits(more) || !source_.extend(end.data + end.bytes, more)) continue;
    ranges_.extend(more);
    return takeFrom(more);
  }
  for (const size_t bytes : {whole(size), size}) {
    void* slab = fits(bytes) ? source_.take(bytes) : nullptr;
    if (!slab) continue;
    ranges_.add({static_cast<char*>(slab), bytes});
    return takeFrom(bytes);
  }
  return {};
}

void Allocator::give(Block block) {
  use_.live -= block.bytes;
  if (!caching_) return source_.give(block.data, block.bytes);
  if (block.bytes < kLarge) {
    cache_[block.bytes].push_back(block.data);
  } else {
    ranges_.give(static_cast<char*>(block.data));
  }
  use_.cached += block.bytes;
}

void Allocator::trim() {
  if (use_.cached == 0) return;
  settle_();
  for (auto& [bytes, blocks] : cache_) {
    for (void* data : blocks) source_.give(data, bytes);
  }
  cache_.clear();
  for (const Range& slab : ranges_.removeFreeSlabs()) source_.give(slab.data, slab.bytes);
  if (const Range end = ranges_.openEnd(); end.bytes > 0 && source_.shorten(end.data, end.bytes))
    ranges_.cut(end.bytes);
  for (const Range& range : ranges_.freeRanges()) source_.release(range.data, range.bytes);
  use_.cached = ranges_.freeBytes();
}

}  // namespace duo
