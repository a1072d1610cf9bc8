#include "cuda/stream.h"

#include <algorithm>
#include <cstring>

namespace duo::cuda {

Stream::Stream(std::shared_ptr<Context> context) : context_(std::move(context)) {
  const Driver& driver = context_->driver;
  context_->makeCurrent();
  context_->check(driver.cuStreamCreate(&stream_, kStreamNonBlocking), "making a stream");
  const auto pinned = [&](size_t bytes) {
    void* data = nullptr;
    context_->check(driver.cuMemAllocHost(&data, bytes), "taking pinned memory");
    return static_cast<char*>(data);
  };
  for (Slot& slot : slots_) {
    slot.host = pinned(kSlotBytes);
    context_->check(driver.cuEventCreate(&slot.copied, kEventDisableTiming), "making an event");
  }
  landing_ = pinned(kSlotBytes);
  CUdeviceptr word = 0;
  context_->check(driver.cuMemAlloc(&word, sizeof(ErrorWord)), "taking memory for the error word");
  errorWord_ = reinterpret_cast<ErrorWord*>(word);
  zero(errorWord_, sizeof(ErrorWord));
}

Stream::~Stream() {
  const Driver& driver = context_->driver;
  context_->makeCurrent();
  driver.cuStreamSynchronize(stream_);
  driver.cuMemFree(address(errorWord_));
  for (Slot& slot : slots_) {
    driver.cuMemFreeHost(slot.host);
    driver.cuEventDestroy(slot.copied);
  }
  driver.cuMemFreeHost(landing_);
  driver.cuStreamDestroy(stream_);
}

void Stream::launch(CUfunction function, const unsigned (&grid)[3], unsigned threads, size_t dynamicShared,
                    void** parameters, const std::string& kernel) {
  const CUresult result = context_->driver.cuLaunchKernel(function, grid[0], grid[1], grid[2], threads, 1, 1,
                                                          unsigned(dynamicShared), stream_, parameters, nullptr);
  if (result != kSuccess) context_->check(result, "launching " + kernel);
}

void Stream::nextSlot() {
  const Driver& driver = context_->driver;
  Slot& full = slots_[slot_];
  context_->check(driver.cuEventRecord(full.copied, stream_), "recording an event");
  full.pending = true;
  slot_ = (slot_ + 1) % slots_.size();
  Slot& next = slots_[slot_];
  if (next.pending) context_->check(driver.cuEventSynchronize(next.copied), "waiting for a copy");
  next.pending = false;
  next.used = 0;
}

void Stream::write(void* device, const void* host, size_t bytes) {
  constexpr size_t kAlignment = 64;
  auto* to = static_cast<char*>(device);
  const auto* from = static_cast<const char*>(host);
  while (bytes > 0) {
    if (slots_[slot_].used == kSlotBytes) nextSlot();
    Slot& slot = slots_[slot_];
    const size_t part = std::min(bytes, kSlotBytes - slot.used);
    std::memcpy(slot.host + slot.used, from, part);
    context_->check(context_->driver.cuMemcpyHtoDAsync(address(to), slot.host + slot.used, part, stream_),
                    "copying to the device");
    slot.used = std::min(kSlotBytes, (slot.used + part + kAlignment - 1) / kAlignment * kAlignment);
    to += part;
    from += part;
    bytes -= part;
  }
}

void Stream::zero(void* device, size_t bytes) {
  if (bytes == 0) return;
  context_->check(context_->driver.cuMemsetD8Async(address(device), 0, bytes, stream_), "clearing memory");
}

void Stream::copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  context_->check(context_->driver.cuMemcpyDtoDAsync(address(to), address(from), bytes, stream_), "copying memory");
}

void Stream::read(const void* device, void* host, size_t bytes) {
  const auto* from = static_cast<const char*>(device);
  auto* to = static_cast<char*>(host);
  while (bytes > 0) {
    const size_t part = std::min(bytes, kSlotBytes);
    context_->check(context_->driver.cuMemcpyDtoHAsync(landing_, address(from), part, stream_),
                    "copying from the device");
    synchronize();
    std::memcpy(to, landing_, part);
    from += part;
    to += part;
    bytes -= part;
  }
}

void Stream::synchronize() {
  context_->check(context_->driver.cuStreamSynchronize(stream_), "running what was queued");
}

std::optional<ErrorWord> Stream::takeReport() {
  ErrorWord word;
  read(errorWord_, &word, sizeof word);
  if (word.state == 0) return std::nullopt;
  zero(errorWord_, sizeof word);
  return word;
}

}  // namespace duo::cuda
