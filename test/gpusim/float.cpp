// Arithmetic of floating-point numbers.
#include <cmath>

#include "ops.h"
#include "value.h"

namespace gpusim {
namespace {

float saturate(float x) { return std::isnan(x) ? 0.f : std::min(std::max(x, 0.f), 1.f); }

// Like lanewise, in a direction of rounding.
template <Round kRound, typename D, typename... S, typename F>
Operation rounded(F) {
  return {[](Warp& w, const Instruction& i, uint32_t lanes) {
            const Rounding rounding(kRound);
            detail::apply<D, F, S...>(w, i, lanes, std::index_sequence_for<S...>());
          },
          lanesOf<D>(),
          {lanesOf<S>()...},
          Class::kFloat};
}

template <typename T, Round kRound>
void addRounded(Operations& ops, const std::string& how, const std::string& type) {
  ops["add." + how + type] = rounded<kRound, T, T, T>([](T a, T b) { return a + b; });
  ops["sub." + how + type] = rounded<kRound, T, T, T>([](T a, T b) { return a - b; });
  ops["mul." + how + type] = rounded<kRound, T, T, T>([](T a, T b) { return a * b; });
  ops["fma." + how + type] = rounded<kRound, T, T, T, T>([](T a, T b, T c) { return std::fma(a, b, c); });
  ops["div." + how + type] = rounded<kRound, T, T, T>([](T a, T b) { return a / b; });
  ops["rcp." + how + type] = rounded<kRound, T, T>([](T a) { return T(1) / a; });
  ops["sqrt." + how + type] = rounded<kRound, T, T>([](T a) { return std::sqrt(a); });
}

void addFlushing(Operations& ops) {
  const Class kind = Class::kFloat;
  for (const char* how : {"ftz.", "rn.ftz."}) {
    const std::string h = how;
    ops["add." + h + "f32"] =
        lanewise<float, float, float>([](float a, float b) { return flushed(flushed(a) + flushed(b)); }, kind);
    ops["sub." + h + "f32"] =
        lanewise<float, float, float>([](float a, float b) { return flushed(flushed(a) - flushed(b)); }, kind);
    ops["mul." + h + "f32"] =
        lanewise<float, float, float>([](float a, float b) { return flushed(flushed(a) * flushed(b)); }, kind);
    ops["div." + h + "f32"] =
        lanewise<float, float, float>([](float a, float b) { return flushed(flushed(a) / flushed(b)); }, kind);
    ops["fma." + h + "f32"] = lanewise<float, float, float, float>(
        [](float a, float b, float c) { return flushed(std::fma(flushed(a), flushed(b), flushed(c))); }, kind);
  }
}

template <typename T>
void addPlain(Operations& ops, const std::string& type) {
  const Class kind = Class::kFloat;
  ops["add." + type] = ops["add.rn." + type] = lanewise<T, T, T>([](T a, T b) { return a + b; }, kind);
  ops["sub." + type] = ops["sub.rn." + type] = lanewise<T, T, T>([](T a, T b) { return a - b; }, kind);
  ops["mul." + type] = ops["mul.rn." + type] = lanewise<T, T, T>([](T a, T b) { return a * b; }, kind);
  ops["fma.rn." + type] = lanewise<T, T, T, T>([](T a, T b, T c) { return std::fma(a, b, c); }, kind);
  ops["div.rn." + type] = lanewise<T, T, T>([](T a, T b) { return a / b; }, kind);
  ops["rcp.rn." + type] = lanewise<T, T>([](T a) { return T(1) / a; }, kind);
  ops["sqrt.rn." + type] = lanewise<T, T>([](T a) { return std::sqrt(a); }, kind);
  addRounded<T, Round::kZero>(ops, "rz.", type);
  addRounded<T, Round::kDown>(ops, "rm.", type);
  addRounded<T, Round::kUp>(ops, "rp.", type);
  ops["neg." + type] = lanewise<T, T>([](T a) { return -a; }, kind);
  ops["abs." + type] = lanewise<T, T>([](T a) { return std::fabs(a); }, kind);
  // The sign of a, the rest of b.
  ops["copysign." + type] = lanewise<T, T, T>([](T a, T b) { return std::copysign(b, a); }, kind);
  // The operand that is a number; −0 below +0.
  ops["min." + type] = lanewise<T, T, T>(
      [](T a, T b) {
        return std::isnan(a) ? b : std::isnan(b) ? a : a < b || (a == b && std::signbit(a)) ? a : b;
      },
      kind);
  ops["max." + type] = lanewise<T, T, T>(
      [](T a, T b) {
        return std::isnan(a) ? b : std::isnan(b) ? a : a > b || (a == b && !std::signbit(a)) ? a : b;
      },
      kind);
  const auto compare = [&](const std::string& name, auto ordered) {
    using F = decltype(ordered);
    ops["setp." + name + "." + type] = comparison<T>(ordered, kind);
    ops["setp." + name + "u." + type] =
        comparison<T>([](T a, T b) { return std::isnan(a) || std::isnan(b) || F{}(a, b); }, kind);
  };
  compare("lt", [](T a, T b) { return a < b; });
  compare("le", [](T a, T b) { return a <= b; });
  compare("gt", [](T a, T b) { return a > b; });
  compare("ge", [](T a, T b) { return a >= b; });
  compare("eq", [](T a, T b) { return a == b; });
  ops["setp.neu." + type] = comparison<T>([](T a, T b) { return a != b; }, kind);
  ops["setp.ne." + type] = comparison<T>([](T a, T b) { return a < b || a > b; }, kind);
  ops["setp.num." + type] = comparison<T>([](T a, T b) { return !std::isnan(a) && !std::isnan(b); }, kind);
  ops["setp.nan." + type] = comparison<T>([](T a, T b) { return std::isnan(a) || std::isnan(b); }, kind);
}

uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// What hardware approximates to a unit or two in the last place, and tanh to 2^−11: rounded correctly, or off by that.
template <typename F, int kUnits, bool kFlush>
void approximate(Warp& w, const Instruction& i, uint32_t lanes) {
  auto* d = w.lane<uint32_t>(i.operand[0]);
  const auto* a = w.lane<uint32_t>(i.operand[1]);
  const uint64_t jitter = w.block->settings.jitter;
  eachLane(lanes, [&](int l) {
    float x = std::bit_cast<float>(a[l]);
    if (kFlush) x = flushed(x);
    float y = float(F{}(double(x)));
    if (jitter && std::isnormal(y)) {
      const auto off = int32_t(mixed(jitter ^ a[l]) % (2 * kUnits + 1)) - kUnits;
      const float moved = std::bit_cast<float>(std::bit_cast<uint32_t>(y) + uint32_t(off));
      // Powers of two, and what else is exact on hardware, stays.
      if (std::isfinite(moved) && double(y) != F{}(double(x))) y = moved;
    }
    d[l] = std::bit_cast<uint32_t>(kFlush ? flushed(y) : y);
  });
}

template <int kUnits, typename F>
void addApproximate(Operations& ops, const std::string& name, F) {
  ops[name + ".approx.f32"] = {approximate<F, kUnits, false>, Lanes::kNarrow, {Lanes::kNarrow}, Class::kFloat};
  ops[name + ".approx.ftz.f32"] = {approximate<F, kUnits, true>, Lanes::kNarrow, {Lanes::kNarrow}, Class::kFloat};
}

// rcp.approx.ftz.f64 takes the upper 32 bits of its operand and gives the upper 32 of the result: 20 of the fraction,
// here rounded, or off by one. What the library's division and logarithm of doubles start from.
void approximateReciprocal(Warp& w, const Instruction& i, uint32_t lanes) {
  constexpr uint64_t kUpper = ~uint64_t(0) << 32;
  auto* d = w.lane<uint64_t>(i.operand[0]);
  const auto* a = w.lane<uint64_t>(i.operand[1]);
  const uint64_t jitter = w.block->settings.jitter;
  const auto flush = [](double x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0., x) : x; };
  eachLane(lanes, [&](int l) {
    const double y = flush(1 / flush(std::bit_cast<double>(a[l] & kUpper)));
    uint64_t bits = std::bit_cast<uint64_t>(y);
    if (std::isnormal(y)) {
      const uint64_t exact = bits;
      bits += uint64_t(1) << 31;
      // Powers of two stay, as above.
      if (jitter && (exact & ~kUpper) != 0) bits += (mixed(jitter ^ a[l]) % 3 - 1) << 32;
    }
    d[l] = bits & kUpper;
  });
}

// Products and sums of 16 bits round once.
template <bool kBFloat>
float wide(uint16_t x) {
  return kBFloat ? floatOfBFloat(x) : floatOfHalf(x);
}
template <bool kBFloat>
uint16_t small(double x) {
  const float odd = roundToOdd(x);
  return kBFloat ? bfloatOf(odd) : halfOf(odd);
}

template <bool kBFloat>
void addHalf(Operations& ops, const std::string& type) {
  const Class kind = Class::kFloat;
  const auto both = [](auto f) {
    using F = decltype(f);
    return [](uint32_t a, uint32_t b) {
      return uint32_t(F{}(uint16_t(a), uint16_t(b))) | uint32_t(F{}(uint16_t(a >> 16), uint16_t(b >> 16))) << 16;
    };
  };
  const auto add = [&](const std::string& name, auto f) {
    ops[name + type] = lanewise<uint16_t, uint16_t, uint16_t>(f, kind);
    ops[name + type + "x2"] = lanewise<uint32_t, uint32_t, uint32_t>(both(f), kind);
  };
  const auto sum = [](uint16_t a, uint16_t b) { return small<kBFloat>(double(wide<kBFloat>(a)) + wide<kBFloat>(b)); };
  const auto difference = [](uint16_t a, uint16_t b) {
    return small<kBFloat>(double(wide<kBFloat>(a)) - wide<kBFloat>(b));
  };
  const auto product = [](uint16_t a, uint16_t b) {
    return small<kBFloat>(double(wide<kBFloat>(a)) * wide<kBFloat>(b));
  };
  for (const char* rn : {"", "rn."}) {
    add(std::string("add.") + rn, sum);
    add(std::string("sub.") + rn, difference);
    add(std::string("mul.") + rn, product);
  }
  const auto fma = [](uint16_t a, uint16_t b, uint16_t c) {
    // Exact where exponents are close; else the small operand only tells on which side of a half the sum lies.
    return small<kBFloat>(double(wide<kBFloat>(a)) * double(wide<kBFloat>(b)) + double(wide<kBFloat>(c)));
  };
  using F = decltype(fma);
  ops["fma.rn." + type] = lanewise<uint16_t, uint16_t, uint16_t, uint16_t>(fma, kind);
  ops["fma.rn." + type + "x2"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t c) {
        return uint32_t(F{}(uint16_t(a), uint16_t(b), uint16_t(c))) |
               uint32_t(F{}(uint16_t(a >> 16), uint16_t(b >> 16), uint16_t(c >> 16))) << 16;
      },
      kind);
  add("max.", [](uint16_t a, uint16_t b) {
    return std::isnan(wide<kBFloat>(a)) || wide<kBFloat>(b) > wide<kBFloat>(a) ? b : a;
  });
  add("min.", [](uint16_t a, uint16_t b) {
    return std::isnan(wide<kBFloat>(a)) || wide<kBFloat>(b) < wide<kBFloat>(a) ? b : a;
  });
  ops["neg." + type] = lanewise<uint16_t, uint16_t>([](uint16_t a) { return uint16_t(a ^ 0x8000); }, kind);
  ops["neg." + type + "x2"] = lanewise<uint32_t, uint32_t>([](uint32_t a) { return a ^ 0x80008000; }, kind);
}

}  // namespace

