// Activations and their derivatives in float32: the formulas and bounds of native/cpu/vec_math.h.
#pragma once
#include <cmath>

namespace duo::cuda {

// In the order of gemm's `act`; those of the gated ops begin at kRelu.
enum class Act { kNone, kRelu, kGeluErf, kGeluTanh, kSilu };

constexpr float kSqrtHalf = 0.707106781f, kInvSqrt2Pi = 0.398942280f;
constexpr float kTwoSqrt2OverPi = 1.59576912f, kGeluCubic = 0.044715f;

__device__ inline float sigmoid(float x) { return 1.f / (1.f + expf(-x)); }

// NaN stays NaN; at 0 the derivative is 0.
__device__ inline float relu(float x) { return x < 0.f ? 0.f : x; }
__device__ inline float reluGrad(float x) { return x > 0.f ? 1.f : (x != x ? x : 0.f); }

__device__ inline float normalCdf(float x) { return 0.5f * erff(x * kSqrtHalf) + 0.5f; }
__device__ inline float normalCdfTanh(float x) { return sigmoid(fmaf(x * x * x, kGeluCubic, x) * kTwoSqrt2OverPi); }

__device__ inline float geluErf(float x) { return x * normalCdf(x); }
__device__ inline float geluTanh(float x) { return x * normalCdfTanh(x); }

// fminf and fmaxf drop a NaN, which must stay one.
__device__ inline float bounded(float x, float limit) { return x < -limit ? -limit : (x > limit ? limit : x); }

// Φ(x) + x·φ(x). The density is 0 from 20 on; bounded there, its factor x² cannot overflow to inf · 0.
__device__ inline float geluErfGrad(float x) {
  const float b = bounded(x, 20.f);
  return fmaf(b, expf(-0.5f * b * b) * kInvSqrt2Pi, normalCdf(x));
}

// Φ(x) + x·Φ(x)(1 − Φ(x))·2·√(2/π)(1 + 3·0.044715·x²), where 1 − Φ = e^−u·Φ without cancellation. At ±10 the density
// is below 1e-37 and e^−u still finite.
__device__ inline float geluTanhGrad(float x) {
  const float b = bounded(x, 10.f);
  const float e = expf(-fmaf(b * b * b, kGeluCubic, b) * kTwoSqrt2OverPi), cdf = 1.f / (1.f + e);
  const float slope = fmaf(b * b, 3.f * kGeluCubic * kTwoSqrt2OverPi, kTwoSqrt2OverPi);
  return fmaf(b * cdf * (e * cdf), slope, cdf);
}

__device__ inline float silu(float x) { return x * sigmoid(x); }
// From −88 on the sigmoid is 0 and stays so; bounded there, x·s cannot be inf · 0.
__device__ inline float siluGrad(float x) {
  const float s = sigmoid(x), b = x < -88.f ? -88.f : x;
  return s * fmaf(b, 1.f - s, 1.f);
}

__device__ inline float activate(Act act, float x) {
  switch (act) {
    case Act::kNone: return x;
    case Act::kRelu: return relu(x);
    case Act::kGeluErf: return geluErf(x);
    case Act::kGeluTanh: return geluTanh(x);
    default: return silu(x);
  }
}

__device__ inline float activateGrad(Act act, float x) {
  switch (act) {
    case Act::kNone: return 1.f;
    case Act::kRelu: return reluGrad(x);
    case Act::kGeluErf: return geluErfGrad(x);
    case Act::kGeluTanh: return geluTanhGrad(x);
    default: return siluGrad(x);
  }
}

}  // namespace duo::cuda
