// Optimiser steps over all tensors of a group, the formulas of native/cpu/optimizer.cpp: a block takes a chunk of one
// tensor at a time, and reads and writes each element once. Global norm and clipping, of native/cpu/global_norm.cpp.
#include "cuda/kernels/optimizer.cuh"

using namespace duo::cuda;

namespace {

constexpr int kPrepareThreads = 256;

// The number of the step that is made, or 0; counts one that is left out.
__device__ int64_t stepNumber(const StepRule& rule) {
  if (rule.norm && !isfinite(*rule.norm)) {
    if (rule.skipped && rule.countSkip) ++*rule.skipped;
    return 0;
  }
  const int64_t step = rule.step - (rule.skipped ? *rule.skipped : 0);
  return step < 1 ? 1 : step;
}

// x^y, x ≥ 0, y ≠ 0. Within 1e-13, where results are not too small to matter, and without the function calls of `pow`.
__device__ double power(double x, double y) { return exp(y * log(x)); }

// What the rates of all tensors share.
__device__ double rateOf(const StepRule& rule, int64_t step) {
  const double t = double(step);
  switch (rule.kind) {
    case StepKind::kSgd: return -rule.lr;
    case StepKind::kAdagrad: return -rule.lr / (1 + (t - 1) * rule.lrDecay);
    case StepKind::kAdamw: return -rule.lr / (rule.biasCorrection ? 1 - power(rule.beta1, t) : 1);
    default: {
      if (!rule.relativeStep) return rule.lr;
      const double most = rule.warmupInit ? 1e-6 * t : 1e-2, root = 1 / sqrt(t);
      return most < root ? most : root;
    }
  }
}

template <typename Update>
__device__ void updateChunks(const OptimizerTensor* tensors, int numTensors, int64_t chunks, const StepState* state,
                             const double* rates, const Update& update) {
  if (state->step == 0) return;
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const OptimizerTensor* const at = &tensorOf(tensors, numTensors, chunk, &OptimizerTensor::firstChunk);
    const OptimizerTensor t = *at;  // once: after each store it would be read again
    const float rate = float(rates[at - tensors]);
    eachGroupOfChunk((chunk - t.firstChunk) * kDeviceChunk, t.count, t.vectors, [&](int64_t i, const Lanes& lanes) {
      float p[kGroup], g[kGroup], a[kGroup], b[kGroup];
      lanes.load(t.param + i, p);
      lanes.load(t.grad + i, g);
      if (t.first) lanes.load(t.first + i, a);
      if (t.second) lanes.load(t.second + i, b);
#pragma unroll
      for (int j = 0; j < kGroup; ++j) update(rate, p[j], g[j], a[j], b[j], t.first != nullptr);
      if (t.first) lanes.store(t.first + i, a);
      if (t.second) lanes.store(t.second + i, b);
      lanes.store(t.param + i, p);
      lanes.storeShadow(t.shadowType, t.shadow, i, p);
    });
  }
}

}  // namespace

// sums[chunk] = Σ x² of the tensors' first operand
extern "C" __global__ void sumSquares(const OptimizerTensor* tensors, int numTensors, int64_t chunks, double* sums) {
  __shared__ double scratch[kWarp];
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const OptimizerTensor t = tensorOf(tensors, numTensors, chunk, &OptimizerTensor::firstChunk);
    double sum = 0;
    eachGroupOfChunk((chunk - t.firstChunk) * kDeviceChunk, t.count, t.vectors, [&](int64_t i, const Lanes& lanes) {
      float x[kGroup];
      lanes.load(t.param + i, x);
      sum += squareSum(x);
    });
    sum = blockReduce(sum, Sum(), scratch);
    if (threadIdx.x == 0) sums[chunk] = sum;
  }
}

// norm = √ Σ sums; one block
extern "C" __global__ void globalNorm(const double* sums, int64_t chunks, float* norm) {
  __shared__ double scratch[kWarp];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += blockDim.x) sum += sums[i];
  sum = blockReduce(sum, Sum(), scratch);
  if (threadIdx.x == 0) *norm = float(sqrt(sum));
}

