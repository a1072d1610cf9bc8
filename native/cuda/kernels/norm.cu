// RMSNorm and LayerNorm, the formulas of native/cpu/norm.cpp.
//
// Work:  forward, a block a row; backward, a block a chunk of rows, whose column sums it writes to a partial row of its
//        own. Rows of up to eight columns a thread (4,096) stay in registers, as do the weights and the column sums;
//        wider ones are read once from memory and then from the caches.
// Bytes: each operand once, and the partial rows.
#include "cuda/kernels/columns.cuh"
#include "cuda/kernels/norm_params.h"
#include "cuda/kernels/philox.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

// fn(j) for the first `count` of eight columns: unrolled, so that columns stay in registers.
template <typename Fn>
__device__ void eachColumnOf(int count, const Fn& fn) {
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
    if (j < count) fn(j);
  }
}

// fn(column, count) for the groups of a row that are this thread's: the same ones in every pass.
template <typename Fn>
__device__ void eachGroup(int64_t columns, const Fn& fn) {
  for (int64_t c = int64_t(threadIdx.x) * kColumns; c < columns; c += int64_t(blockDim.x) * kColumns) {
    fn(c, int(columns - c < kColumns ? columns - c : kColumns));
  }
}

template <typename Fn>
__device__ float sumOfGroups(int64_t columns, float* scratch, const Fn& fn) {
  float total = 0;
  eachGroup(columns, [&](int64_t c, int count) { total += fn(c, count); });
  return blockSum(total, scratch);
}

// Σ fn(x[c]) over a row
template <typename T, typename Fn>
__device__ float sumOfRow(const T* row, const NormParams& p, float* scratch, const Fn& fn) {
  return sumOfGroups(p.columns, scratch, [&](int64_t c, int count) {
    float x[kColumns], total = 0;
    loadColumns(row + c, p.vectors && count == kColumns, count, x);
    eachColumnOf(count, [&](int j) { total += fn(x[j]); });
    return total;
  });
}

__device__ void drop(const NormParams& p, int64_t row, int64_t c, float (&x)[kColumns]) {
  const uint4 words = drawWords({p.seed, p.site, p.step}, (dropoutRowStart(row, p.columns) + uint64_t(c)) / kColumns);
  const DropoutRule rule{p.threshold, p.scale};
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
    const float factor = dropoutFactor(rule, words, j);
    x[j] = factor == 0.f ? 0.f : x[j] * factor;
  }
}

// This thread's eight columns, where these are all that it has of a row.
struct OwnColumns {
  int64_t c;
  int count;
  bool whole;

  __device__ explicit OwnColumns(const NormParams& p)
      : c(int64_t(threadIdx.x) * kColumns),
        count(int(max(int64_t(0), min(p.columns - c, int64_t(kColumns))))),
        whole(p.vectors && count == kColumns) {}
  template <typename T>
  __device__ void load(const T* row, float (&x)[kColumns]) const {
    loadColumns(row + c, whole, count, x);
  }
  template <typename T>
  __device__ void store(T* row, const float (&x)[kColumns]) const {
    storeColumns(row + c, whole, count, x);
  }
  template <typename Fn>
  __device__ float sum(float* scratch, const Fn& fn) const {
    float total = 0;
    eachColumnOf(count, [&](int j) { total += fn(j); });
    return blockSum(total, scratch);
  }
};
__device__ bool isNarrow(const NormParams& p) { return p.columns <= int64_t(blockDim.x) * kColumns; }

