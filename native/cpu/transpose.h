// Transposes square blocks of floats in registers.
#pragma once
#include "cpu/vec.h"

namespace duo::cpu::DUO_ISA {

#if defined(DUO_ISA_AVX2) || defined(DUO_ISA_AVX512)

constexpr int kTransposeBlock = 8;

// y[c·yStride + r] = x[r·xStride + c] for r and c below kTransposeBlock
inline void transposeBlock(const float* x, int64_t xStride, float* y, int64_t yStride) {
  __m256 pairs[8], quads[8];
  // Halves of rows r and r + 4 share a register from the start, so that no shuffle has to cross the halves.
  for (int r = 0; r < 4; ++r) {
    const float *low = x + r * xStride, *high = x + (r + 4) * xStride;
    pairs[r] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
    pairs[r + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low + 4)), _mm_loadu_ps(high + 4), 1);
  }
  for (int h = 0; h < 8; h += 4) {
    quads[h] = _mm256_unpacklo_ps(pairs[h], pairs[h + 1]);
    quads[h + 1] = _mm256_unpackhi_ps(pairs[h], pairs[h + 1]);
    quads[h + 2] = _mm256_unpacklo_ps(pairs[h + 2], pairs[h + 3]);
    quads[h + 3] = _mm256_unpackhi_ps(pairs[h + 2], pairs[h + 3]);
    _mm256_storeu_ps(y + h * yStride, _mm256_shuffle_ps(quads[h], quads[h + 2], 0x44));
    _mm256_storeu_ps(y + (h + 1) * yStride, _mm256_shuffle_ps(quads[h], quads[h + 2], 0xee));
    _mm256_storeu_ps(y + (h + 2) * yStride, _mm256_shuffle_ps(quads[h + 1], quads[h + 3], 0x44));
    _mm256_storeu_ps(y + (h + 3) * yStride, _mm256_shuffle_ps(quads[h + 1], quads[h + 3], 0xee));
  }
}

#elif defined(DUO_ISA_NEON)

constexpr int kTransposeBlock = 4;

inline void transposeBlock(const float* x, int64_t xStride, float* y, int64_t yStride) {
  const float32x4x2_t low = vtrnq_f32(vld1q_f32(x), vld1q_f32(x + xStride));
  const float32x4x2_t high = vtrnq_f32(vld1q_f32(x + 2 * xStride), vld1q_f32(x + 3 * xStride));
  for (int i = 0; i < 2; ++i) {
    vst1q_f32(y + i * yStride, vcombine_f32(vget_low_f32(low.val[i]), vget_low_f32(high.val[i])));
    vst1q_f32(y + (i + 2) * yStride, vcombine_f32(vget_high_f32(low.val[i]), vget_high_f32(high.val[i])));
  }
}

#else

constexpr int kTransposeBlock = 4;

inline void transposeBlock(const float* x, int64_t xStride, float* y, int64_t yStride) {
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c) y[c * yStride + r] = x[r * xStride + c];
  }
}

#endif

}  // namespace duo::cpu::DUO_ISA
