// Vec<float>: one register of floats of the instruction set that this file is compiled for. Kernels are written once
// against it. Everything lives in the namespace of that set, see isa.h.
//
// kLanes elements; load/store, partial forms for tails (lanes beyond n read as 0 and are not written), arithmetic,
// fma, min/max, comparisons as masks for `select`, horizontal sum and max in a fixed order. For functions (vec_math.h):
// lowBitsAsExponent shifts the representation left by 23, so that an integer added to 1.5·2^23 + 127 becomes 2^integer;
// exponentOf and mantissaOf (in [1, 2)) take apart positive normal numbers. VecU64 is one of 64-bit integers.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/half.h"

#if defined(DUO_ISA_AVX2) || defined(DUO_ISA_AVX512)
#include <immintrin.h>
#elif defined(DUO_ISA_NEON)
#include <arm_neon.h>
#endif

namespace duo::cpu::DUO_ISA {

template <typename T>
struct Vec;

#if defined(DUO_ISA_AVX2)

template <>
struct Vec<float> {
  static constexpr int kLanes = 8;
  __m256 v;
  struct Mask {
    __m256 m;
  };

  // Lane i by bit i.
  static Mask maskOf(uint32_t bits) {
    const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(int(bits)), lanes), lanes))};
  }

  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec fill(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  static Vec load(const float* p, int64_t n) { return {_mm256_maskload_ps(p, tail(n))}; }
  void store(float* p, int64_t n) const { _mm256_maskstore_ps(p, tail(n), v); }
#else
  // Sanitizers do not see what masked moves touch.
  static Vec load(const float* p, int64_t n) {
    float lanes[8] = {};
    for (int64_t i = 0; i < n && i < 8; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  void store(float* p, int64_t n) const {
    float lanes[8];
    store(lanes);
    for (int64_t i = 0; i < n && i < 8; ++i) p[i] = lanes[i];
  }
#endif

  friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }  // a·b + c
  // The second operand when either is NaN, as the instruction has it: keep the value that may be NaN second.
  friend Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
  friend Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
  friend Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.f), a.v)}; }
  friend Vec copySign(Vec magnitude, Vec sign) {
    const __m256 bit = _mm256_set1_ps(-0.f);
    return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v))};
  }
  friend Vec round(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
  // 2^n of integral n in [-126, 127]
  friend Vec exponent(Vec n) {
    const __m256i bits = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(bits, 23))};
  }
  friend Vec lowBitsAsExponent(Vec a) { return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.v), 23))}; }
  friend Vec exponentOf(Vec a) {
    const __m256i biased = _mm256_srli_epi32(_mm256_castps_si256(a.v), 23);
    return {_mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(127)))};
  }
  friend Vec mantissaOf(Vec a) {
    const __m256 fraction = _mm256_and_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffff)));
    return {_mm256_or_ps(fraction, _mm256_set1_ps(1.f))};
  }
  friend Mask operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
  friend Mask operator>(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
  friend Mask isNaN(Vec a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
  friend Vec select(Mask m, Vec yes, Vec no) { return {_mm256_blendv_ps(no.v, yes.v, m.m)}; }
  friend bool any(Mask m) { return _mm256_movemask_ps(m.m) != 0; }

  // The lanes of a and b alternating: the first kLanes of that row, and the rest. They transpose squares.
  friend Vec zipLow(Vec a, Vec b) {
    return {_mm256_permute2f128_ps(_mm256_unpacklo_ps(a.v, b.v), _mm256_unpackhi_ps(a.v, b.v), 0x20)};
  }
  friend Vec zipHigh(Vec a, Vec b) {
    return {_mm256_permute2f128_ps(_mm256_unpacklo_ps(a.v, b.v), _mm256_unpackhi_ps(a.v, b.v), 0x31)};
  }

  static Vec loadFloat16(const uint16_t* p) { return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p))}; }
  static Vec loadBFloat16(const uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16))};
  }
  static Vec loadInt8(const int8_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)))};
  }

  friend float sum(Vec a) {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }
  friend float maxOf(Vec a) {
    const __m128 half = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
  }

 private:
  static __m256i tail(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

#elif defined(DUO_ISA_AVX512)

template <>
struct Vec<float> {
  static constexpr int kLanes = 16;
  __m512 v;
  struct Mask {
    __mmask16 m;
  };

  static Mask maskOf(uint32_t bits) { return {__mmask16(bits)}; }

  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec fill(float x) { return {_mm512_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vec load(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(tail(n), p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, int64_t n) const { _mm512_mask_storeu_ps(p, tail(n), v); }

  friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
  friend Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
  friend Vec copySign(Vec magnitude, Vec sign) {
    const __m512 bit = _mm512_set1_ps(-0.f);
    return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
  }
  friend Vec round(Vec a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
  friend Vec exponent(Vec n) {
    const __m512i bits = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 23))};
  }
  friend Vec lowBitsAsExponent(Vec a) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.v), 23))}; }
  friend Vec exponentOf(Vec a) { return {_mm512_getexp_ps(a.v)}; }
  friend Vec mantissaOf(Vec a) { return {_mm512_getmant_ps(a.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero)}; }
  friend Mask operator<(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
  friend Mask operator>(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
  friend Mask isNaN(Vec a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
  friend Vec select(Mask m, Vec yes, Vec no) { return {_mm512_mask_blend_ps(m.m, no.v, yes.v)}; }
  friend bool any(Mask m) { return m.m != 0; }

  friend Vec zipLow(Vec a, Vec b) {
    const __m512i from = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return {_mm512_permutex2var_ps(a.v, from, b.v)};
  }
  friend Vec zipHigh(Vec a, Vec b) {
    const __m512i from = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return {_mm512_permutex2var_ps(a.v, from, b.v)};
  }

  static Vec loadFloat16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))}; }
  static Vec loadBFloat16(const uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16))};
  }
  static Vec loadInt8(const int8_t* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)))};
  }

  friend float sum(Vec a) { return _mm512_reduce_add_ps(a.v); }
  friend float maxOf(Vec a) { return _mm512_reduce_max_ps(a.v); }

 private:
  static __mmask16 tail(int64_t n) { return n >= 16 ? __mmask16(0xffff) : __mmask16((1u << n) - 1); }
};

