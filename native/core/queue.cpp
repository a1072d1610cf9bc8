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
  if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { loop(); });
  ++submitted_;
  Task* added = task.release();
  added->next_ = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(added->next_, added)) {
  }
  // Either this sees the sleeper, or the sleeper, which looks once more after saying so, sees the task.
  if (sleeping_) {
    std::lock_guard lock(mutex_);
    wake_.notify_one();
  }
}

void Queue::drain() {
  std::unique_lock lock(mutex_);
  draining_ = true;
  drained_.wait(lock, [this] { return idle() || stopping_; });
  draining_ = false;
}

void Queue::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  for (Task* task = newest_.exchange(nullptr); task;) delete std::exchange(task, task->next_);
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

Task* Queue::take() {
  for (int spin = 0; spin < kSpins && !newest_.load(std::memory_order_relaxed) && !stopping_; ++spin) os::pause();
  if (!newest_.load(std::memory_order_relaxed)) {
    std::unique_lock lock(mutex_);
    sleeping_ = true;
    wake_.wait(lock, [this] { return newest_.load() || stopping_; });
    sleeping_ = false;
  }
  Task* oldest = nullptr;
  for (Task* task = newest_.exchange(nullptr); task;) {
    Task* older = std::exchange(task->next_, oldest);
    oldest = std::exchange(task, older);
  }
  return oldest;
}

void Queue::runOne(Task& task) {
  try {
    task.run(*this);
  } catch (const Error& error) {
    report(error);
  } catch (const std::bad_alloc&) {
    report(Error(ErrorCode::kDevice, "queue: expected memory for a task, got out of memory"));
  }
}

void Queue::loop() {
  os::nameThread("duoformer-queue");
  os::lowerThreadPriority();
  stopFlag = &stopping_;
  while (!stopping_) {
    for (Task* task = take(); task;) {
      const std::unique_ptr<Task> owned(std::exchange(task, task->next_));
      if (stopping_) continue;
      runOne(*owned);
      finished_.fetch_add(1);
      if (draining_) {
        std::lock_guard lock(mutex_);
        drained_.notify_all();
      }
    }
  }
}

}  // namespace duo