void addFloatOperations(Operations& ops) {
  addPlain<float>(ops, "f32");
  addPlain<double>(ops, "f64");
  addFlushing(ops);
  addHalf<false>(ops, "f16");
  addHalf<true>(ops, "bf16");
  ops["add.sat.f32"] = lanewise<float, float, float>([](float a, float b) { return saturate(a + b); }, Class::kFloat);
  ops["mul.sat.f32"] = lanewise<float, float, float>([](float a, float b) { return saturate(a * b); }, Class::kFloat);
  ops["fma.rn.sat.f32"] = lanewise<float, float, float, float>(
      [](float a, float b, float c) { return saturate(std::fma(a, b, c)); }, Class::kFloat);
  for (const char* how : {"approx.", "approx.ftz.", "full.", "full.ftz."}) {
    ops[std::string("div.") + how + "f32"] =
        lanewise<float, float, float>([](float a, float b) { return a / b; }, Class::kFloat);
  }
  addApproximate<2>(ops, "ex2", [](double x) { return std::exp2(x); });
  addApproximate<1>(ops, "lg2", [](double x) { return std::log2(x); });
  addApproximate<1>(ops, "rcp", [](double x) { return 1 / x; });
  ops["rcp.approx.ftz.f64"] = {approximateReciprocal, Lanes::kWide, {Lanes::kWide}, Class::kFloat};
  addApproximate<2>(ops, "rsqrt", [](double x) { return 1 / std::sqrt(x); });
  addApproximate<1>(ops, "sqrt", [](double x) { return std::sqrt(x); });
  addApproximate<2>(ops, "sin", [](double x) { return std::sin(x); });
  addApproximate<2>(ops, "cos", [](double x) { return std::cos(x); });
  addApproximate<(1 << 12)>(ops, "tanh", [](double x) { return std::tanh(x); });
}

}  // namespace gpusim
