#include "ops/device.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/half.h"
#include "core/os/memory.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace duo {
namespace {

using Storages = SmallVector<std::shared_ptr<Storage>, 3>;

void checkMarks(const char* name, const Storages& reads, const Queue& queue) {
  for (const auto& storage : reads) {
    if (storage->marked(queue.epoch()))
      fail(ErrorCode::kState, name, "inputs that were computed", "the result of a failed op");
  }
}

class OpTask final : public Task {
 public:
  OpTask(uint64_t number, OpCall call, char* staging, Storages reads, Storages writes, cpu::ThreadPool* pool,
         std::atomic<uint64_t>& nanoseconds)
      : number_(number),
        call_(std::move(call)),
        staging_(staging),
        reads_(std::move(reads)),
        writes_(std::move(writes)),
        pool_(pool),
        nanoseconds_(nanoseconds) {}

  void run(Queue& queue) override {
    try {
      checkMarks(call_.def.name, reads_, queue);
      cpu::setCurrentPool(pool_);
      const auto start = std::chrono::steady_clock::now();
      cpu::run(call_, staging_);
      const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - start;
      nanoseconds_.fetch_add(uint64_t(time.count()), std::memory_order_relaxed);
    } catch (const Error& error) {
      markResults(queue.epoch());
      Error located(error.code(), error.what() + inputShapes());
      located.call = number_;
      throw located;
    }
  }

 private:
  void markResults(uint32_t epoch) {
    for (const auto& storage : writes_) storage->mark = Storage::kNeverWritten;
    for (size_t i = 0; i < call_.slots.size(); ++i) {
      if (!call_.def.inputs[i].mutated) continue;
      const auto [first, count] = call_.slots[i];
      // What was never written stays so: no later epoch makes it good.
      for (int j = first; j < first + count; ++j) {
        if (reads_[size_t(j)]->mark != Storage::kNeverWritten) reads_[size_t(j)]->mark = epoch;
      }
    }
  }

  std::string inputShapes() const {
    std::string text = " [inputs";
    for (const TensorArg& arg : call_.inputs) text += " " + arg.dims.text();
    return text + "]";
  }

  uint64_t number_;
  OpCall call_;
  char* staging_;
  Storages reads_;   // of call_.inputs
  Storages writes_;  // of the outputs that are wanted
  cpu::ThreadPool* pool_;
  std::atomic<uint64_t>& nanoseconds_;
};

double bytesOf(const OpCall& call) {
  double bytes = 0;
  const auto add = [&](const TensorArg& arg, int times) {
    if (arg.present) bytes += times * double(arg.count()) * double(sizeOf(arg.dtype));
  };
  for (size_t i = 0; i < call.slots.size(); ++i) {
    const auto [first, count] = call.slots[i];
    for (int j = first; j < first + count; ++j) add(call.inputs[j], call.def.inputs[i].mutated ? 2 : 1);
  }
  for (const TensorArg& out : call.outputs) add(out, 1);
  return bytes;
}

class UploadTask final : public Task {
 public:
  UploadTask(void* target, const void* bytes, size_t size)
      : target_(target), bytes_(static_cast<const char*>(bytes), static_cast<const char*>(bytes) + size) {}
  void run(Queue&) override { std::memcpy(target_, bytes_.data(), bytes_.size()); }

 private:
  void* target_;
  std::vector<char> bytes_;
};

class ProduceTask final : public Task {
 public:
  ProduceTask(std::shared_ptr<Storage> target, std::function<void(void*)> write)
      : target_(std::move(target)), write_(std::move(write)) {}

  void run(Queue&) override {
    try {
      write_(target_->block.data);
    } catch (const Error&) {
      target_->mark = Storage::kNeverWritten;
      throw;
    }
  }