template <typename T, bool kCentered>
__device__ void forwardNarrow(const T* x, const T* residual, const T* weight, const T* bias, T* y, T* h, float* mean,
                              float* rstd, const NormParams& p) {
  __shared__ float scratch[kWarp];
  const bool small = p.rows < (int64_t(1) << 31);
  const float n = float(p.columns);
  const OwnColumns own(p);
  float w[kColumns], b[kColumns];
  own.load(weight, w);
  if (kCentered) own.load(bias, b);
  for (int64_t r = blockIdx.x; r < p.rows; r += gridDim.x) {
    float v[kColumns], more[kColumns];
    own.load(x + offsetOf(p.first, r, small), v);
    if (h) {
      if (residual) own.load(residual + offsetOf(p.second, r, small), more);
      if (p.threshold && own.count > 0) drop(p, r, own.c, v);
      if (residual) eachColumnOf(own.count, [&](int j) { v[j] += more[j]; });
      own.store(h + r * p.columns, v);
      // As it is stored.
      eachColumnOf(own.count, [&](int j) { v[j] = toFloat(fromFloat<T>(v[j])); });
    }
    // A row of equal values must come out as such: the second sum is what rounding took from the first.
    float center = 0;
    if (kCentered) {
      const float rough = own.sum(scratch, [&](int j) { return v[j]; }) / n;
      center = rough + own.sum(scratch, [&](int j) { return v[j] - rough; }) / n;
    }
    const float squares = own.sum(scratch, [&](int j) { return (v[j] - center) * (v[j] - center); });
    const float scale = 1.f / sqrtf(squares / n + p.eps);
    if (threadIdx.x == 0) {
      if (kCentered) mean[r] = center;
      rstd[r] = scale;
    }
    eachColumnOf(own.count,
                 [&](int j) { v[j] = kCentered ? fmaf((v[j] - center) * scale, w[j], b[j]) : v[j] * scale * w[j]; });
    own.store(y + r * p.columns, v);
  }
}

template <typename T, bool kCentered>
__device__ void forward(const T* x, const T* residual, const T* weight, const T* bias, T* y, T* h, float* mean,
                        float* rstd, const NormParams& p) {
  if (isNarrow(p)) return forwardNarrow<T, kCentered>(x, residual, weight, bias, y, h, mean, rstd, p);
  __shared__ float scratch[kWarp];
  const bool small = p.rows < (int64_t(1) << 31);
  const float n = float(p.columns);
  for (int64_t r = blockIdx.x; r < p.rows; r += gridDim.x) {
    const T* row = x + offsetOf(p.first, r, small);
    if (h) {
      T* sum = h + r * p.columns;
      const T* other = residual ? residual + offsetOf(p.second, r, small) : nullptr;
      eachGroup(p.columns, [&](int64_t c, int count) {
        const bool whole = p.vectors && count == kColumns;
        float v[kColumns], more[kColumns];
        loadColumns(row + c, whole, count, v);
        if (p.threshold) drop(p, r, c, v);
        if (other) {
          loadColumns(other + c, whole, count, more);
          eachColumnOf(count, [&](int j) { v[j] += more[j]; });
        }
        storeColumns(sum + c, whole, count, v);
      });
      row = sum;
    }
    // A row of equal values must come out as such: the second sum is what rounding took from the first.
    float center = 0;
    if (kCentered) {
      const float rough = sumOfRow(row, p, scratch, [](float v) { return v; }) / n;
      center = rough + sumOfRow(row, p, scratch, [&](float v) { return v - rough; }) / n;
    }
    const float squares = sumOfRow(row, p, scratch, [&](float v) { return (v - center) * (v - center); });
    const float scale = 1.f / sqrtf(squares / n + p.eps);
    if (threadIdx.x == 0) {
      if (kCentered) mean[r] = center;
      rstd[r] = scale;
    }
    eachGroup(p.columns, [&](int64_t c, int count) {
      const bool whole = p.vectors && count == kColumns;
      float v[kColumns], w[kColumns], b[kColumns];
      loadColumns(row + c, whole, count, v);
      loadColumns(weight + c, whole, count, w);
      if (kCentered) loadColumns(bias + c, whole, count, b);
      eachColumnOf(count,
                   [&](int j) { v[j] = kCentered ? fmaf((v[j] - center) * scale, w[j], b[j]) : v[j] * scale * w[j]; });
      storeColumns(y + r * p.columns + c, whole, count, v);
    });
  }
}

