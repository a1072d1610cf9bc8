// Softmax over rows, a block each: three passes over the row, which the caches keep; memory sees it read and written
// once.
#include "cuda/kernels/columns.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

template <typename T>
struct Row {
  const T* data;
  int64_t columns;
  bool vectors;

  // fn(column, count, values): groups of eight columns that are this thread's.
  template <typename Fn>
  __device__ void each(const Fn& fn) const {
    for (int64_t c = int64_t(threadIdx.x) * kColumns; c < columns; c += int64_t(blockDim.x) * kColumns) {
      const int count = int(columns - c < kColumns ? columns - c : kColumns);
      float x[kColumns];
      loadColumns(data + c, vectors && count == kColumns, count, x);
      fn(c, count, x);
    }
  }
  template <typename Fn>
  __device__ float sum(float* scratch, const Fn& fn) const {
    float total = 0;
    each([&](int64_t c, int count, float(&x)[kColumns]) { total += fn(c, count, x); });
    return blockSum(total, scratch);
  }
  __device__ float max(float* scratch) const {
    float most = -INFINITY;
    each([&](int64_t, int count, float(&x)[kColumns]) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) most = j < count ? Max()(most, x[j]) : most;
    });
    return blockMax(most, scratch);
  }
};

// Σ fn(j) over the first `count` of eight columns
template <typename Fn>
__device__ float sumOfColumns(int count, const Fn& fn) {
  float total = 0;
#pragma unroll
  for (int j = 0; j < kColumns; ++j) total += j < count ? fn(j) : 0.f;
  return total;
}

// A row of −inf alone has no distribution: 0, or its logarithm.
template <typename T>
__device__ void softmax(const T* x, T* y, const Walk& rowsOfX, int64_t rows, int64_t columns, bool vectors, bool log) {
  __shared__ float scratch[kWarp];
  const bool small = rows < (int64_t(1) << 31);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const Row<T> row{x + offsetOf(rowsOfX, r, small), columns, vectors};
    T* to = y + r * columns;
    const float max = row.max(scratch);
    const bool masked = max == -INFINITY;
    const float total = masked ? 1.f : row.sum(scratch, [&](int64_t, int count, const float(&v)[kColumns]) {
      return sumOfColumns(count, [&](int j) { return expf(v[j] - max); });
    });
    const float scale = 1.f / total, logTotal = logf(total);
    row.each([&](int64_t c, int count, float(&v)[kColumns]) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        if (log)
          v[j] = masked ? -INFINITY : (v[j] - max) - logTotal;
        else
          v[j] = masked ? 0.f : expf(v[j] - max) * scale;
      }
      storeColumns(to + c, vectors && count == kColumns, count, v);
    });
  }
}

// dX = y · (dY − Σ y · dY), or dY − e^y · Σ dY, and 0 in rows without a distribution
template <typename T>
__device__ void softmaxBwd(const T* y, const T* dY, T* dX, const Walk& rowsOfY, const Walk& rowsOfDY, int64_t rows,
                           int64_t columns, bool vectors, bool log) {
  __shared__ float scratch[kWarp];
  const bool small = rows < (int64_t(1) << 31);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const Row<T> out{y + offsetOf(rowsOfY, r, small), columns, vectors};
    const Row<T> given{dY + offsetOf(rowsOfDY, r, small), columns, vectors};
    const auto load = [&](int64_t c, int count, float(&x)[kColumns]) {
      loadColumns(out.data + c, vectors && count == kColumns, count, x);
    };
    T* to = dX + r * columns;
    const float total = given.sum(scratch, [&](int64_t c, int count, const float(&d)[kColumns]) {
      float v[kColumns];
      if (!log) load(c, count, v);
      return sumOfColumns(count, [&](int j) { return log ? d[j] : v[j] * d[j]; });
    });
    const bool masked = log && out.max(scratch) == -INFINITY;
    given.each([&](int64_t c, int count, float(&d)[kColumns]) {
      float v[kColumns];
      load(c, count, v);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        if (j >= count) continue;
        const float value = log ? d[j] - expf(v[j]) * total : v[j] * (d[j] - total);
        d[j] = masked ? 0.f : value;
      }
      storeColumns(to + c, vectors && count == kColumns, count, d);
    });
  }
}

}  // namespace

#define DUO_SOFTMAX(T)                                                                                                 \
  extern "C" __global__ void softmax_##T(const T* x, T* y, Walk rowsOfX, int64_t rows, int64_t columns, bool vectors,  \
                                         bool log) {                                                                   \
    softmax(x, y, rowsOfX, rows, columns, vectors, log);                                                               \
  }                                                                                                                    \
  extern "C" __global__ void softmaxBwd_##T(const T* y, const T* dY, T* dX, Walk rowsOfY, Walk rowsOfDY, int64_t rows, \
                                            int64_t columns, bool vectors, bool log) {                                 \
    softmaxBwd(y, dY, dX, rowsOfY, rowsOfDY, rows, columns, vectors, log);                                             \
  }

DUO_SOFTMAX(f32)
DUO_SOFTMAX(f16)
DUO_SOFTMAX(bf16)
