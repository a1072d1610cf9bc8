// Elementary functions over VecF, within about 2 ulp over the whole range; they take ±inf, NaN, subnormal and huge
// arguments as the C library's do. The polynomials are minimax fits of our own, with coefficients rounded to float32.
//
// An operand that may be NaN is the second one of min and max, which then hand it on.
#pragma once
#include <limits>

#include "cpu/vec.h"

namespace duo::cpu::DUO_ISA {

// c[0] + c[1]·x + … + c[kTerms − 1]·x^(kTerms − 1)
template <int kTerms>
inline VecF polynomial(VecF x, const float (&c)[kTerms]) {
  VecF y = VecF::fill(c[kTerms - 1]);
  for (int i = kTerms - 2; i >= 0; --i) y = fma(y, x, VecF::fill(c[i]));
  return y;
}

constexpr float kLog2E = 1.44269504f;
// ln 2 in two parts; the first has 15 bits, so that its product with an exponent is exact.
constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
// Adding it rounds to an integer and leaves that integer, biased as an exponent, in the low bits.
constexpr float kRoundToExponent = 0x1.8p23f + 127.f;
// ln 2 as log wants it: 10 bits, so that exponents times it, plus a mantissa's logarithm, round once.
constexpr float kLn2Short = 0.693359375f, kLn2ShortRest = -2.12194440e-4f;

// e^r for |r| ≤ ln(2)/2
inline VecF expReduced(VecF r) {
  return polynomial(r, {1.f, 1.f, 0.5f, 0.166665196f, 0.0416663848f, 0.00836886466f, 0.00139422191f});
}

struct ExpParts {
  VecF exponent;  // n + kRoundToExponent
  VecF n, r;      // x = n·ln 2 + r
};

inline ExpParts splitForExp(VecF x) {
  const VecF shifted = fma(x, VecF::fill(kLog2E), VecF::fill(kRoundToExponent));
  const VecF n = shifted - VecF::fill(kRoundToExponent);
  const VecF r = fma(n, VecF::fill(-kLn2Low), fma(n, VecF::fill(-kLn2High), x));
  return {shifted, n, r};
}

// a·2^n for integral n in [-252, 254], in two steps because one factor cannot hold it
inline VecF scaleByPowerOfTwo(VecF a, VecF n) {
  const VecF shift = VecF::fill(kRoundToExponent);
  const VecF half = fma(n, VecF::fill(0.5f), shift);
  const VecF rest = n - (half - shift) + shift;
  return a * lowBitsAsExponent(half) * lowBitsAsExponent(rest);
}

inline VecF exp(VecF x) {
  // Beyond these bounds the result is 0 or inf already.
  const VecF bounded = min(VecF::fill(89.f), max(VecF::fill(-104.f), x));
  const ExpParts parts = splitForExp(bounded);
  return scaleByPowerOfTwo(expReduced(parts.r), parts.n);
}

// e^x for x ≤ 88; results below 2^-126 are 0. What softmax needs, at two thirds of the price.
inline VecF expFlushed(VecF x) {
  // At the bound n is -127, whose biased exponent field is 0: the factor is +0.
  const ExpParts parts = splitForExp(max(VecF::fill(-88.f), x));
  return expReduced(parts.r) * lowBitsAsExponent(parts.exponent);
}

// 2^x for x in [-127, 127]; results below 2^-126 are 0.
inline VecF exp2Flushed(VecF x) {
  const VecF shifted = x + VecF::fill(kRoundToExponent), r = x - (shifted - VecF::fill(kRoundToExponent));
  const VecF y =
      polynomial(r, {1.f, 0.693147182f, 0.240226462f, 0.0555032864f, 0.00961848907f, 0.00133999321f, 0.000153458124f});
  return y * lowBitsAsExponent(shifted);
}

// e^x − 1
inline VecF expm1(VecF x) {
  const VecF bounded = min(VecF::fill(89.f), max(VecF::fill(-30.f), x));
  const ExpParts parts = splitForExp(bounded);
  const VecF r = parts.r;
  const VecF tail = polynomial(r, {0.5f, 0.166665196f, 0.0416663848f, 0.00836886466f, 0.00139422191f});
  const VecF small = fma(r * r, tail, r);  // e^r − 1
  // Half of 2^n, which unlike 2^n itself is finite for every n.
  const VecF half = lowBitsAsExponent(parts.exponent - VecF::fill(1.f));
  const VecF y = fma(half, small, half - VecF::fill(0.5f)) * VecF::fill(2.f);
  return select(abs(x) < VecF::fill(0x1p-24f), x, y);  // keeps −0 and subnormal arguments
}

inline VecF log(VecF x) {
  const VecF infinity = VecF::fill(std::numeric_limits<float>::infinity());
  const auto subnormal = x < VecF::fill(0x1p-126f);
  const VecF normal = select(subnormal, x * VecF::fill(0x1p23f), x);
  VecF n = exponentOf(normal) - select(subnormal, VecF::fill(23.f), VecF::zero());
  VecF m = mantissaOf(normal);
  const auto high = m > VecF::fill(1.41421356f);
  m = select(high, m * VecF::fill(0.5f), m);
  n = select(high, n + VecF::fill(1.f), n);

  const VecF f = m - VecF::fill(1.f), f2 = f * f;
  const VecF tail = polynomial(f, {0.333333313f, -0.250008225f, 0.200012505f, -0.166233152f, 0.142012715f, -0.13160187f,
                                   0.127647817f, -0.0763822868f});
  VecF y = fma(n, VecF::fill(kLn2ShortRest), f2 * f * tail);
  y = fma(f2, VecF::fill(-0.5f), y);
  y = fma(n, VecF::fill(kLn2Short), f + y);

  y = select(x < infinity, y, x);  // inf and NaN
  const VecF nan = VecF::fill(std::numeric_limits<float>::quiet_NaN());
  const VecF notPositive = select(x < VecF::zero(), nan, select(isNaN(x), x, VecF::zero() - infinity));
  return select(x > VecF::zero(), y, notPositive);
}

// log(1 + x): what 1 + x rounds away, divided by it, is the first-order correction.
inline VecF log1p(VecF x) {
  const VecF one = VecF::fill(1.f), u = one + x;
  const VecF lost = x - (u - one);
  const VecF y = log(u) + lost / u;
  // Infinite u makes `lost` NaN, u = 0 the quotient; x itself is right where u rounds to 1.
  const VecF limit = select(u > VecF::zero(), y, log(u));
  const VecF bounded = select(u < VecF::fill(std::numeric_limits<float>::infinity()), limit, log(u));
  return select(abs(x) < VecF::fill(0x1p-24f), x, bounded);
}

inline VecF sigmoid(VecF x) {
  const VecF one = VecF::fill(1.f);
  return one / (one + exp(VecF::zero() - x));
}

inline VecF tanh(VecF x) {
  const VecF a = abs(x), one = VecF::fill(1.f), x2 = x * x;
  const VecF series = polynomial(x2, {-0.333332837f, 0.133314848f, -0.0537430048f, 0.0206491034f, -0.00571549917f});
  const VecF small = fma(x * x2, series, x);
  // From 9.02 on the result rounds to 1.
  const VecF e = exp(min(VecF::fill(20.f), a + a));
  const VecF large = one - VecF::fill(2.f) / (e + one);
  return copySign(select(a < VecF::fill(0.625f), small, large), x);
}

// Both forms of GELU and their derivatives, x·Φ(x) with Φ the normal distribution or its tanh approximation:
//   Φ(x) = ½(1 + erf(x/√2))          or   ½(1 + tanh(√(2/π)(x + 0.044715·x³))) = sigmoid(2·√(2/π)(x + 0.044715·x³))
constexpr float kInvSqrt2Pi = 0.398942280f;
constexpr float kTwoSqrt2OverPi = 1.59576912f, kGeluCubic = 0.044715f;

// Φ(−a) = ½·erfc(a/√2) falls off like a Gaussian: 2^−Q(a), where Q is smooth. Within 8e-8 of Φ; 0 or 1 from 9.98 on,
// where Q reaches 127.
inline VecF normalCdf(VecF x) {
  const VecF a = min(VecF::fill(9.97994801f), abs(x));
  const VecF q = polynomial(a, {-1.f, -1.15110576f, -0.459204912f, -0.0525050275f, 0.00707546808f, -0.000145867365f,
                                -0.000182548829f, 3.86210268e-05f, -2.77207505e-06f});
  const VecF tail = exp2Flushed(q);
  return select(x < VecF::zero(), tail, VecF::fill(1.f) - tail);
}

inline VecF normalCdfTanh(VecF x) {
  const VecF u = fma(x * x * x, VecF::fill(kGeluCubic), x);
  return sigmoid(u * VecF::fill(kTwoSqrt2OverPi));
}

inline VecF geluErf(VecF x) { return x * normalCdf(x); }
inline VecF geluTanh(VecF x) { return x * normalCdfTanh(x); }

// Φ(x) + x·φ(x). The density is 0 from 20 on; bounded there, its factor x² cannot overflow to inf · 0.
inline VecF geluErfGrad(VecF x) {
  const VecF b = min(VecF::fill(20.f), max(VecF::fill(-20.f), x));
  const VecF density = expFlushed(b * b * VecF::fill(-0.5f)) * VecF::fill(kInvSqrt2Pi);
  return fma(b, density, normalCdf(x));
}

// Φ(x) + x·Φ(x)(1 − Φ(x))·2·√(2/π)(1 + 3·0.044715·x²), where 1 − Φ = e^−u·Φ without cancellation. At ±10 the density
// is below 1e-37 and e^−u still finite.
inline VecF geluTanhGrad(VecF x) {
  const VecF b = min(VecF::fill(10.f), max(VecF::fill(-10.f), x)), one = VecF::fill(1.f);
  const VecF u = fma(b * b * b, VecF::fill(kGeluCubic), b) * VecF::fill(kTwoSqrt2OverPi);
  const VecF e = exp(VecF::zero() - u), cdf = one / (one + e);
  const VecF slope = fma(b * b, VecF::fill(3.f * kGeluCubic * kTwoSqrt2OverPi), VecF::fill(kTwoSqrt2OverPi));
  return fma(b * cdf * (e * cdf), slope, cdf);
}

}  // namespace duo::cpu::DUO_ISA
