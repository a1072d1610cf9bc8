#include "core/os/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace duo::os {

void nameThread(const char* name) { pthread_setname_np(pthread_self(), name); }

void lowerThreadPriority() {
  constexpr int kNice = 5;
  // On Linux the nice value belongs to a thread; a refusal leaves it as it was, which costs latency, not correctness.
  (void)setpriority(PRIO_PROCESS, id_t(syscall(SYS_gettid)), kNice);
}

int availableCores() {
  static const int cores = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
  }();
  return cores;
}

int currentCpu() { return sched_getcpu(); }

void leaveCpu(int cpu) {
  cpu_set_t allowed, others;
  CPU_ZERO(&allowed);
  if (cpu < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  others = allowed;
  CPU_CLR(size_t(cpu), &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  (void)sched_setaffinity(0, sizeof allowed, &allowed);
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace duo::os
