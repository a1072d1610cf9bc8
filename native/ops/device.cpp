#include "ops/device.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <new>
#include <utility>

#include "cpu/backend.h"
#include "cpu/isa.h"
#include "cpu/thread_pool.h"
#include "cuda/backend.h"

namespace duo {
namespace {

// A call, or the replay of a capture.
template <typename Work>
class WorkTask final : public Task {
 public:
  WorkTask(Work&& work, char* workspace, Backend& backend)
      : work_(std::move(work)), workspace_(workspace), backend_(backend) {}
  void run(Queue& queue) override { work_.run(backend_, queue, workspace_); }

 private:
  Work work_;
  char* workspace_;
  Backend& backend_;
};

class UploadTask final : public Task {
 public:
  UploadTask(Backend& backend, std::shared_ptr<Storage> target, const void* bytes, size_t size)
      : backend_(backend),
        target_(std::move(target)),
        bytes_(static_cast<const char*>(bytes), static_cast<const char*>(bytes) + size) {}

  void run(Queue&) override {
    try {
      backend_.write(target_->block.data, bytes_.data(), bytes_.size());
    } catch (const Error&) {
      target_->mark = Storage::kNeverWritten;
      throw;
    }
  }

 private:
  Backend& backend_;
  std::shared_ptr<Storage> target_;
  std::vector<char> bytes_;
};

class ProduceTask final : public Task {
 public:
  ProduceTask(Backend& backend, std::shared_ptr<Storage> target, size_t bytes, std::function<void(void*)> write)
      : backend_(backend), target_(std::move(target)), bytes_(bytes), write_(std::move(write)) {}

  void run(Queue&) override {
    try {
      if (backend_.kind() == DeviceKind::kCpu) return write_(target_->block.data);
      std::vector<char> host(bytes_);
      write_(host.data());
      backend_.write(target_->block.data, host.data(), bytes_);
    } catch (const Error&) {
      target_->mark = Storage::kNeverWritten;
      throw;
    }
  }

 private:
  Backend& backend_;
  std::shared_ptr<Storage> target_;
  size_t bytes_;
  std::function<void(void*)> write_;
};

class ReadTask final : public Task {
 public:
  ReadTask(Backend& backend, TensorArg from, Storages reads, void* target, Device::Done done)
      : backend_(backend), from_(std::move(from)), reads_(std::move(reads)), target_(target), done_(std::move(done)) {}

  void run(Queue& queue) override {
    try {
      if (const auto error = backend_.settle()) queue.report(*error);
      checkMarks("data", reads_, queue);
      if (from_.present) backend_.readElements(from_, target_);
    } catch (const Error& error) {
      queue.report(error);
    }
    done_(queue.takeError());
  }

 private:
  Backend& backend_;
  TensorArg from_;
  Storages reads_;
  void* target_;
  Device::Done done_;
};

class ConsumeTask final : public Task {
 public:
  ConsumeTask(Backend& backend, TensorArg from, Storages reads, std::function<void(const void*)> use, Device::Done done)
      : backend_(backend),
        from_(std::move(from)),
        reads_(std::move(reads)),
        use_(std::move(use)),
        done_(std::move(done)) {}

  void run(Queue& queue) override {
    try {
      if (const auto error = backend_.settle()) queue.report(*error);
      checkMarks("data", reads_, queue);
    } catch (const Error& error) {
      queue.report(error);
      return done_(queue.takeError());
    }
    try {
      useElements();
    } catch (const Error& error) {
      return done_(error);
    } catch (const std::bad_alloc&) {
      return done_(Error(ErrorCode::kDevice, "data: expected memory, got out of memory"));
    }
    done_(std::nullopt);
  }

 private:
  void useElements() {
    if (backend_.kind() == DeviceKind::kCpu) return use_(from_.data);
    std::vector<char> host(size_t(from_.count()) * sizeOf(from_.dtype));
    backend_.read(from_.data, host.data(), host.size());
    use_(host.data());
  }

