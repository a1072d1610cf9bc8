// What a device does for its queue: memory, running a checked call, moving bytes. One for each device of an
// environment.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>

#include "core/allocator.h"
#include "core/device_kind.h"
#include "core/error.h"
#include "core/queue.h"
#include "ops/registry.h"

namespace duo {

class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceKind kind() const = 0;
  virtual MemorySource& memory() = 0;
  virtual size_t capacity() const = 0;  // bytes of memory of the device
  virtual bool caching() const { return true; }

  struct Workspace {
    size_t own = 0;      // of the kernel; what follows it stays aligned
    size_t staging = 0;  // for operands that must be converted or made dense first
  };
  virtual Workspace workspace(const OpCall& call) const = 0;

  // Of the queue's thread alone, from here on. What they start may still run when they return; `settle` and the reads
  // wait for it. All may throw.
  virtual void run(const OpCall& call, char* staging, uint64_t number) = 0;
  virtual void write(void* to, const void* from, size_t bytes) = 0;  // from the host, which may then change it
  virtual void read(const void* from, void* to, size_t bytes) = 0;   // to the host
  virtual void copy(void* to, const void* from, size_t bytes) = 0;   // within the device
  // The elements, dense and with 16-bit floats widened, to the host.
  virtual void readElements(const TensorArg& from, void* to) = 0;
  // Waits for what was started, and gives the first error that came to light only then, once.
  virtual std::optional<Error> settle() = 0;
};

}  // namespace duo