template <typename T, bool kCentered>
__device__ void backwardNarrow(const T* h, const T* weight, const float* mean, const float* rstd, const T* dY,
                               const T* dHOut, T* dH, T* dX, float* sums, const NormParams& p, int64_t height) {
  __shared__ float scratch[kWarp];
  const bool small = p.rows < (int64_t(1) << 31);
  const float n = float(p.columns);
  const OwnColumns own(p);
  float w[kColumns], weightSums[kColumns] = {}, biasSums[kColumns] = {};
  own.load(weight, w);
  const int64_t begin = blockIdx.x * height, end = begin + height < p.rows ? begin + height : p.rows;
  for (int64_t r = begin; r < end; ++r) {
    const float center = kCentered ? mean[r] : 0.f, scale = rstd[r];
    float xHat[kColumns], d[kColumns], more[kColumns] = {};
    own.load(h + offsetOf(p.first, r, small), xHat);
    own.load(dY + offsetOf(p.second, r, small), d);
    if (dHOut) own.load(dHOut + offsetOf(p.third, r, small), more);
    eachColumnOf(own.count, [&](int j) { xHat[j] = (xHat[j] - center) * scale; });
    const float along = own.sum(scratch, [&](int j) { return d[j] * w[j] * xHat[j]; }) / n;
    const float shift = kCentered ? own.sum(scratch, [&](int j) { return d[j] * w[j]; }) / n : 0.f;
    float out[kColumns];
    eachColumnOf(own.count, [&](int j) {
      out[j] = (d[j] * w[j] - shift - xHat[j] * along) * scale;
      weightSums[j] = fmaf(d[j], xHat[j], weightSums[j]);
      biasSums[j] += d[j];
      if (dHOut) out[j] += more[j];
    });
    own.store(dH + r * p.columns, out);
    if (!dX || own.count == 0) continue;
    drop(p, r, own.c, out);
    own.store(dX + r * p.columns, out);
  }
  own.store(sums + blockIdx.x * p.columns, weightSums);
  if (kCentered) own.store(sums + (gridDim.x + blockIdx.x) * p.columns, biasSums);
}

// `sums`: a row for each block, of dWeight; of dBias behind all of those.
template <typename T, bool kCentered>
__device__ void backward(const T* h, const T* weight, const float* mean, const float* rstd, const T* dY, const T* dHOut,
                         T* dH, T* dX, float* sums, const NormParams& p, int64_t height) {
  if (isNarrow(p)) return backwardNarrow<T, kCentered>(h, weight, mean, rstd, dY, dHOut, dH, dX, sums, p, height);
  __shared__ float scratch[kWarp];
  const bool small = p.rows < (int64_t(1) << 31);
  const float n = float(p.columns);
  float* weightSums = sums + blockIdx.x * p.columns;
  float* biasSums = weightSums + gridDim.x * p.columns;
  const int64_t begin = blockIdx.x * height, end = begin + height < p.rows ? begin + height : p.rows;
  for (int64_t r = begin; r < end; ++r) {
    const T *row = h + offsetOf(p.first, r, small), *given = dY + offsetOf(p.second, r, small);
    const T* more = dHOut ? dHOut + offsetOf(p.third, r, small) : nullptr;
    const float center = kCentered ? mean[r] : 0.f, scale = rstd[r];
    float v[kColumns], w[kColumns], d[kColumns];
    const auto load = [&](int64_t c, int count, bool whole) {
      loadColumns(row + c, whole, count, v);
      loadColumns(weight + c, whole, count, w);
      loadColumns(given + c, whole, count, d);
    };
    const float along =
        sumOfGroups(p.columns, scratch,
                    [&](int64_t c, int count) {
                      load(c, count, p.vectors && count == kColumns);
                      float total = 0;
                      eachColumnOf(count, [&](int j) { total += d[j] * w[j] * ((v[j] - center) * scale); });
                      return total;
                    }) /
        n;
    const float shift = !kCentered ? 0.f : sumOfGroups(p.columns, scratch, [&](int64_t c, int count) {
                                             load(c, count, p.vectors && count == kColumns);
                                             float total = 0;
                                             eachColumnOf(count, [&](int j) { total += d[j] * w[j]; });
                                             return total;
                                           }) / n;
    eachGroup(p.columns, [&](int64_t c, int count) {
      const bool whole = p.vectors && count == kColumns;
      load(c, count, whole);
      float out[kColumns];
      eachColumnOf(count, [&](int j) {
        const float xHat = (v[j] - center) * scale;
        out[j] = (d[j] * w[j] - shift - xHat * along) * scale;
        weightSums[c + j] = r == begin ? d[j] * xHat : fmaf(d[j], xHat, weightSums[c + j]);
        if (kCentered) biasSums[c + j] = r == begin ? d[j] : biasSums[c + j] + d[j];
      });
      if (more) {
        loadColumns(more + c, whole, count, v);
        eachColumnOf(count, [&](int j) { out[j] += v[j]; });
      }
      storeColumns(dH + r * p.columns + c, whole, count, out);
      if (!dX) return;
      drop(p, r, c, out);
      storeColumns(dX + r * p.columns + c, whole, count, out);
    });
  }
}

