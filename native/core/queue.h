// In-order execution queue of one device: one producer (the JavaScript thread), one native thread that runs the tasks.
//
// The way in is a lock-free list: an op of a few microseconds must not pay for a lock that two threads fight over.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/error.h"

namespace duo {

class Queue;

class Task {
 public:
  virtual ~Task() = default;
  virtual void run(Queue& queue) = 0;  // may throw duo::Error; the queue keeps the earliest

 private:
  friend class Queue;
  Task* next_ = nullptr;
};

class Queue {
 public:
  Queue() = default;
  ~Queue() { stop(); }
  Queue(const Queue&) = delete;

  // Of the producer alone:
  void submit(std::unique_ptr<Task> task);
  void drain();  // blocks until everything submitted has run
  bool idle() const { return finished_ == submitted_; }
  void stop();  // drops what has not started, interrupts what has, joins

  // Earliest error since it was last taken. Taking it starts a new epoch.
  std::optional<Error> takeError();
  void report(const Error& error);
  // Counts error epochs; only the queue's thread reads it while a task runs.
  uint32_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  // Long kernels poll this between blocks of work, so that teardown does not wait for them.
  static bool interrupted();

 private:
  void loop();
  Task* take();  // all that is new, oldest first; sleeps while there is nothing and no stop
  void runOne(Task& task);

  std::atomic<Task*> newest_{nullptr};  // submitted and not taken, linked from the newest to the oldest
  uint64_t submitted_ = 0;              // producer only
  std::atomic<uint64_t> finished_{0};
  std::atomic<bool> sleeping_{false}, stopping_{false}, draining_{false};
  std::atomic<uint32_t> epoch_{1};
  std::mutex mutex_;  // of the two conditions and the error
  std::condition_variable wake_, drained_;
  std::optional<Error> error_;
  std::thread thread_;
};

}  // namespace duo
