// One device as one queue thread uses it: a stream, pinned memory for what crosses the bus, and the error word.
#pragma once
#include <array>
#include <memory>
#include <optional>

#include "cuda/context.h"
#include "cuda/kernels/error_word.h"

namespace duo::cuda {

class Stream {
 public:
  explicit Stream(std::shared_ptr<Context> context);
  ~Stream();
  Stream(const Stream&) = delete;

  Context& context() { return *context_; }
  ErrorWord* errorWord() const { return errorWord_; }

  void launch(CUfunction function, const unsigned (&grid)[3], unsigned threads, size_t dynamicShared, void** parameters,
              const std::string& kernel);
  // `host` may go away when this returns.
  void write(void* device, const void* host, size_t bytes);
  void zero(void* device, size_t bytes);
  void copy(void* to, const void* from, size_t bytes);
  // Waits for what was queued so far, and for the copy.
  void read(const void* device, void* host, size_t bytes);
  void synchronize();
  // The first report of a kernel that has run, once; waits for what was queued so far.
  std::optional<ErrorWord> takeReport();

 private:
  // Pinned memory, filled from its start; used again when the copies out of it are done.
  struct Slot {
    char* host = nullptr;
    size_t used = 0;
    CUevent copied = nullptr;
    bool pending = false;
  };
  void nextSlot();

  std::shared_ptr<Context> context_;
  CUstream stream_ = nullptr;
  ErrorWord* errorWord_ = nullptr;
  static constexpr size_t kSlotBytes = size_t(1) << 20;
  std::array<Slot, 4> slots_;
  size_t slot_ = 0;
  char* landing_ = nullptr;  // pinned, kSlotBytes: what is read from the device
};

}  // namespace duo::cuda