// y = x ⊙ dropout factors
template <typename T>
__device__ void dropRows(const T* x, T* y, const NormParams& p) {
  const bool small = p.rows < (int64_t(1) << 31);
  const int64_t groups = (p.columns + kColumns - 1) / kColumns;
  for (int64_t i = globalThread(); i < p.rows * groups; i += globalThreads()) {
    const int64_t r = i / groups, c = i % groups * kColumns;
    const int count = int(p.columns - c < kColumns ? p.columns - c : kColumns);
    const bool whole = p.vectors && count == kColumns;
    float v[kColumns];
    loadColumns(x + offsetOf(p.first, r, small) + c, whole, count, v);
    if (p.threshold) drop(p, r, c, v);
    storeColumns(y + r * p.columns + c, whole, count, v);
  }
}

}  // namespace

#define DUO_NORM(T)                                                                                                    \
  extern "C" __global__ void __launch_bounds__(kNormThreads, 1)                                                        \
      rmsNorm_##T(const T* x, const T* residual, const T* weight, T* y, T* h, float* rstd, NormParams p) {             \
    forward<T, false>(x, residual, weight, nullptr, y, h, nullptr, rstd, p);                                           \
  }                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(kNormThreads, 1)                                                        \
      layerNorm_##T(const T* x, const T* residual, const T* weight, const T* bias, T* y, T* h, float* mean,            \
                    float* rstd, NormParams p) {                                                                       \
    forward<T, true>(x, residual, weight, bias, y, h, mean, rstd, p);                                                  \
  }                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(kNormThreads, 1)                                                        \
      rmsNormBwd_##T(const T* h, const T* weight, const float* rstd, const T* dY, const T* dHOut, T* dH, T* dX,        \
                     float* sums, NormParams p, int64_t height) {                                                      \
    backward<T, false>(h, weight, nullptr, rstd, dY, dHOut, dH, dX, sums, p, height);                                  \
  }                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(kNormThreads, 1)                                                        \
      layerNormBwd_##T(const T* h, const T* weight, const float* mean, const float* rstd, const T* dY, const T* dHOut, \
                       T* dH, T* dX, float* sums, NormParams p, int64_t height) {                                      \
    backward<T, true>(h, weight, mean, rstd, dY, dHOut, dH, dX, sums, p, height);                                      \
  }                                                                                                                    \
  extern "C" __global__ void dropout_##T(const T* x, T* y, NormParams p) { dropRows(x, y, p); }

DUO_NORM(f32)
DUO_NORM(f16)
DUO_NORM(bf16)
