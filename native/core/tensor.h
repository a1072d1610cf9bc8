// A tensor is a strided view of a storage; handles of the same storage share it.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/allocator.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"

namespace duo {

// Of a small integer tensor (sequence offsets), so that a shape rule or a launcher never reads a device.
using HostCopy = std::shared_ptr<const std::vector<int32_t>>;

class Storage;

// Who is told that a storage gives its block back.
class StorageWatch {
 public:
  virtual ~StorageWatch() = default;
  virtual void released(const Storage& storage) = 0;
};

// Outlives its block: tasks hold it to read and write the mark, while the block went back to the allocator with the
// last handle (the queue's order makes that safe, see allocator.h).
class Storage {
 public:
  Storage(Allocator& allocator, Block block, int device = 0) : block(block), device(device), allocator_(allocator) {}
  ~Storage() { release(); }
  Storage(const Storage&) = delete;

  void retainHandle() { ++handles_; }
  void releaseHandle() {
    if (--handles_ == 0) release();
  }
  size_t bytes() const { return block.bytes; }

  // Queue thread only. A failed op marks what it should have written: for good when the contents never came to be, or
  // for the current error epoch when an in-place update was left out and the old contents stand.
  static constexpr uint32_t kNeverWritten = ~0u;
  bool marked(uint32_t epoch) const { return mark == epoch || mark == kNeverWritten; }
  uint32_t mark = 0;

  const Block block;
  const int device;  // number of the device that it lies on: 0 the CPU, 1 + n cuda:n
  HostCopy host;
  StorageWatch* watch = nullptr;  // JavaScript thread only

 private:
  void release() {
    if (released_) return;
    released_ = true;
    if (watch) watch->released(*this);
    allocator_.give(block);
  }

  Allocator& allocator_;
  int handles_ = 0;        // JavaScript thread only
  bool released_ = false;  // JavaScript thread only
};

struct Tensor {
  std::shared_ptr<Storage> storage;
  DType dtype = DType::kFloat32;
  int64_t offset = 0;  // elements
  Dims dims, strides;

  void* data() const { return static_cast<char*>(storage->block.data) + offset * int64_t(sizeOf(dtype)); }
};

}  // namespace duo
