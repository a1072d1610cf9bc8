// Worker threads shared by every queue of the process; they live while any queue holds the pool.
//
// parallelFor(n, fn) runs fn(index, worker) for every index, on the caller and on idle workers. How work is cut into
// indices must depend on shapes alone, never on the number of threads: then results do not depend on it either.
// `worker` is below workers() and unique among the calls that run at one time: it picks scratch memory.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace duo::cpu {

class ThreadPool {
 public:
  static std::shared_ptr<ThreadPool> acquire();  // the process's pool, started by its first holder
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  // Threads that take part in a parallelFor, the caller included; a new count is for the calls that follow.
  int workers() const { return limit_.load(std::memory_order_relaxed); }
  static void setThreads(int threads);  // 1 to maxThreads(), process-wide
  static int threads();
  static int maxThreads();

  using Body = void (*)(const void* context, int64_t index, int worker);
  void run(int64_t count, Body body, const void* context);

 private:
  struct Job {
    int64_t count;
    Body body;
    const void* context;
    int limit;                     // threads that may take part
    std::atomic<int64_t> next{0};  // first index that nobody took
    int joined = 1;                // threads that ever took part, under the pool's mutex; gives worker numbers
    std::atomic<int> active{1};    // threads inside
    std::exception_ptr error;      // of the first call that threw, under the pool's mutex
  };
  void loop();
  void keepClear();
  void work(Job& job, int worker);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job*> jobs_;
  std::atomic<int> open_{0};  // jobs that another thread may join
  std::atomic<bool> stopping_{false};
  std::atomic<int> limit_;
  int sleeping_ = 0;
  std::atomic<int> callerCpu_{-1};  // of the newest job
  std::atomic<int> alone_{0};       // jobs in a row that nobody joined
  std::vector<std::thread> threads_;
};

// The pool of the queue whose thread this is; null elsewhere.
ThreadPool* currentPool();
void setCurrentPool(ThreadPool* pool);

template <typename Fn>
void parallelFor(int64_t count, const Fn& fn) {
  currentPool()->run(
      count, [](const void* context, int64_t index, int worker) { (*static_cast<const Fn*>(context))(index, worker); },
      &fn);
}

// Runs fn(begin, end) over [0, count) in blocks of `grain`.
template <typename Fn>
void parallelBlocks(int64_t count, int64_t grain, const Fn& fn) {
  grain = std::max<int64_t>(grain, 1);
  if (count <= grain) {
    if (count > 0) fn(int64_t(0), count);
    return;
  }
  parallelFor((count + grain - 1) / grain, [&](int64_t i, int) { fn(i * grain, std::min(count, (i + 1) * grain)); });
}

}  // namespace duo::cpu