#elif defined(DUO_ISA_NEON)

template <>
struct Vec<float> {
  static constexpr int kLanes = 4;
  float32x4_t v;
  struct Mask {
    uint32x4_t m;
  };

  static Mask maskOf(uint32_t bits) {
    constexpr uint32_t kLaneBits[4] = {1, 2, 4, 8};
    return {vtstq_u32(vdupq_n_u32(bits), vld1q_u32(kLaneBits))};
  }

  static Vec zero() { return {vdupq_n_f32(0.f)}; }
  static Vec fill(float x) { return {vdupq_n_f32(x)}; }
  static Vec load(const float* p) { return {vld1q_f32(p)}; }
  static Vec load(const float* p, int64_t n) {
    float lanes[4] = {};
    std::memcpy(lanes, p, size_t(n < 4 ? n : 4) * sizeof(float));
    return load(lanes);
  }
  void store(float* p) const { vst1q_f32(p, v); }
  void store(float* p, int64_t n) const {
    float lanes[4];
    store(lanes);
    std::memcpy(p, lanes, size_t(n < 4 ? n : 4) * sizeof(float));
  }

  friend Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
  friend Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  // By comparison, so that NaN behaves as on x86: the second operand wins.
  friend Vec max(Vec a, Vec b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
  friend Vec min(Vec a, Vec b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
  friend Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
  friend Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
  friend Vec copySign(Vec magnitude, Vec sign) { return {vbslq_f32(vdupq_n_u32(0x80000000u), sign.v, magnitude.v)}; }
  friend Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
  friend Vec exponent(Vec n) {
    return {vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127)), 23))};
  }
  friend Vec lowBitsAsExponent(Vec a) { return {vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.v), 23))}; }
  friend Vec exponentOf(Vec a) {
    const int32x4_t biased = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a.v), 23));
    return {vcvtq_f32_s32(vsubq_s32(biased, vdupq_n_s32(127)))};
  }
  friend Vec mantissaOf(Vec a) {
    const uint32x4_t fraction = vandq_u32(vreinterpretq_u32_f32(a.v), vdupq_n_u32(0x7fffff));
    return {vreinterpretq_f32_u32(vorrq_u32(fraction, vreinterpretq_u32_f32(vdupq_n_f32(1.f))))};
  }
  friend Mask operator<(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
  friend Mask operator>(Vec a, Vec b) { return {vcgtq_f32(a.v, b.v)}; }
  friend Mask isNaN(Vec a) { return {vmvnq_u32(vceqq_f32(a.v, a.v))}; }
  friend Vec select(Mask m, Vec yes, Vec no) { return {vbslq_f32(m.m, yes.v, no.v)}; }
  friend bool any(Mask m) { return vmaxvq_u32(m.m) != 0; }

  friend Vec zipLow(Vec a, Vec b) { return {vzip1q_f32(a.v, b.v)}; }
  friend Vec zipHigh(Vec a, Vec b) { return {vzip2q_f32(a.v, b.v)}; }

  static Vec loadFloat16(const uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
  static Vec loadBFloat16(const uint16_t* p) { return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))}; }
  static Vec loadInt8(const int8_t* p) {
    int32_t four;
    std::memcpy(&four, p, sizeof(four));
    const int8x8_t bytes = vreinterpret_s8_s32(vdup_n_s32(four));
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))))};
  }

  friend float sum(Vec a) { return vaddvq_f32(a.v); }
  friend float maxOf(Vec a) { return vmaxvq_f32(a.v); }
};