// Gradients *= factor; those within the norm are neither read nor written.
extern "C" __global__ void clipByGlobalNorm(const OptimizerTensor* tensors, int numTensors, int64_t chunks,
                                            const float* normPointer, double maxNorm, int tf) {
  const double norm = *normPointer;
  if (tf ? norm <= maxNorm : norm + 1e-6 <= maxNorm) return;
  const float factor = float(maxNorm / (tf ? norm : norm + 1e-6));
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const OptimizerTensor t = tensorOf(tensors, numTensors, chunk, &OptimizerTensor::firstChunk);
    eachGroupOfChunk((chunk - t.firstChunk) * kDeviceChunk, t.count, t.vectors, [&](int64_t i, const Lanes& lanes) {
      float g[kGroup];
      lanes.load(t.param + i, g);
#pragma unroll
      for (int j = 0; j < kGroup; ++j) g[j] *= factor;
      lanes.store(t.param + i, g);
    });
  }
}

// Which step this is, and the rate of each tensor; one block. `chunkStarts` has numTensors + 1 numbers; `sums` are
// those of the chunks' weights where the rule is scaled.
extern "C" __global__ void optimizerPrepare(StepRule rule, const int64_t* chunkStarts, const int64_t* counts,
                                            int numTensors, const double* sums, StepState* state, double* rates) {
  __shared__ int64_t shared;
  if (threadIdx.x == 0) {
    const int64_t step = stepNumber(rule);
    *state = {step, 1.f, 0.f, 0.f, 0};
    if (rule.kind == StepKind::kAdamw && rule.biasCorrection) {
      state->toSquare = float(1 / sqrt(1 - power(rule.beta2, double(step))));
    }
    if (rule.kind == StepKind::kAdafactor) {
      const double rest = power(double(step), rule.decayRate);
      state->beta2 = float(1 - rest);
      state->rest2 = float(rest);
    }
    shared = step;
  }
  __syncthreads();
  if (shared == 0) return;
  const double rate = rateOf(rule, shared);
  const int lane = threadIdx.x % kWarp;
  for (int t = threadIdx.x / kWarp; t < numTensors; t += kPrepareThreads / kWarp) {
    double scale = 1;
    if (rule.scaled) {
      double sum = 0;
      for (int64_t i = chunkStarts[t] + lane; i < chunkStarts[t + 1]; i += kWarp) sum += sums[i];
      const double rms = sqrt(warpReduce(sum, Sum()) / double(counts[t] < 1 ? 1 : counts[t]));
      scale = rms < rule.least ? rule.least : rms;  // a NaN stays one
    }
    if (lane == 0) rates[t] = rate * scale;
  }
}

extern "C" __global__ void sgd(const OptimizerTensor* tensors, int numTensors, int64_t chunks, const StepState* state,
                               const double* rates, ElementRule rule) {
  updateChunks(tensors, numTensors, chunks, state, rates,
               [&](float rate, float& p, float g, float& v, float&, bool hasVelocity) {
                 g = fmaf(rule.weightDecay, p, g);
                 if (hasVelocity) {
                   v = fmaf(rule.momentum, v, g);
                   g = rule.nesterov ? fmaf(rule.momentum, v, g) : v;
                 }
                 p = fmaf(rate, g, p);
               });
}

extern "C" __global__ void adagrad(const OptimizerTensor* tensors, int numTensors, int64_t chunks,
                                   const StepState* state, const double* rates, ElementRule rule) {
  updateChunks(tensors, numTensors, chunks, state, rates, [&](float rate, float& p, float g, float& s, float&, bool) {
    g = fmaf(rule.weightDecay, p, g);
    s = fmaf(g, g, s);
    p = fmaf(rate, __fdiv_rn(g, __fsqrt_rn(s) + rule.eps), p);
  });
}

extern "C" __global__ void adamw(const OptimizerTensor* tensors, int numTensors, int64_t chunks, const StepState* state,
                                 const double* rates, ElementRule rule) {
  const float toSquare = state->toSquare;
  updateChunks(tensors, numTensors, chunks, state, rates, [&](float rate, float& p, float g, float& m, float& v, bool) {
    m = fmaf(rule.beta1, m, rule.rest1 * g);
    v = fmaf(rule.beta2, v, rule.rest2 * (g * g));
    const float update = __fdiv_rn(m, fmaf(__fsqrt_rn(v), toSquare, rule.eps));
    p = fmaf(rate, update, fmaf(rule.shrink, p, p));
  });
}
