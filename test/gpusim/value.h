// Numbers that C++ has no type for, and rounding in other directions than to the nearest.
#pragma once
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gpusim {

enum class Round : uint8_t { kNearest, kZero, kDown, kUp };

// While it lives, arithmetic of this thread rounds so. Files that use it are compiled with -frounding-math.
class Rounding {
 public:
  explicit Rounding(Round round) : before_(std::fegetround()) {
    constexpr int kModes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    std::fesetround(kModes[int(round)]);
  }
  ~Rounding() { std::fesetround(before_); }
  Rounding(const Rounding&) = delete;
  Rounding& operator=(const Rounding&) = delete;

 private:
  int before_;
};

inline float floatOfHalf(uint16_t bits) { return float(std::bit_cast<_Float16>(bits)); }
inline float floatOfBFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

inline uint16_t halfOf(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }

inline uint16_t bfloatOf(float value, Round round = Round::kNearest) {
  if (std::isnan(value)) return 0x7fff;
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (round == Round::kNearest) bits += 0x7fff + (bits >> 16 & 1);
  return uint16_t(bits >> 16);
}

// Rounds to 10 bits of fraction, halves away from zero.
inline uint32_t tf32Of(float value) {
  if (!std::isfinite(value)) return std::isnan(value) ? 0x7fffffff : std::bit_cast<uint32_t>(value);
  return (std::bit_cast<uint32_t>(value) + 0x1000) & ~uint32_t(0x1fff);
}

// A double between two floats keeps telling so after the conversion: one more rounding, to 16 bits, is then right.
inline float roundToOdd(double value) {
  const float nearest = float(value);
  if (double(nearest) == value || !std::isfinite(nearest) || std::isnan(value)) return nearest;
  const bool away = std::fabs(double(nearest)) > std::fabs(value);
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (away) --bits;
  return std::bit_cast<float>(bits | 1);
}

inline float flushed(float value) { return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.f, value) : value; }

// To an integer as the conversions do: what does not fit becomes the nearest that does, NaN becomes 0.
template <typename I>
I saturated(double whole) {
  if (std::isnan(whole))
    return sizeof(I) == 8 && std::numeric_limits<I>::is_signed ? std::numeric_limits<I>::min() : I(0);
  constexpr double kBelow = double(std::numeric_limits<I>::min());
  const double above = std::ldexp(1.0, int(8 * sizeof(I)) - (std::numeric_limits<I>::is_signed ? 1 : 0));
  if (whole >= above) return std::numeric_limits<I>::max();
  if (whole <= kBelow) return std::numeric_limits<I>::min();
  return I(whole);
}

}  // namespace gpusim
