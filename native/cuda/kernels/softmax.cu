// Softmax over rows, a block each: three passes over the row, which the caches keep; memory sees it read and written
// once.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

template <typename T>
struct Row {
  const T* data;
  int64_t columns;
  __device__ float operator()(int64_t c) const { return toFloat(data[c]); }
  template <typename Fn>
  __device__ float sum(float* scratch, const Fn& fn) const {
    float total = 0;
    for (int64_t c = threadIdx.x; c < columns; c += blockDim.x) total += fn(c);
    return blockSum(total, scratch);
  }
  __device__ float max(float* scratch) const {
    float most = -INFINITY;
    for (int64_t c = threadIdx.x; c < columns; c += blockDim.x) most = Max()(most, (*this)(c));
    return blockMax(most, scratch);
  }
};

// A row of −inf alone has no distribution: 0, or its logarithm.
template <typename T>
__device__ void softmax(const T* x, T* y, const Walk& rowsOfX, int64_t rows, int64_t columns, bool log) {
  __shared__ float scratch[kWarp];
  const bool small = rows < (int64_t(1) << 31);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const Row<T> row{x + offsetOf(rowsOfX, r, small), columns};
    T* to = y + r * columns;
    const float max = row.max(scratch);
    const bool masked = max == -INFINITY;
    const float total = masked ? 1.f : row.sum(scratch, [&](int64_t c) { return expf(row(c) - max); });
    const float scale = 1.f / total, logTotal = logf(total);
    for (int64_t c = threadIdx.x; c < columns; c += blockDim.x) {
      float value = 0;
      if (log)
        value = masked ? -INFINITY : (row(c) - max) - logTotal;
      else if (!masked)
        value = expf(row(c) - max) * scale;
      to[c] = fromFloat<T>(value);
    }
  }
}

// dX = y · (dY − Σ y · dY), or dY − e^y · Σ dY, and 0 in rows without a distribution
template <typename T>
__device__ void softmaxBwd(const T* y, const T* dY, T* dX, const Walk& rowsOfY, const Walk& rowsOfDY, int64_t rows,
                           int64_t columns, bool log) {
  __shared__ float scratch[kWarp];
  const bool small = rows < (int64_t(1) << 31);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const Row<T> out{y + offsetOf(rowsOfY, r, small), columns}, given{dY + offsetOf(rowsOfDY, r, small), columns};
    T* to = dX + r * columns;
    const float total = given.sum(scratch, [&](int64_t c) { return log ? given(c) : out(c) * given(c); });
    const bool masked = log && out.max(scratch) == -INFINITY;
    for (int64_t c = threadIdx.x; c < columns; c += blockDim.x) {
      const float value = log ? given(c) - expf(out(c)) * total : out(c) * (given(c) - total);
      to[c] = fromFloat<T>(masked ? 0.f : value);
    }
  }
}

}  // namespace

#define DUO_SOFTMAX(T)                                                                                                 \
  extern "C" __global__ void softmax_##T(const T* x, T* y, Walk rowsOfX, int64_t rows, int64_t columns, bool log) {    \
    softmax(x, y, rowsOfX, rows, columns, log);                                                                        \
  }                                                                                                                    \
  extern "C" __global__ void softmaxBwd_##T(const T* y, const T* dY, T* dX, Walk rowsOfY, Walk rowsOfDY, int64_t rows, \
                                            int64_t columns, bool log) {                                               \
    softmaxBwd(y, dY, dX, rowsOfY, rowsOfDY, rows, columns, log);                                                      \
  }

DUO_SOFTMAX(f32)
DUO_SOFTMAX(f16)
DUO_SOFTMAX(bf16)
