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
#include "ops/registry.h"

namespace duo {

namespace cpu {
class ThreadPool;
}

// What was queued of one op.
struct OpCount {
  uint64_t calls = 0;
  double flops = 0;
  double bytes = 0;  // of all operands once, of those that are updated twice
};

class Device {
 public:
  Device();
  ~Device();

  Tensor empty(const Dims& dims, DType dtype, const char* op);
  // The returned tensor's contents are `bytes`, copied before this returns or before the next op reads them.
  Tensor upload(const Dims& dims, DType dtype, const void* bytes);
  // The returned tensor's contents are what `write` leaves there, dense, when the queue gets to it; it may throw.
  Tensor produce(const Dims& dims, DType dtype, const char* op, std::function<void(void*)> write);

  // Checks the call, takes memory for outputs and workspace, queues the kernel. `inputs` are the call's, in order.
  std::vector<Tensor> enqueue(OpCall call, std::span<const Tensor* const> inputs);

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
  // Nanoseconds that op `number` ran for, so far.
  uint64_t nanoseconds(size_t number) const { return nanoseconds_[number].load(std::memory_order_relaxed); }
  void resetCounts();
  uint64_t calls() const { return calls_; }  // ops enqueued so far; an error names its call by this number

 private:
  uint64_t calls_ = 0;
  std::vector<OpCount> counts_;
  // By the op's number; the queue's thread adds to them.
  std::unique_ptr<std::atomic<uint64_t>[]> nanoseconds_;
  std::shared_ptr<cpu::ThreadPool> pool_;
  std::unique_ptr<MemorySource> memory_;
  Queue queue_;  // before the allocator: it is gone last, when no task can touch a block
  std::unique_ptr<Allocator> allocator_;
};

TensorArg argOf(const Tensor& tensor);

// What arithmetic on the CPU runs on, in the whole process.
struct CpuRuntime {
  const char* isa;
  int threads, maxThreads;
};
CpuRuntime cpuRuntime();  // throws a config error when DUOFORMER_ISA names what this machine cannot run
void setCpuThreads(int threads);

}  // namespace duo
