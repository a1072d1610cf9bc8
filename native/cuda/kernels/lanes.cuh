// Sums of exponentials, and functions, bit for bit as the CPU has them with eight lanes (native/cpu/vec_math.h, AVX2),
// so that a seed draws the same tokens on both. Products that are added are rounded first, where nvcc would fuse them.
#pragma once
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/logits_params.h"

namespace duo::cuda {

// Adding it rounds to an integer and leaves that integer, biased as an exponent, in the low bits.
constexpr float kRoundToExponent = 0x1.8p23f + 127.f;

template <int kTerms>
__device__ inline float polynomial(float x, const float (&c)[kTerms]) {
  float y = c[kTerms - 1];
#pragma unroll
  for (int i = kTerms - 2; i >= 0; --i) y = fmaf(y, x, c[i]);
  return y;
}

// e^x for x ≤ 88, no NaN; results below 2^-126 are 0.
__device__ inline float expAsOnCpu(float x) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
  const float bounded = x > -88.f ? x : -88.f;
  const float shifted = fmaf(bounded, kLog2E, kRoundToExponent), n = shifted - kRoundToExponent;
  const float r = fmaf(n, -kLn2Low, fmaf(n, -kLn2High, bounded));
  const float power = polynomial(r, {1.f, 1.f, 0.5f, 0.166665196f, 0.0416663848f, 0.00836886466f, 0.00139422191f});
  return __fmul_rn(power, __uint_as_float(__float_as_uint(shifted) << 23));
}

// ln x of a positive normal x
__device__ inline float logAsOnCpu(float x) {
  constexpr float kLn2Short = 0.693359375f, kLn2ShortRest = -2.12194440e-4f;
  const uint32_t bits = __float_as_uint(x);
  float n = float(int32_t(bits >> 23) - 127), m = __uint_as_float((bits & 0x7fffffu) | 0x3f800000u);
  if (m > 1.41421356f) m *= 0.5f, n += 1.f;
  const float f = m - 1.f, f2 = __fmul_rn(f, f);
  const float tail = polynomial(f, {0.333333313f, -0.250008225f, 0.200012505f, -0.166233152f, 0.142012715f,
                                    -0.13160187f, 0.127647817f, -0.0763822868f});
  float y = fmaf(n, kLn2ShortRest, __fmul_rn(__fmul_rn(f2, f), tail));
  y = fmaf(f2, -0.5f, y);
  return fmaf(n, kLn2Short, f + y);
}

// Over eight neighbouring lanes; complete in the first of them.
__device__ inline float sumOfEight(float x) {
#pragma unroll
  for (int offset = 4; offset > 0; offset /= 2) x += __shfl_down_sync(kAllLanes, x, offset, 8);
  return x;
}

// sums[b] = Σ e^x over the b-th kSumBlock logits of a row, x = l − max; with products, products[b] = Σ e^x · x. For
// each of the `blocks` that the row has, eight threads. The caller's next barrier makes the sums visible.
__device__ inline void sumBlocks(const float* row, int64_t columns, float max, int64_t blocks, float* sums,
                                 float* products) {
  const int64_t atOnce = blockDim.x / 8;
  for (int64_t first = 0; first < blocks; first += atOnce) {
    const int64_t block = first + threadIdx.x / 8, start = block * kSumBlock;
    const int64_t end = start + kSumBlock < columns ? start + kSumBlock : columns;
    float sum = 0, product = 0;
    for (int64_t c = start + threadIdx.x % 8; c < end; c += 8) {
      // Bounded below, where e^x is 0 already, so that 0 · -inf never happens.
      const float x = row[c] - max, below = x > -200.f ? x : -200.f, e = expAsOnCpu(below);
      sum += e;
      product = fmaf(e, below, product);
    }
    sum = sumOfEight(sum);
    product = sumOfEight(product);
    if (threadIdx.x % 8 > 0 || block >= blocks) continue;
    sums[block] = sum;
    if (products) products[block] = product;
  }
}

}  // namespace duo::cuda
