// Adafactor over all tensors of a group, the formulas of native/cpu/adafactor.cpp. In the order in which they run:
// moments of rows, a warp each · sums of columns over pieces of rows, a thread each · moments of columns · factors of u
// by rows, a block for each matrix · Σ u² by chunks · the rates · the update. The gradient is read four times, which is
// once more than the CPU does: rows and columns by kernels of their own read it whole and in order.
#include "cuda/kernels/optimizer.cuh"

using namespace duo::cuda;

namespace {

__device__ float average(const StepState& state, float before, float mean, float eps) {
  return state.beta2 * before + state.rest2 * (mean + eps);
}

// The line of matrix `slab` that holds row `row`: its elements begin at line · t.line.
__device__ int64_t lineOf(const AdafactorTensor& t, int64_t slab, int64_t row) {
  return (slab / t.middle * t.numRows + row) * t.middle + slab % t.middle;
}
__device__ int64_t slabOf(const AdafactorTensor& t, int64_t line) {
  return line / (t.numRows * t.middle) * t.middle + line % t.middle;
}

// fn(i, lanes, u) for the groups of a chunk that are this thread's.
template <typename Fn>
__device__ void eachUpdate(const AdafactorTensor& t, int64_t chunk, const Fn& fn) {
  const bool vectors = isAligned(t.param) && isAligned(t.grad) && (!t.mean || isAligned(t.mean)) &&
                       (!t.squares || isAligned(t.squares)) && (!t.shadow || isAligned(t.shadow, 8));
  eachGroupOfChunk((chunk - t.firstChunk) * kDeviceChunk, t.count, vectors, [&](int64_t i, const Lanes& lanes) {
    float u[kGroup], v[kGroup];
    lanes.load(t.grad + i, u);
    if (!t.factored) {
      lanes.load(t.squares + i, v);
#pragma unroll
      for (int j = 0; j < kGroup; ++j) u[j] = j < lanes.count ? __fdiv_rn(u[j], __fsqrt_rn(v[j])) : 0.f;
    } else {
      int64_t line = i / t.line, c = i - line * t.line, slab = slabOf(t, line);
#pragma unroll
      for (int j = 0; j < kGroup; ++j) {
        if (j >= lanes.count) break;
        const int64_t inner = t.inner == 1 ? 0 : c % t.inner;
        u[j] *= t.rowFactors[line * t.inner + inner] * t.columnFactors[slab * t.line + c];
        if (++c == t.line) c = 0, ++line, slab = slabOf(t, line);
      }
    }
    fn(i, lanes, u);
  });
}

}  // namespace

// Moments of rows of factored tensors: a warp for each.
extern "C" __global__ void adafactorRows(const AdafactorTensor* tensors, int numTensors, int64_t rows,
                                         const StepState* state, float eps) {
  if (state->step == 0) return;
  const int lane = threadIdx.x % kWarp;
  for (int64_t i = globalThread() / kWarp; i < rows; i += globalThreads() / kWarp) {
    const AdafactorTensor& t = tensorOf(tensors, numTensors, i, &AdafactorTensor::firstRow);
    const int64_t moment = i - t.firstRow, line = moment / t.inner;
    const float* g = t.grad + line * t.line + moment % t.inner;
    double sum = 0;
    for (int64_t c = lane; c < t.numColumns; c += kWarp) {
      const float x = g[c * t.inner];
      sum += double(x * x);
    }
    sum = warpReduce(sum, Sum());
    if (lane == 0) t.rows[moment] = average(*state, t.rows[moment], float(sum / double(t.numColumns)), eps);
  }
}

// Σ g² of a column over a piece of its rows: a thread for each.
extern "C" __global__ void adafactorColumnSums(const AdafactorTensor* tensors, int numTensors, int64_t parts,
                                               const StepState* state) {
  if (state->step == 0) return;
  for (int64_t i = globalThread(); i < parts; i += globalThreads()) {
    const AdafactorTensor& t = tensorOf(tensors, numTensors, i, &AdafactorTensor::firstPart);
    // Laid out as slab, piece, column: neighbouring threads read together.
    const int64_t part = i - t.firstPart, c = part % t.line, piece = part / t.line % t.pieces;
    const int64_t slab = part / t.line / t.pieces, begin = piece * t.height;
    const int64_t end = begin + t.height < t.numRows ? begin + t.height : t.numRows;
    const float* g = t.grad + lineOf(t, slab, begin) * t.line + c;
    const int64_t step = t.middle * t.line;
    float sum = 0;
    for (int64_t row = begin; row < end; ++row, g += step) sum = fmaf(*g, *g, sum);
    t.columnSums[part] = sum;
  }
}

// Moments of columns, and the factors of u that follow from them.
extern "C" __global__ void adafactorColumns(const AdafactorTensor* tensors, int numTensors, int64_t columns,
                                            const StepState* state, float eps) {
  if (state->step == 0) return;
  for (int64_t i = globalThread(); i < columns; i += globalThreads()) {
    const AdafactorTensor& t = tensorOf(tensors, numTensors, i, &AdafactorTensor::firstColumn);
    const int64_t moment = i - t.firstColumn, slab = moment / t.line, c = moment % t.line;
    const float* sums = t.columnSums + slab * t.pieces * t.line + c;
    float sum = 0;
    for (int64_t piece = 0; piece < t.pieces; ++piece) sum += sums[piece * t.line];
    const float mean = average(*state, t.columns[moment], sum / float(t.numRows), eps);
    t.columns[moment] = mean;
    t.columnFactors[moment] = __fdiv_rn(1.f, __fsqrt_rn(mean));
  }
}

