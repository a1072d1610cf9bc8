#include "cpu/thread_pool.h"

#include <cstdlib>

#include "core/os/thread.h"
#include "core/queue.h"

namespace duo::cpu {
namespace {

// A worker looks for the next job this long before it sleeps: ops follow each other within microseconds while a model
// runs, and waking a sleeper costs more than most of them take.
constexpr int kSpins = 4000;

// After so many jobs that no other thread joined the caller lets go of its processor once: one of them may be waiting
// for it. The system would leave it there for milliseconds, with another processor idle.
constexpr int kMostAlone = 2;

// The caller spins so long for those that are in their last index, before it lets them have its processor.
constexpr int kSpinsForOthers = 256;

thread_local ThreadPool* current = nullptr;

std::mutex poolMutex;
std::weak_ptr<ThreadPool> sharedPool;

int threadsFromEnvironment() {
  static const int threads = [] {
    const char* text = std::getenv("DUOFORMER_THREADS");
    const int wanted = text ? std::atoi(text) : 0;
    return std::clamp(wanted > 0 ? wanted : os::availableCores(), 1, ThreadPool::maxThreads());
  }();
  return threads;
}

std::atomic<int> wantedThreads{0};  // 0: as the environment says

}  // namespace

ThreadPool* currentPool() { return current; }
void setCurrentPool(ThreadPool* pool) { current = pool; }

int ThreadPool::maxThreads() { return std::max(os::availableCores(), 2); }

int ThreadPool::threads() {
  const int wanted = wantedThreads;
  return wanted > 0 ? wanted : threadsFromEnvironment();
}

void ThreadPool::setThreads(int threads) {
  std::lock_guard lock(poolMutex);
  wantedThreads = threads;
  if (auto pool = sharedPool.lock()) pool->limit_ = threads;
}

std::shared_ptr<ThreadPool> ThreadPool::acquire() {
  std::lock_guard lock(poolMutex);
  auto pool = sharedPool.lock();
  if (!pool) {
    // As many threads as could ever be asked for: the unused ones sleep.
    pool = std::make_shared<ThreadPool>(maxThreads());
    pool->limit_ = threads();
    sharedPool = pool;
  }
  return pool;
}

ThreadPool::ThreadPool(int threads) : limit_(threads) {
  for (int i = 1; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::work(Job& job, int worker) {
  while (true) {
    const int64_t index = job.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= job.count) return;
    try {
      job.body(job.context, index, worker);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!job.error) job.error = std::current_exception();
      job.next.store(job.count, std::memory_order_relaxed);
    }
  }
}

void ThreadPool::run(int64_t count, Body body, const void* context) {
  const int limit = int(std::min<int64_t>(workers(), count));
  if (limit <= 1) {
    for (int64_t i = 0; i < count && !Queue::interrupted(); ++i) body(context, i, 0);
    return;
  }
  Job job;
  job.count = count, job.body = body, job.context = context, job.limit = limit;
  callerCpu_.store(os::currentCpu(), std::memory_order_relaxed);
  bool wake;
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
    open_.fetch_add(1, std::memory_order_release);
    wake = sleeping_ > 0;
  }
  if (wake) wake_.notify_all();
  // The caller's stop flag ends the job for everyone: nobody will look at the results.
  while (true) {
    const int64_t index = job.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= count) break;
    if (Queue::interrupted()) {
      job.next.store(count, std::memory_order_relaxed);
      break;
    }
    try {
      body(context, index, 0);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!job.error) job.error = std::current_exception();
      job.next.store(count, std::memory_order_relaxed);
    }
  }
  {
    std::lock_guard lock(mutex_);
    if (std::erase(jobs_, &job) > 0) open_.fetch_sub(1, std::memory_order_relaxed);
  }
  // Nobody can join any more; those inside are in their last index.
  for (int spin = 0; job.active.load(std::memory_order_acquire) > 1; ++spin) {
    if (spin < kSpinsForOthers) {
      os::pause();
    } else {
      std::this_thread::yield();
    }
  }
  if (job.joined > 1) {
    alone_ = 0;
  } else if (alone_.fetch_add(1, std::memory_order_relaxed) == kMostAlone) {
    alone_ = 0;
    std::this_thread::yield();
  }
  if (job.error) std::rethrow_exception(job.error);
}

// A worker that was woken where the caller runs would take turns with it.
void ThreadPool::keepClear() {
  const int cpu = callerCpu_.load(std::memory_order_relaxed);
  if (os::currentCpu() == cpu) os::leaveCpu(cpu);
}

void ThreadPool::loop() {
  os::nameThread("duoformer-pool");
  os::lowerThreadPriority();
  current = this;
  while (true) {
    for (int spin = 0; spin < kSpins && open_.load(std::memory_order_acquire) == 0 && !stopping_; ++spin) {
      keepClear();
      os::pause();
    }
    Job* job = nullptr;
    int worker = 0;
    {
      std::unique_lock lock(mutex_);
      const auto claim = [&] {
        const auto found = std::ranges::find_if(
            jobs_, [](const Job* j) { return j->next.load(std::memory_order_relaxed) < j->count; });
        if (found == jobs_.end()) return false;
        job = *found;
        worker = job->joined++;
        job->active.fetch_add(1, std::memory_order_acq_rel);
        if (job->joined == job->limit) {  // full: those that look for work pass it by
          jobs_.erase(found);
          open_.fetch_sub(1, std::memory_order_relaxed);
        }
        return true;
      };
      if (!claim() && open_.load() == 0) {
        ++sleeping_;
        wake_.wait(lock, [&] { return stopping_ || claim(); });
        --sleeping_;
      }
      if (stopping_ && !job) return;
    }
    if (!job) {
      os::pause();
      continue;
    }
    keepClear();
    work(*job, worker);
    job->active.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace duo::cpu
