// A device as one Node environment uses it: its memory, its queue, and the way from a checked call to a queued task.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/allocator.h"
#include "core/queue.h"
#include "core/tensor.h"
#include "ops/backend.h"
#include "ops/capture.h"
#include "ops/registry.h"

namespace duo {

// What was queued of one op.
struct OpCount {
  uint64_t calls = 0;
  double flops = 0;
  double bytes = 0;  // of all operands once, of those that are updated twice
};

class Device {
 public:
  // Number 0 is the CPU, 1 + n is cuda:n. Throws a device error that says what is missing for it.
  explicit Device(int number);
  ~Device();

  int number() const { return number_; }

  Tensor empty(const Dims& dims, DType dtype, const char* op);
  // The returned tensor's contents are `bytes`, copied before this returns or before the next op reads them.
  Tensor upload(const Dims& dims, DType dtype, const void* bytes);
  // The returned tensor's contents are what `write` leaves there, dense, when the queue gets to it; it may throw.
  Tensor produce(const Dims& dims, DType dtype, const char* op, std::function<void(void*)> write);

  // Checks the call, takes memory for outputs and workspace, queues the kernel. `inputs` are the call's, in order;
  // an error names its call by `number`.
  std::vector<Tensor> enqueue(uint64_t number, OpCall&& call, std::span<const Tensor* const> inputs);
  // From here on calls are kept besides being queued, until `recorded` takes them; see Capture.
  void record(std::vector<Tensor> inputs);
  std::shared_ptr<Capture> recorded();
  // Queues them all again; see Replay. Returns the copy of the result.
  Tensor replay(const std::shared_ptr<Capture>& capture, std::span<const int32_t> values,
                std::span<const Tensor* const> sources);
  // The returned tensor, of this device, gets the contents of a dense one of another.
  Tensor transfer(const Tensor& tensor, Device& from);

  // Queues a copy of the tensor's elements, dense and with 16-bit floats widened, to `target`; then calls `done` on the
  // queue's thread, with the earliest error since the last one taken.
  using Done = std::function<void(std::optional<Error>)>;
  void read(const Tensor& tensor, void* target, Done done);
  void fence(Done done);
  // Calls `use` with the elements of a dense tensor when the queue gets to it, then `done` with what `use` threw; where
  // the tensor was never computed, `use` is not called, and `done` gets the earliest error.
  void consume(const Tensor& tensor, std::function<void(const void*)> use, Done done);

  Allocator& allocator() { return *allocator_; }
  Queue& queue() { return queue_; }
  // By the op's number in the registry, since the start or the last reset.
  std::span<const OpCount> counts() const { return counts_; }
  // Nanoseconds that op `number` ran for, so far; of a device that runs on its own, that starting it took.
  uint64_t nanoseconds(size_t number) const { return nanoseconds_[number].load(std::memory_order_relaxed); }
  void resetCounts();
  // Whether float32 products of ops enqueued from here on may round their operands to tf32.
  void setTf32(bool allowed) { tf32_ = allowed; }

 private:
  void drain();
  void count(const OpCall& call);
  // Queues what `make` makes of `workspace` bytes; `op` is what errors name.
  template <typename MakeTask>
  void submit(size_t workspace, const char* op, const MakeTask& make);

  const int number_;
  bool tf32_ = false;
  std::vector<OpCount> counts_;
  // By the op's number; the queue's thread adds to them.
  std::unique_ptr<std::atomic<uint64_t>[]> nanoseconds_;
  Queue queue_;  // before the allocator: it is gone last, when no task can touch a block
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Allocator> allocator_;
  std::shared_ptr<Capture> recording_;
};

TensorArg argOf(const Tensor& tensor);
std::string deviceName(int number);  // "cpu", "cuda:0"

// What arithmetic on the CPU runs on, in the whole process.
struct CpuRuntime {
  const char* isa;
  int threads, maxThreads;
};
CpuRuntime cpuRuntime();  // throws a config error when DUOFORMER_ISA names what this machine cannot run
void setCpuThreads(int threads);

// What there is of CUDA, for who asks; nothing is loaded before.
struct CudaRuntime {
  std::string build;    // with which compiler the kernels were made, or why there are none
  std::string problem;  // why no device can be used; empty when one can
  struct Gpu {
    std::string name;
    int major, minor, multiprocessors;
    size_t memory;
  };
  std::vector<Gpu> devices;
};
CudaRuntime cudaRuntime();

}  // namespace duo
