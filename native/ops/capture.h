// Calls that are queued again as one: a step that runs many times over the same shapes pays once for its checks, and
// JavaScript for one call instead of all of them.
//
// What may differ from one time to the next are the contents of some inputs. These, and what the calls make, lie in
// memory that each replay takes while it runs, at places that are planned while the calls are recorded: what one call
// has no use for any more, the next writes over, as it would without a capture. All other tensors that they read or
// write stay as they are until the capture is closed. Calls that read the host copies of inputs are checked and their
// workspace is measured anew each time; shapes never depend on them.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/ranges.h"
#include "ops/queued_call.h"

namespace duo {

class Capture final : public StorageWatch {
 public:
  // Inputs are dense tensors that nothing but the calls reads; throws a dtype error for others.
  explicit Capture(std::vector<Tensor> inputs);
  ~Capture() override;
  Capture(const Capture&) = delete;

  // All of the JavaScript thread, but for what is said of Replay::run. Its memory is taken back by `close` alone, which
  // must come before the device goes: a queued replay may be the last to let go of a capture, on the queue's thread.

  // A storage that was made while recording; released() says that it has gone.
  void made(const std::shared_ptr<Storage>& storage);
  void released(const Storage& storage) override;
  // Its contents come from elsewhere than the calls: it stays.
  void keep(const std::shared_ptr<Storage>& storage);
  void add(const QueuedCall& call);
  // Ends the recording. Of `result`, which is dense, each replay gives a copy; throws a dtype error for another.
  void finish(Tensor result);
  void close();

  size_t inputs() const { return inputs_.size(); }
  // Elements of the int32 inputs.
  size_t inputElements() const;
  const Tensor& result() const { return result_; }
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
  // What a call reads or writes `offset` bytes into the memory of a replay.
  struct Placed {
    size_t call;
    bool output;
    size_t argument;
    size_t offset;
  };
  void addVarying(size_t index);
  char* planned(const std::shared_ptr<Storage>& storage);
  void place(size_t call, bool output, size_t argument, const std::shared_ptr<Storage>& storage);
  void endRecording();

  std::vector<QueuedCall> calls_;
  std::vector<Varying> varying_;
  std::vector<Count> fixed_;
  std::vector<Tensor> inputs_;
  std::vector<size_t> inputPlaces_;
  Tensor result_;
  std::optional<size_t> resultPlace_;  // nothing where it is not of the calls' making
  std::vector<Placed> placed_;
  std::vector<std::shared_ptr<Storage>> kept_;
  size_t workspace_ = 0;  // of the calls whose host copies never change

  // The plan: where what the calls make lies. Only the differences of these addresses mean something.
  struct Place {
    char* data;
    std::weak_ptr<Storage> of;
  };
  std::unordered_map<const Storage*, Place> places_;  // of what has not gone yet
  Ranges plan_;
  size_t memory_ = 0;
};

// One more time, with other contents of the inputs.
class Replay {
 public:
  // `values`: of all int32 inputs, one after the other. `sources`: for each input null, or a tensor of the device whose
  // contents at that time it takes instead; no call may read host copies of such an input. `result`: what gets the
  // copy of the result. Throws what the calls' checks throw.
  Replay(std::shared_ptr<Capture> capture, std::span<const int32_t> values, std::span<const Tensor* const> sources,
         const Backend& backend);

  // Bytes that `run` needs: for what the calls make, and what the call that needs most does.
  size_t workspace() const { return capture_->memory_ + workspace_; }
  void setResult(const Tensor& result) { result_ = result; }
  // The varying calls, with their new host copies.
  template <typename Fn>
  void forEachVarying(const Fn& fn) const {
    for (const Capture::Varying& varying : capture_->varying_) fn(varying.call);
  }
  // Of the queue's thread. Errors go to the queue.
  void run(Backend& backend, Queue& queue, char* memory);

 private:
  void takeSources(std::span<const Tensor* const> sources);
  void writeInputs(Backend& backend, const Queue& queue, char* memory);
  void placeArguments(char* memory);
  void copyResult(Backend& backend, const Queue& queue, char* memory);

  std::shared_ptr<Capture> capture_;
  std::vector<int32_t> values_;
  std::vector<Tensor> sources_;                 // of each input; without storage for those that `values_` are for
  std::vector<HostCopy> hosts_;                 // new ones of the inputs; null for those that had none
  std::vector<Backend::Workspace> workspaces_;  // of varying calls
  size_t workspace_ = 0;
  Tensor result_;
};

}  // namespace duo