  Backend& backend_;
  TensorArg from_;
  Storages reads_;
  std::function<void(const void*)> use_;
  Device::Done done_;
};

}  // namespace

TensorArg argOf(const Tensor& tensor) {
  return {tensor.data(), tensor.dtype, tensor.dims, tensor.strides, true, tensor.storage->host};
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

std::string deviceName(int number) { return number == 0 ? "cpu" : "cuda:" + std::to_string(number - 1); }

CudaRuntime cudaRuntime() {
  CudaRuntime runtime;
  runtime.build = cuda::buildDescription();
  try {
    for (int i = 0, count = cuda::deviceCount(); i < count; ++i) {
      const cuda::DeviceDescription gpu = cuda::describeDevice(i);
      runtime.devices.push_back({gpu.name, gpu.major, gpu.minor, gpu.multiprocessors, gpu.memory});
    }
    if (runtime.devices.empty()) runtime.problem = "cuda: expected a CUDA device, got none";
  } catch (const Error& error) {
    runtime.problem = error.what();
  }
  return runtime;
}

Device::Device(int number)
    : number_(number),
      counts_(registry().size()),
      nanoseconds_(std::make_unique<std::atomic<uint64_t>[]>(registry().size())) {
  backend_ = number == 0 ? cpu::makeBackend(queue_) : cuda::makeBackend(number - 1);
  allocator_ = std::make_unique<Allocator>(
      backend_->memory(), backend_->capacity(), [this] { drain(); }, backend_->caching());
}

Device::~Device() { queue_.stop(); }

// Blocks may go back to the system when no op can touch them: everything queued has been started, and has run.
void Device::drain() {
  queue_.drain();
  if (backend_->kind() == DeviceKind::kCpu) return;
  class SettleTask final : public Task {
   public:
    explicit SettleTask(Backend& backend) : backend_(backend) {}
    void run(Queue& queue) override {
      if (const auto error = backend_.settle()) queue.report(*error);
    }

   private:
    Backend& backend_;
  };
  queue_.submit(std::make_unique<SettleTask>(*backend_));
  queue_.drain();
}

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
  auto storage = std::make_shared<Storage>(*allocator_, block, number_);
  if (recording_) recording_->made(storage);
  return {std::move(storage), dtype, 0, dims, dims.strides()};
}

Tensor Device::upload(const Dims& dims, DType dtype, const void* bytes) {
  Tensor tensor = empty(dims, dtype, "tensor");
  if (recording_) recording_->keep(tensor.storage);
  const size_t size = size_t(dims.count()) * sizeOf(dtype);
  if (size == 0) return tensor;  // `bytes` may then be null, which memcpy does not take
  if (backend_->kind() == DeviceKind::kCpu && queue_.idle()) {
    std::memcpy(tensor.data(), bytes, size);
  } else {
    // Ops that are still queued may use this block under its former owner.
    queue_.submit(std::make_unique<UploadTask>(*backend_, tensor.storage, bytes, size));
  }
  return tensor;
}

Tensor Device::produce(const Dims& dims, DType dtype, const char* op, std::function<void(void*)> write) {
  Tensor tensor = empty(dims, dtype, op);
  if (recording_) recording_->keep(tensor.storage);
  const size_t bytes = size_t(dims.count()) * sizeOf(dtype);
  queue_.submit(std::make_unique<ProduceTask>(*backend_, tensor.storage, bytes, std::move(write)));
  return tensor;
}

std::vector<Tensor> Device::enqueue(uint64_t number, OpCall&& call, std::span<const Tensor* const> inputs) {
  Storages reads, writes;
  call.inputs.reserve(inputs.size());
  reads.reserve(inputs.size());
  const char* name = call.def.name;
  for (const Tensor* tensor : inputs) {
    if (tensor->storage->device != number_) {
      fail(ErrorCode::kDevice, name, "tensors on one device",
           deviceName(number_) + " and " + deviceName(tensor->storage->device));
    }
    call.inputs.push_back(argOf(*tensor));
    reads.push_back(tensor->storage);
  }
  call.device = backend_->kind();
  call.tf32 = tf32_;
  if (call.device == DeviceKind::kCuda && !call.def.cuda.present()) {
    fail(ErrorCode::kDevice, name, "an op that has a CUDA kernel", "one without");
  }
  checkCall(call);

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
  const Backend::Workspace workspace = backend_->workspace(call);
  const size_t op = size_t(&call.def - registry().data());
  QueuedCall queued{number, std::move(call), workspace, std::move(reads), std::move(writes), &nanoseconds_[op]};
  submit(workspace.own + workspace.staging, name, [&](char* place) {
    count(queued.call);
    if (recording_) recording_->add(queued);
    return std::make_unique<WorkTask<QueuedCall>>(std::move(queued), place, *backend_);
  });
  return results;
}

void Device::count(const OpCall& call) {
  OpCount& count = counts_[size_t(&call.def - registry().data())];
  ++count.calls;
  count.bytes += bytesOf(call);
  if (call.def.flops) count.flops += call.def.flops(call);
}

template <typename MakeTask>
void Device::submit(size_t workspace, const char* op, const MakeTask& make) {
  // It belongs to this task from here to the end of its run: whoever gets the block next runs later.
  const Block block = workspace > 0 ? allocator_->take(workspace, op) : Block{};
  queue_.submit(make(static_cast<char*>(block.data)));
  if (block.data) allocator_->give(block);
}

void Device::record(std::vector<Tensor> inputs) {
  if (recording_) fail(ErrorCode::kState, "capture", "no capture inside another", "one");
  recording_ = std::make_shared<Capture>(std::move(inputs));
}

std::shared_ptr<Capture> Device::recorded() { return std::exchange(recording_, nullptr); }

Tensor Device::replay(const std::shared_ptr<Capture>& capture, std::span<const int32_t> values,
                      std::span<const Tensor* const> sources) {
  if (recording_) fail(ErrorCode::kState, "capture", "no replay while recording", "one");
  Replay replay(capture, values, sources, *backend_);
  Tensor result = empty(capture->result().dims, capture->result().dtype, "capture");
  replay.setResult(result);
  submit(replay.workspace(), "capture", [&](char* place) {
    for (const auto& [op, calls, flops, bytes] : capture->fixedCounts()) {
      counts_[op].calls += calls, counts_[op].flops += flops, counts_[op].bytes += bytes;
    }
    replay.forEachVarying([&](const OpCall& call) { count(call); });
    return std::make_unique<WorkTask<Replay>>(std::move(replay), place, *backend_);
  });
  return result;
}

Tensor Device::transfer(const Tensor& tensor, Device& from) {
  using Bytes = std::vector<char>;
  // A queue that stops drops its tasks, and with the promise the other one's wait. Waits follow the program's order, so
  // two devices never wait for each other.
  auto promise = std::make_shared<std::promise<Bytes>>();
  auto arrival = std::make_shared<std::future<Bytes>>(promise->get_future());
  auto bytes = std::make_shared<Bytes>();
  const size_t size = size_t(tensor.dims.count()) * sizeOf(tensor.dtype);
  Tensor result = produce(tensor.dims, tensor.dtype, "to", [arrival](void* target) {
    try {
      const Bytes arrived = arrival->get();
      std::copy(arrived.begin(), arrived.end(), static_cast<char*>(target));
    } catch (const std::future_error&) {
      fail(ErrorCode::kState, "to", "a tensor of a running device", "one of a stopped device");
    }
  });
  result.storage->host = tensor.storage->host;
  const auto copy = [bytes, size](const void* data) {
    bytes->assign(static_cast<const char*>(data), static_cast<const char*>(data) + size);
  };
  from.consume(tensor, copy, [bytes, promise](std::optional<Error> error) {
    if (error) {
      promise->set_exception(std::make_exception_ptr(*error));
    } else {
      promise->set_value(std::move(*bytes));
    }
  });
  return result;
}

void Device::read(const Tensor& tensor, void* target, Done done) {
  Storages reads;
  reads.push_back(tensor.storage);
  queue_.submit(std::make_unique<ReadTask>(*backend_, argOf(tensor), std::move(reads), target, std::move(done)));
}

void Device::consume(const Tensor& tensor, std::function<void(const void*)> use, Done done) {
  Storages reads;
  reads.push_back(tensor.storage);
  queue_.submit(
      std::make_unique<ConsumeTask>(*backend_, argOf(tensor), std::move(reads), std::move(use), std::move(done)));
}

void Device::fence(Done done) {
  queue_.submit(std::make_unique<ReadTask>(*backend_, TensorArg{}, Storages{}, nullptr, std::move(done)));
}

}  // namespace duo