// Factors of u from the moments of rows: a block for each matrix and index of the dimensions behind its columns.
extern "C" __global__ void adafactorRowFactors(const AdafactorTensor* tensors, int numTensors, int64_t matrices,
                                               const StepState* state) {
  __shared__ double scratch[kWarp];
  if (state->step == 0) return;
  for (int64_t i = blockIdx.x; i < matrices; i += gridDim.x) {
    const AdafactorTensor& t = tensorOf(tensors, numTensors, i, &AdafactorTensor::firstMatrix);
    const int64_t matrix = i - t.firstMatrix, slab = matrix / t.inner, n = matrix % t.inner;
    double sum = 0;
    for (int64_t row = threadIdx.x; row < t.numRows; row += blockDim.x) {
      sum += double(t.rows[lineOf(t, slab, row) * t.inner + n]);
    }
    const float mean = float(blockReduce(sum, Sum(), scratch) / double(t.numRows));
    for (int64_t row = threadIdx.x; row < t.numRows; row += blockDim.x) {
      const int64_t at = lineOf(t, slab, row) * t.inner + n;
      t.rowFactors[at] = __fdiv_rn(1.f, __fsqrt_rn(__fdiv_rn(t.rows[at], mean)));
    }
    __syncthreads();
  }
}

// Second moments of tensors that are not factored, which a thread then reads where it wrote them; for all, sums[chunk]
// = Σ u².
extern "C" __global__ void adafactorUpdateSums(const AdafactorTensor* tensors, int numTensors, int64_t chunks,
                                               const StepState* state, float eps, double* sums) {
  __shared__ double scratch[kWarp];
  if (state->step == 0) return;
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const AdafactorTensor& t = tensorOf(tensors, numTensors, chunk, &AdafactorTensor::firstChunk);
    if (!t.factored) {
      const bool vectors = isAligned(t.grad) && isAligned(t.squares);
      eachGroupOfChunk((chunk - t.firstChunk) * kDeviceChunk, t.count, vectors, [&](int64_t i, const Lanes& lanes) {
        float g[kGroup], v[kGroup];
        lanes.load(t.grad + i, g);
        lanes.load(t.squares + i, v);
#pragma unroll
        for (int j = 0; j < kGroup; ++j) v[j] = fmaf(state->beta2, v[j], state->rest2 * fmaf(g[j], g[j], eps));
        lanes.store(t.squares + i, v);
      });
    }
    double sum = 0;
    eachUpdate(t, chunk, [&](int64_t, const Lanes&, const float(&u)[kGroup]) { sum += squareSum(u); });
    sum = blockReduce(sum, Sum(), scratch);
    if (threadIdx.x == 0) sums[chunk] = sum;
  }
}

// rates[t] = α / max(1, RMS(u)/clipThreshold), where alphas[t] = α; a warp for each tensor
extern "C" __global__ void adafactorRates(const int64_t* chunkStarts, const int64_t* counts, int numTensors,
                                          const double* sums, const double* alphas, const StepState* state,
                                          double clipThreshold, float* rates) {
  if (state->step == 0) return;
  const int lane = threadIdx.x % kWarp;
  for (int64_t t = globalThread() / kWarp; t < numTensors; t += globalThreads() / kWarp) {
    double sum = 0;
    for (int64_t i = chunkStarts[t] + lane; i < chunkStarts[t + 1]; i += kWarp) sum += sums[i];
    const double rms = sqrt(warpReduce(sum, Sum()) / double(counts[t] < 1 ? 1 : counts[t]));
    const double excess = rms / clipThreshold;
    if (lane == 0) rates[t] = float(alphas[t] / (excess <= 1 ? 1 : excess));
  }
}

extern "C" __global__ void adafactorUpdate(const AdafactorTensor* tensors, int numTensors, int64_t chunks,
                                           const StepState* state, const double* alphas, const float* rates,
                                           double weightDecay, float beta1, float rest1) {
  if (state->step == 0) return;
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const AdafactorTensor& t = tensorOf(tensors, numTensors, chunk, &AdafactorTensor::firstChunk);
    const float rate = rates[&t - tensors], shrink = float(-weightDecay * alphas[&t - tensors]);
    eachUpdate(t, chunk, [&](int64_t i, const Lanes& lanes, float(&u)[kGroup]) {
      float p[kGroup], m[kGroup];
      lanes.load(t.param + i, p);
      if (t.mean) lanes.load(t.mean + i, m);
#pragma unroll
      for (int j = 0; j < kGroup; ++j) {
        u[j] *= rate;
        if (t.mean) u[j] = m[j] = fmaf(beta1, m[j], rest1 * u[j]);
        p[j] = fmaf(shrink, p[j], p[j]) - u[j];
      }
      if (t.mean) lanes.store(t.mean + i, m);
      lanes.store(t.param + i, p);
      lanes.storeShadow(t.shadowType, t.shadow, i, p);
    });
  }
}
