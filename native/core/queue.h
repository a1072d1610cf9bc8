// In-order execution queue of one device: one producer (the JavaScript thread), one native thread that runs the tasks.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/error.h"

namespace duo {

class Queue;

class Task {
 public:
  virtual ~Task() = default;
  virtual void run(Queue& queue) = 0;  // may throw duo::Error; the queue keeps the earliest
};

class Queue {
 public:
  Queue() = default;
  ~Queue() { stop(); }
  Queue(const Queue&) = delete;

  void submit(std::unique_ptr<Task> task);
  void drain();  // blocks until everything submitted has run
  bool idle() const { return pending_.load(std::memory_order_acquire) == 0; }
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

  std::mutex mutex_;
  std::condition_variable wake_, drained_;
  std::vector<std::unique_ptr<Task>> incoming_;
  std::thread thread_;
  std::atomic<size_t> pending_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> epoch_{1};
  bool sleeping_ = false;
  std::optional<Error> error_;
};

}  // namespace duo
