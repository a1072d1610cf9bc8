// OpenBLAS behind the protocol of gemm.ts: a line "layout batch m n k threads repeats" comes in, the seconds of one
// product (mean over the repeats) go out.
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void openblas_set_num_threads(int threads);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float* filled(size_t count) {
  float* x = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  unsigned state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    x[i] = (float)state / 2147483648.f - 1.f;
  }
  return x;
}

int main(void) {
  char layout[4];
  int batch, m, n, k, threads, repeats;
  while (scanf("%3s %d %d %d %d %d %d", layout, &batch, &m, &n, &k, &threads, &repeats) == 7) {
    openblas_set_num_threads(threads);
    const size_t sizeA = (size_t)m * k, sizeB = (size_t)k * n, sizeC = (size_t)m * n;
    float *a = filled(sizeA * batch), *b = filled(sizeB * batch), *c = filled(sizeC * batch);
    const int ta = layout[0] == 'T', tb = layout[1] == 'T';
    double start = 0;
    for (int r = -1; r < repeats; ++r) {  // the first is to warm up
      if (r == 0) start = now();
      for (int i = 0; i < batch; ++i) {
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1.f,
                    a + i * sizeA, ta ? m : k, b + i * sizeB, tb ? k : n, 0.f, c + i * sizeC, n);
      }
    }
    printf("%.9f\n", (now() - start) / repeats);
    fflush(stdout);
    free(a), free(b), free(c);
  }
  return 0;
}
