#include "core/queue.h"

#include <new>
#include <utility>

#include "core/os/thread.h"

namespace duo {
namespace {

thread_local const std::atomic<bool>* stopFlag = nullptr;

// How long the thread looks for work before it sleeps: longer than JavaScript takes to issue the next op, short enough
// to cost nothing when the program does something else. Waking a sleeper costs a system call on both sides.
constexpr int kSpins = 2000;

}  // namespace

bool Queue::interrupted() { return stopFlag && stopFlag->load(std::memory_order_relaxed); }

void Queue::submit(std::unique_ptr<Task> task) {
  pending_.fetch_add(1, std::memory_order_acq_rel);
  bool wake;
  {
    std::lock_guard lock(mutex_);
    incoming_.push_back(std::move(task));
    if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
    wake = sleeping_;
  }
  if (wake) wake_.notify_one();
}

void Queue::drain() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return pending_.load() == 0 || stopping_; });
}

void Queue::stop() {
  stopping_ = true;
  {
    std::lock_guard lock(mutex_);
    wake_.notify_one();
    drained_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  incoming_.clear();
}

std::optional<Error> Queue::takeError() {
  std::lock_guard lock(mutex_);
  if (error_) epoch_.fetch_add(1, std::memory_order_acq_rel);
  return std::exchange(error_, std::nullopt);
}

void Queue::report(const Error& error) {
  std::lock_guard lock(mutex_);
  if (!error_) error_ = error;
}

void Queue::loop() {
  os::nameThread("duoformer-queue");
  os::lowerThreadPriority();
  stopFlag = &stopping_;
  std::vector<std::unique_ptr<Task>> batch;
  while (true) {
    for (int spin = 0; spin < kSpins && pending_.load(std::memory_order_acquire) == 0 && !stopping_; ++spin)
      os::pause();
    {
      std::unique_lock lock(mutex_);
      sleeping_ = true;
      wake_.wait(lock, [this] { return !incoming_.empty() || stopping_; });
      sleeping_ = false;
      if (stopping_) return;
      batch.swap(incoming_);
    }
    for (auto& task : batch) {
      if (stopping_) return;
      try {
        task->run(*this);
      } catch (const Error& error) {
        report(error);
      } catch (const std::bad_alloc&) {
        report(Error(ErrorCode::kDevice, "queue: expected memory for a task, got out of memory"));
      }
      task.reset();
      if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        std::lock_guard lock(mutex_);
        drained_.notify_all();
      }
    }
    batch.clear();
  }
}

}  // namespace duo