#else  // scalar

template <>
struct Vec<float> {
  static constexpr int kLanes = 1;
  float v;
  struct Mask {
    bool m;
  };

  static Mask maskOf(uint32_t bits) { return {(bits & 1) != 0}; }

  static Vec zero() { return {0.f}; }
  static Vec fill(float x) { return {x}; }
  static Vec load(const float* p) { return {*p}; }
  static Vec load(const float* p, int64_t n) { return {n > 0 ? *p : 0.f}; }
  void store(float* p) const { *p = v; }
  void store(float* p, int64_t n) const {
    if (n > 0) *p = v;
  }

  friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  friend Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
  friend Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  friend Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
  friend Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
  friend Vec sqrt(Vec a) { return {std::sqrt(a.v)}; }
  friend Vec abs(Vec a) { return {std::fabs(a.v)}; }
  friend Vec copySign(Vec magnitude, Vec sign) { return {std::copysign(magnitude.v, sign.v)}; }
  friend Vec round(Vec a) { return {std::nearbyint(a.v)}; }
  friend Vec exponent(Vec n) { return {std::ldexp(1.f, int(n.v))}; }
  friend Vec lowBitsAsExponent(Vec a) { return {std::bit_cast<float>(std::bit_cast<uint32_t>(a.v) << 23)}; }
  friend Vec exponentOf(Vec a) { return {float(int32_t(std::bit_cast<uint32_t>(a.v) >> 23) - 127)}; }
  friend Vec mantissaOf(Vec a) {
    return {std::bit_cast<float>((std::bit_cast<uint32_t>(a.v) & 0x7fffffu) | 0x3f800000u)};
  }
  friend Mask operator<(Vec a, Vec b) { return {a.v < b.v}; }
  friend Mask operator>(Vec a, Vec b) { return {a.v > b.v}; }
  friend Mask isNaN(Vec a) { return {a.v != a.v}; }
  friend Vec select(Mask m, Vec yes, Vec no) { return m.m ? yes : no; }
  friend bool any(Mask m) { return m.m; }

  friend Vec zipLow(Vec a, Vec) { return a; }
  friend Vec zipHigh(Vec, Vec b) { return b; }

  static Vec loadFloat16(const uint16_t* p) { return {floatFromFloat16(*p)}; }
  static Vec loadBFloat16(const uint16_t* p) {
    const uint32_t bits = uint32_t(*p) << 16;
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return {x};
  }
  static Vec loadInt8(const int8_t* p) { return {float(*p)}; }

  friend float sum(Vec a) { return a.v; }
  friend float maxOf(Vec a) { return a.v; }
};

#endif

using VecF = Vec<float>;

