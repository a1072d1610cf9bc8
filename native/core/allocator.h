// Caching allocator, one per device and Node environment, used from the JavaScript thread alone. Small blocks are kept
// by their size; large ones are ranges of slabs, so that what was several may serve one, and the other way round. Where
// a slab can grow there is one, as long as needs to be: every boundary between slabs would leave memory unused.
//
// Blocks are handed out and taken back in program order. The queue runs ops in that same order, so a block may be
// reused at once although the op that last touched it has yet to run: whoever gets it next runs later.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/ranges.h"

namespace duo {

// Where blocks come from: the host's heap, or a device's driver.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual void* take(size_t bytes) = 0;  // null when there is no memory
  virtual void give(void* data, size_t bytes) = 0;
  // Of a part of what was taken: its contents are no longer needed, its addresses are.
  virtual void release(void*, size_t) {}
  // Slabs are taken and extended in multiples of it, where there is room.
  virtual size_t slabBytes() const { return size_t(32) << 20; }
  // What was taken and ends at `end` becomes longer, or loses its last bytes, which begin there; false: it cannot.
  virtual bool extend(void* /*end*/, size_t /*bytes*/) { return false; }
  virtual bool shorten(void* /*end*/, size_t /*bytes*/) { return false; }
};

struct Block {
  void* data = nullptr;
  size_t bytes = 0;  // at least what was asked for
};

struct MemoryUse {
  size_t live = 0;    // bytes of blocks in use
  size_t cached = 0;  // bytes kept for reuse
  size_t peak = 0;    // largest `live` so far
};

class Allocator {
 public:
  // `settle` waits until no queued op can touch a cached block any more; called before blocks are given back. Without
  // caching every block is of the size asked for and goes straight back to the source, which must itself keep it until
  // the ops that are queued by then have run.
  Allocator(MemorySource& source, size_t limit, std::function<void()> settle, bool caching = true);
  ~Allocator();
  Allocator(const Allocator&) = delete;

  // Throws a device error when the limit or the source says no, after the cache was given back.
  Block take(size_t bytes, const char* op);
  void give(Block block);
  void trim();  // gives the cache back to the source
  void setLimit(size_t bytes) { limit_ = bytes; }
  size_t limit() const { return limit_; }
  MemoryUse use() const { return use_; }
  void resetPeak() { use_.peak = use_.live; }

 private:
  void* takeSmall(size_t size);
  Range takeLarge(size_t size);
  // Of a longer or a new slab, whose size must fit.
  template <typename Fits>
  Range takeOfMore(size_t size, const Fits& fits);
  bool fits(size_t more) const { return use_.live + use_.cached + more <= limit_; }
  // What a trim leaves cached lies between blocks in use; its pages went back to the system where that can be.
  bool fitsTrimmed(size_t more) const { return use_.live + more <= limit_; }

  MemorySource& source_;
  size_t limit_;
  std::function<void()> settle_;
  const bool caching_;
  std::map<size_t, std::vector<void*>> cache_;  // small blocks
  Ranges ranges_;                               // large ones
  MemoryUse use_;
};

}  // namespace duo
