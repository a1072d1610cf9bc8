// Calls that are queued again as one: a step that runs many times over the same tensors pays once for its checks and
// for taking memory, and JavaScript for one call instead of all of them.
//
// The memory of every tensor that the calls read or write stays taken until the capture is closed. What may differ from
// one time to the next are the values of some int32 inputs. Calls that read the host copies of these are checked and
// their workspace is measured anew each time; shapes never depend on them.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "ops/queued_call.h"

namespace duo {

class Capture {
 public:
  // All of the JavaScript thread, but for what is said of Replay::run. Its memory is taken back by `close` alone, which
  // must come before the device goes: a queued replay may be the last to let go of a capture, on the queue's thread.
  void add(const QueuedCall& call);
  // Ends the recording. Inputs are tensors whose values replays give; throws a dtype error for others than dense int32
  // ones.
  void setInputs(std::vector<Tensor> inputs);
  void close();

  size_t inputs() const { return inputs_.size(); }
  size_t inputElements() const;
  // Calls whose host copies never change, as the counters see them: op and count.
  struct Count {
    size_t op;
    uint64_t calls;
    double flops, bytes;
  };
  std::span<const Count> fixedCounts() const { return fixed_; }

 private:
  friend class Replay;
  // A call that reads host copies of inputs.
  struct Varying {
    size_t index;
    OpCall call;                                   // of the JavaScript thread, for checks; calls_ are the queue's
    std::vector<std::pair<size_t, size_t>> hosts;  // argument, input
  };
  void addVarying(size_t index);

  std::vector<QueuedCall> calls_;
  std::vector<Varying> varying_;
  std::vector<Count> fixed_;
  std::vector<Tensor> inputs_;
  size_t workspace_ = 0;  // of the others
};

// One more time, with other values of the inputs.
class Replay {
 public:
  // `values`: of all inputs, one after the other. `sources`: for each input null, or a tensor of the device whose
  // contents at that time it takes instead; no call may read host copies of such an input. Throws what the calls'
  // checks throw.
  Replay(std::shared_ptr<Capture> capture, std::span<const int32_t> values, std::span<const Tensor* const> sources,
         const Backend& backend);

  // Bytes that `run` needs: what the call that needs most does.
  size_t workspace() const { return workspace_; }
  // The varying calls, with their new host copies.
  template <typename Fn>
  void forEachVarying(const Fn& fn) const {
    for (const Capture::Varying& varying : capture_->varying_) fn(varying.call);
  }
  // Gives the inputs' host copies to whoever reads them from here on.
  void publish() const;
  // Of the queue's thread. Errors go to the queue.
  void run(Backend& backend, Queue& queue, char* workspace);

 private:
  void takeSources(std::span<const Tensor* const> sources);
  void writeInputs(Backend& backend, const Queue& queue);

  std::shared_ptr<Capture> capture_;
  std::vector<int32_t> values_;
  std::vector<Tensor> sources_;                 // of each input; without storage for those that `values_` are for
  std::vector<HostCopy> hosts_;                 // new ones of the inputs; null for those that had none
  std::vector<Backend::Workspace> workspaces_;  // of varying calls
  size_t workspace_ = 0;
};

}  // namespace duo
