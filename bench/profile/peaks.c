// What this machine can do, with as many pinned threads as the argument says: prints GFLOP/s of multiply-adds on registers
// alone, and GB/s of copying memory (read and written bytes).
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef float Vec __attribute__((vector_size(VECTOR_BYTES)));

enum { kSums = 12 };  // enough to cover the latency of a multiply-add, few enough for the registers
static const long kRounds = 60000000;
static const size_t kBytes = (size_t)256 << 20;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pin(long cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((int)cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void* multiplyAdd(void* cpu) {
  pin((long)cpu);
  Vec sums[kSums], a = {0}, b = {0};
  for (int i = 0; i < kSums; ++i) sums[i] = (Vec){0} + (float)i;
  a += 0.999f, b += 1e-3f;
  for (long r = 0; r < kRounds / kSums; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * a + b;
    __asm__ volatile("" : "+x"(a), "+x"(b));
  }
  Vec total = {0};
  for (int i = 0; i < kSums; ++i) total += sums[i];
  return total[0] == 12345.f ? (void*)1 : NULL;  // the compiler must not leave it out
}

static void* copy(void* cpu) {
  pin((long)cpu);
  char *from = malloc(kBytes), *to = malloc(kBytes);
  memset(from, 1, kBytes), memset(to, 2, kBytes);
  const double start = now();
  for (int i = 0; i < 4; ++i) memcpy(to, from, kBytes), from[i] = to[i + 1];
  double* rate = malloc(sizeof(double));
  *rate = 4 * 2 * (double)kBytes / (now() - start) / 1e9;
  free(from), free(to);
  return rate;
}

int main(int argc, char** argv) {
  const long threads = argc > 1 ? atol(argv[1]) : 1;
  pthread_t ids[64];
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const double start = now();
    for (long t = 0; t < threads; ++t) pthread_create(&ids[t], NULL, multiplyAdd, (void*)t);
    for (long t = 0; t < threads; ++t) pthread_join(ids[t], NULL);
    const double rate = 2. * (VECTOR_BYTES / 4) * (double)kRounds * (double)threads / (now() - start) / 1e9;
    best = rate > best ? rate : best;
  }
  double bandwidth = 0;
  for (long t = 0; t < threads; ++t) pthread_create(&ids[t], NULL, copy, (void*)t);
  for (long t = 0; t < threads; ++t) {
    void* rate;
    pthread_join(ids[t], &rate);
    bandwidth += *(double*)rate;
    free(rate);
  }
  printf("%.1f %.1f\n", best, bandwidth);
  return 0;
}
