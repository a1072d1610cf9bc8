// Scalar conversions between float32 and the 16-bit storage formats; round to nearest, ties to even.
#pragma once
#include <bit>
#include <cstdint>

namespace duo {

inline float floatFromBFloat16(uint16_t h) { return std::bit_cast<float>(uint32_t(h) << 16); }

inline uint16_t bfloat16FromFloat(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f);
  // A NaN must stay a NaN: rounding could carry its payload into the exponent and make it infinite.
  if ((u & 0x7fffffffu) > 0x7f800000u) return uint16_t((u >> 16) | 0x40);
  return uint16_t((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

inline float floatFromFloat16(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000) << 16, exponent = (h >> 10) & 0x1f, mantissa = h & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = float(mantissa) * 0x1p-24f;
  return sign ? -subnormal : subnormal;
}

inline uint16_t float16FromFloat(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f), magnitude = u & 0x7fffffffu;
  const uint16_t sign = uint16_t((u >> 16) & 0x8000);
  if (magnitude > 0x7f800000u) return uint16_t(sign | 0x7e00);
  if (magnitude >= 0x477ff000u) return uint16_t(sign | 0x7c00);  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                                 // below 2^-14: subnormal half
    // Adding 0.5 puts the half's last mantissa bit at the float's last bit, so the FPU rounds for us.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return uint16_t(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return uint16_t(sign | ((rounded - 0x38000000u) >> 13));
}

}  // namespace duo
