#include "cpu/backend.h"

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/half.h"
#include "core/os/memory.h"
#include "cpu/column.h"
#include "cpu/thread_pool.h"

namespace duo::cpu {
namespace {

template <typename From, typename To, typename Convert>
void copyDense(const TensorArg& from, To* to, Convert convert) {
  const int rank = from.dims.rank();
  for (int64_t i = 0, count = from.count(); i < count; ++i) {
    int64_t offset = 0, left = i;
    for (int d = rank - 1; d >= 0; --d) {
      offset += left % from.dims[d] * from.strides[d];
      left /= from.dims[d];
    }
    to[i] = convert(from.as<const From>()[offset]);
  }
}

// For memory checkers, which see nothing of blocks that are rounded up and used again: each tensor is a heap block of
// its own, freed when the queue has passed the ops that were there before it was given back.
class CheckedMemory final : public MemorySource {
 public:
  explicit CheckedMemory(Queue& queue) : queue_(queue) {}
  void* take(size_t bytes) override { return heap_.take(bytes); }
  void give(void* data, size_t bytes) override { queue_.submit(std::make_unique<FreeTask>(heap_, data, bytes)); }

 private:
  // Also where the queue stops and drops it.
  class FreeTask final : public Task {
   public:
    FreeTask(os::ExactMemory& heap, void* data, size_t bytes) : heap_(heap), data_(data), bytes_(bytes) {}
    ~FreeTask() override { heap_.give(data_, bytes_); }
    void run(Queue&) override {}

   private:
    os::ExactMemory& heap_;
    void* data_;
    size_t bytes_;
  };

  os::ExactMemory heap_;
  Queue& queue_;
};

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(Queue& queue) : pool_(ThreadPool::acquire()) {
    const char* wanted = std::getenv("DUOFORMER_CHECKED_MEMORY");
    checked_ = wanted && std::string_view(wanted) == "1";
    if (checked_) {
      memory_ = std::make_unique<CheckedMemory>(queue);
    } else {
      memory_ = std::make_unique<os::HostMemory>();
    }
  }

  DeviceKind kind() const override { return DeviceKind::kCpu; }
  MemorySource& memory() override { return *memory_; }
  size_t capacity() const override { return os::physicalMemory(); }
  bool caching() const override { return !checked_; }

  Workspace workspace(const OpCall& call) const override {
    constexpr size_t kAlignment = 64;
    const size_t own = call.def.workspace ? call.def.workspace(call) : 0;
    return {(own + kAlignment - 1) / kAlignment * kAlignment, stagingBytes(call)};
  }

  void run(const OpCall& call, char* staging, uint64_t) override {
    setCurrentPool(pool_.get());
    cpu::run(call, staging);
  }
  void write(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void read(const void* from, void* to, size_t bytes) override { std::memcpy(to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }

  void readElements(const TensorArg& from, void* to) override {
    if (from.count() == 0) return;  // `to` may then be null
    const auto same = [](auto x) { return x; };
    if (from.dtype == DType::kFloat16) return copyDense<uint16_t>(from, static_cast<float*>(to), floatFromFloat16);
    if (from.dtype == DType::kBFloat16) return copyDense<uint16_t>(from, static_cast<float*>(to), floatFromBFloat16);
    if (from.strides == from.dims.strides()) {
      std::memcpy(to, from.data, size_t(from.count()) * sizeOf(from.dtype));
    } else if (sizeOf(from.dtype) == 4) {
      copyDense<uint32_t>(from, static_cast<uint32_t*>(to), same);
    } else {
      copyDense<uint8_t>(from, static_cast<uint8_t*>(to), same);
    }
  }

  std::optional<Error> settle() override { return std::nullopt; }

 private:
  std::shared_ptr<ThreadPool> pool_;
  bool checked_ = false;
  std::unique_ptr<MemorySource> memory_;
};

}  // namespace

std::unique_ptr<Backend> makeBackend(Queue& queue) { return std::make_unique<CpuBackend>(queue); }

}  // namespace duo::cpu