 private:
  std::shared_ptr<Storage> target_;
  std::function<void(void*)> write_;
};

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

void copyOut(const TensorArg& from, void* to) {
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

class ReadTask final : public Task {
 public:
  ReadTask(TensorArg from, Storages reads, void* target, Device::Done done)
      : from_(std::move(from)), reads_(std::move(reads)), target_(target), done_(std::move(done)) {}

  void run(Queue& queue) override {
    try {
      checkMarks("data", reads_, queue);
      if (from_.present) copyOut(from_, target_);
    } catch (const Error& error) {
      queue.report(error);
    }
    done_(queue.takeError());
  }

 private:
  TensorArg from_;
  Storages reads_;
  void* target_;
  Device::Done done_;
};

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

class ConsumeTask final : public Task {
 public:
  ConsumeTask(TensorArg from, Storages reads, std::function<void(const void*)> use, Device::Done done)
      : from_(std::move(from)), reads_(std::move(reads)), use_(std::move(use)), done_(std::move(done)) {}

  void run(Queue& queue) override {
    try {
      checkMarks("data", reads_, queue);
    } catch (const Error& error) {
      queue.report(error);
      return done_(queue.takeError());
    }
    try {
      use_(from_.data);
    } catch (const Error& error) {
      return done_(error);
    } catch (const std::bad_alloc&) {
      return done_(Error(ErrorCode::kDevice, "data: expected memory, got out of memory"));
    }
    done_(std::nullopt);
  }

 private:
  TensorArg from_;
  Storages reads_;
  std::function<void(const void*)> use_;
  Device::Done done_;
};

}  // namespace

TensorArg argOf(const Tensor& tensor) {
  return {tensor.data(), tensor.dtype, tensor.dims, tensor.strides, true, tensor.storage->host.get()};
}

CpuRuntime cpuRuntime() {
  return {cpu::nameOf(cpu::activeIsa()), cpu::ThreadPool::threads(), cpu::ThreadPool::maxThreads()};
}

void setCpuThreads(int threads) {
  const int most = cpu::ThreadPool::maxThreads();
  if (threads < 1 || threads > most) {
    fail(ErrorCode::kConfig, "setThreads", "1 to " + std::to_string(most) + " threads", std::to_string(threads));
  }
  cpu::ThreadPool::setThreads(threads);
}

Device::Device()
    : counts_(registry().size()),
      nanoseconds_(std::make_unique<std::atomic<uint64_t>[]>(registry().size())),
      pool_(cpu::ThreadPool::acquire()) {
  const char* wanted = std::getenv("DUOFORMER_CHECKED_MEMORY");
  const bool checked = wanted && std::string_view(wanted) == "1";
  if (checked) {
    memory_ = std::make_unique<CheckedMemory>(queue_);
  } else {
    memory_ = std::make_unique<os::HostMemory>();
  }
  const auto settle = [this] { queue_.drain(); };
  allocator_ = std::make_unique<Allocator>(*memory_, os::physicalMemory(), settle, /*caching=*/!checked);
}

Device::~Device() { queue_.stop(); }

void Device::resetCounts() {
  counts_.assign(counts_.size(), {});
  for (size_t i = 0; i < counts_.size(); ++i) nanoseconds_[i] = 0;
}

Tensor Device::empty(const Dims& dims, DType dtype, const char* op) {
  int64_t bytes;
  if (__builtin_mul_overflow(dims.count(), int64_t(sizeOf(dtype)), &bytes)) {
    fail(ErrorCode::kDevice, op, "a tensor that fits in memory", dims.text());
  }
  const Block block = allocator_->take(size_t(bytes), op);
  return {std::make_shared<Storage>(*allocator_, block), dtype, 0, dims, dims.strides()};
}

Tensor Device::upload(const Dims& dims, DType dtype, const void* bytes) {
  Tensor tensor = empty(dims, dtype, "tensor");
  const size_t size = size_t(dims.count()) * sizeOf(dtype);
  if (size == 0) return tensor;  // `bytes` may then be null, which memcpy does not take
  if (queue_.idle()) {
    std::memcpy(tensor.data(), bytes, size);
  } else {
    // Ops that are still queued may use this block under its former owner.
    queue_.submit(std::make_unique<UploadTask>(tensor.data(), bytes, size));
  }
  return tensor;
}

Tensor Device::produce(const Dims& dims, DType dtype, const char* op, std::function<void(void*)> write) {
  Tensor tensor = empty(dims, dtype, op);
  queue_.submit(std::make_unique<ProduceTask>(tensor.storage, std::move(write)));
  return tensor;
}

std::vector<Tensor> Device::enqueue(OpCall call, std::span<const Tensor* const> inputs) {
  Storages reads, writes;
  call.inputs.reserve(inputs.size());
  reads.reserve(inputs.size());
  for (const Tensor* tensor : inputs) {
    call.inputs.push_back(argOf(*tensor));
    reads.push_back(tensor->storage);
  }
  checkCall(call);
  const char* name = call.def.name;

  std::vector<Tensor> results;
  for (const OutputShape& shape : outputShapes(call)) {
    if (!shape.present) {
      results.emplace_back();
      call.outputs.emplace_back();
      continue;
    }
    results.push_back(empty(shape.dims, shape.dtype, name));
    writes.push_back(results.back().storage);
    call.outputs.push_back(argOf(results.back()));
  }
  // Workspace belongs to this op from here to the end of its run: whoever gets the block next runs later.
  const size_t own = (call.def.workspace ? call.def.workspace(call) + 63 : 0) / 64 * 64;
  const size_t staging = cpu::stagingBytes(call);
  Block workspace;
  if (own + staging > 0) {
    workspace = allocator_->take(own + staging, name);
    call.workspace = workspace.data;
  }
  char* stagingArea = staging > 0 ? static_cast<char*>(call.workspace) + own : nullptr;
  const size_t number = size_t(&call.def - registry().data());
  OpCount& count = counts_[number];
  ++count.calls;
  count.bytes += bytesOf(call);
  if (call.def.flops) count.flops += call.def.flops(call);
  queue_.submit(std::make_unique<OpTask>(++calls_, std::move(call), stagingArea, std::move(reads), std::move(writes),
                                         pool_.get(), nanoseconds_[number]));
  if (workspace.data) allocator_->give(workspace);
  return results;
}

void Device::read(const Tensor& tensor, void* target, Done done) {
  Storages reads;
  reads.push_back(tensor.storage);
  queue_.submit(std::make_unique<ReadTask>(argOf(tensor), std::move(reads), target, std::move(done)));
}

void Device::consume(const Tensor& tensor, std::function<void(const void*)> use, Done done) {
  Storages reads;
  reads.push_back(tensor.storage);
  queue_.submit(std::make_unique<ConsumeTask>(argOf(tensor), std::move(reads), std::move(use), std::move(done)));
}

void Device::fence(Done done) {
  queue_.submit(std::make_unique<ReadTask>(TensorArg{}, Storages{}, nullptr, std::move(done)));
}

}  // namespace duo