// Whole numbers of 64 bits, for Philox: products are those of the low halves.
struct VecU64 {
#if defined(DUO_ISA_AVX2)
  static constexpr int kLanes = 4;
  static constexpr int kMostSideBySide = 2;  // counters of four registers each, of sixteen
  __m256i v;
  static VecU64 fill(uint64_t x) { return {_mm256_set1_epi64x((long long)x)}; }
  static VecU64 countFrom(uint64_t x) { return {_mm256_add_epi64(fill(x).v, _mm256_setr_epi64x(0, 1, 2, 3))}; }
  friend VecU64 productOfLow(VecU64 a, VecU64 b) { return {_mm256_mul_epu32(a.v, b.v)}; }
  friend VecU64 operator^(VecU64 a, VecU64 b) { return {_mm256_xor_si256(a.v, b.v)}; }
  friend VecU64 highHalf(VecU64 a) { return {_mm256_srli_epi64(a.v, 32)}; }
  // The low halves of both in one.
  friend VecU64 joinLow(VecU64 low, VecU64 high) {
    return {_mm256_blend_epi32(low.v, _mm256_slli_epi64(high.v, 32), 0b10101010)};
  }
  // A byte for each number that was counted: which of its eight 16-bit parts, those of `low` first, are above `bound`.
  friend void storeBitsAbove(uint16_t bound, VecU64 low, VecU64 high, uint8_t* bits) {
    const __m256i most = _mm256_set1_epi16(short(bound));
    const auto notAbove = [&](__m256i x) { return _mm256_cmpeq_epi16(_mm256_min_epu16(x, most), x); };
    const __m256i bytes = _mm256_packs_epi16(notAbove(_mm256_unpacklo_epi64(low.v, high.v)),
                                             notAbove(_mm256_unpackhi_epi64(low.v, high.v)));
    const uint32_t word = ~uint32_t(_mm256_movemask_epi8(bytes));
    std::memcpy(bits, &word, sizeof word);
  }
#elif defined(DUO_ISA_AVX512)
  static constexpr int kLanes = 8;
  static constexpr int kMostSideBySide = 4;
  __m512i v;
  static VecU64 fill(uint64_t x) { return {_mm512_set1_epi64((long long)x)}; }
  // In the order in which storeBitsAbove takes them out again.
  static VecU64 countFrom(uint64_t x) {
    return {_mm512_add_epi64(fill(x).v, _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7))};
  }
  friend VecU64 productOfLow(VecU64 a, VecU64 b) { return {_mm512_mul_epu32(a.v, b.v)}; }
  friend VecU64 operator^(VecU64 a, VecU64 b) { return {_mm512_xor_si512(a.v, b.v)}; }
  friend VecU64 highHalf(VecU64 a) { return {_mm512_srli_epi64(a.v, 32)}; }
  friend VecU64 joinLow(VecU64 low, VecU64 high) {
    return {_mm512_mask_blend_epi32(0xaaaa, low.v, _mm512_slli_epi64(high.v, 32))};
  }
  friend void storeBitsAbove(uint16_t bound, VecU64 low, VecU64 high, uint8_t* bits) {
    const __m512i most = _mm512_set1_epi16(short(bound));
    const uint64_t first = _mm512_cmpgt_epu16_mask(_mm512_unpacklo_epi64(low.v, high.v), most);
    const uint64_t second = _mm512_cmpgt_epu16_mask(_mm512_unpackhi_epi64(low.v, high.v), most);
    const uint64_t word = first | second << 32;
    std::memcpy(bits, &word, sizeof word);
  }
#else
  static constexpr int kLanes = 1;
  static constexpr int kMostSideBySide = 4;
  uint64_t v;
  static VecU64 fill(uint64_t x) { return {x}; }
  static VecU64 countFrom(uint64_t x) { return {x}; }
  friend VecU64 productOfLow(VecU64 a, VecU64 b) { return {uint64_t(uint32_t(a.v)) * uint32_t(b.v)}; }
  friend VecU64 operator^(VecU64 a, VecU64 b) { return {a.v ^ b.v}; }
  friend VecU64 highHalf(VecU64 a) { return {a.v >> 32}; }
  friend VecU64 joinLow(VecU64 low, VecU64 high) { return {uint64_t(uint32_t(low.v)) | high.v << 32}; }
  friend void storeBitsAbove(uint16_t bound, VecU64 low, VecU64 high, uint8_t* bits) {
    unsigned byte = 0;
    for (int i = 0; i < 4; ++i) {
      byte |= unsigned(uint16_t(low.v >> (16 * i)) > bound) << i;
      byte |= unsigned(uint16_t(high.v >> (16 * i)) > bound) << (4 + i);
    }
    *bits = uint8_t(byte);
  }
#endif
};

// Lane i of the result is all lanes of x[i], combined by `op`, whose order of operands it does not keep.
template <typename Op>
inline VecF reduceEach(VecF (&x)[VecF::kLanes], const Op& op) {
  // Zipping puts halves of two registers side by side; combined, each has half as many lanes to go.
  for (int n = VecF::kLanes / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) x[i] = op(zipLow(x[i], x[i + n]), zipHigh(x[i], x[i + n]));
  }
  return x[0];
}

}  // namespace duo::cpu::DUO_ISA
