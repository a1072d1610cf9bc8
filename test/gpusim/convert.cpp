// Conversions between types: cvt.
#include <cmath>

#include "ops.h"
#include "value.h"

namespace gpusim {
namespace {

struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

template <typename T>
constexpr bool kFloating = std::is_same_v<T, Half> || std::is_same_v<T, BFloat> || std::is_floating_point_v<T>;

template <typename T>
double valueOf(T x) {
  if constexpr (std::is_same_v<T, Half>)
    return floatOfHalf(x.bits);
  else if constexpr (std::is_same_v<T, BFloat>)
    return floatOfBFloat(x.bits);
  else
    return double(x);
}

// How a floating-point number becomes whole.
enum class Whole : uint8_t { kNone, kNearest, kZero, kDown, kUp };

struct How {
  Round round = Round::kNearest;
  Whole whole = Whole::kNone;
  bool saturate = false, flush = false;
  int code() const { return int(round) | int(whole) << 2 | int(saturate) << 5 | int(flush) << 6; }
  static How of(int code) { return {Round(code & 3), Whole(code >> 2 & 7), (code & 32) != 0, (code & 64) != 0}; }
};

double madeWhole(double x, Whole whole) {
  switch (whole) {
    case Whole::kNearest: return std::nearbyint(x);
    case Whole::kZero: return std::trunc(x);
    case Whole::kDown: return std::floor(x);
    case Whole::kUp: return std::ceil(x);
    default: return x;
  }
}

template <typename D, typename S>
D converted(S from, How how) {
  if constexpr (!kFloating<S> && !kFloating<D>) {
    if (!how.saturate) return D(from);
    const __int128 value = from;
    if (value > std::numeric_limits<D>::max()) return std::numeric_limits<D>::max();
    if (value < std::numeric_limits<D>::min()) return std::numeric_limits<D>::min();
    return D(from);
  } else if constexpr (!kFloating<S>) {
    if constexpr (std::is_same_v<D, Half>)
      return {halfOf(roundToOdd(double(from)))};
    else if constexpr (std::is_same_v<D, BFloat>)
      return {bfloatOf(roundToOdd(double(from)))};
    else
      return D(from);
  } else {
    double x = valueOf(from);
    if (how.flush) x = std::is_same_v<S, float> ? flushed(float(x)) : x;
    x = madeWhole(x, how.whole);
    if constexpr (!kFloating<D>) {
      return saturated<D>(x);
    } else {
      if (how.saturate) x = std::isnan(x) ? 0 : std::min(std::max(x, 0.0), 1.0);
      if constexpr (std::is_same_v<D, Half>)
        return {halfOf(roundToOdd(x))};
      else if constexpr (std::is_same_v<D, BFloat>)
        return {bfloatOf(roundToOdd(x), how.round)};
      else if constexpr (std::is_same_v<D, float>)
        return how.flush ? flushed(float(x)) : float(x);
      else
        return x;
    }
  }
}

template <typename T>
T decoded(Stored<T> bits) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>)
    return {uint16_t(bits)};
  else
    return fromStored<T>(bits);
}
template <typename T>
Stored<T> encoded(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>) return value.bits;
  // Registers hold signed bytes and words sign-extended to their width.
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) < 4)
    return uint32_t(int32_t(value));
  else
    return toStored<T>(value);
}

template <typename D, typename S, int kHow>
void convert(Warp& w, const Instruction& i, uint32_t lanes) {
  constexpr How how = {Round(kHow & 3), Whole(kHow >> 2 & 7), (kHow & 32) != 0, (kHow & 64) != 0};
  auto* d = w.lane<Stored<D>>(i.operand[0]);
  const auto* s = w.lane<Stored<S>>(i.operand[1]);
  const auto all = [&] { eachLane(lanes, [&](int l) { d[l] = encoded<D>(converted<D, S>(decoded<S>(s[l]), how)); }); };
  if constexpr (how.round != Round::kNearest) {
    const Rounding rounding(how.round);
    all();
  } else {
    all();
  }
}

constexpr int kFlushBit = 64, kSaturateBit = 32;

template <typename D, typename S, int kHow>
void add(Operations& ops, const std::string& name) {
  ops["cvt." + name] = {convert<D, S, kHow>,
                        lanesOf<Stored<D>>(),
                        {lanesOf<Stored<S>>()},
                        kFloating<D> || kFloating<S> ? Class::kFloat : Class::kInteger};
}

template <typename D, typename S>
void addPair(Operations& ops, const std::string& d, const std::string& s) {
  const std::string types = d + "." + s;
  if constexpr (!kFloating<D> && !kFloating<S>) {
    add<D, S, 0>(ops, types);
    add<D, S, kSaturateBit>(ops, "sat." + types);
  } else if constexpr (!kFloating<S>) {
    add<D, S, 0>(ops, "rn." + types);
    add<D, S, int(Round::kZero)>(ops, "rz." + types);
    add<D, S, int(Round::kDown)>(ops, "rm." + types);
    add<D, S, int(Round::kUp)>(ops, "rp." + types);
  } else if constexpr (!kFloating<D>) {
    add<D, S, int(Whole::kNearest) << 2>(ops, "rni." + types);
    add<D, S, int(Whole::kZero) << 2>(ops, "rzi." + types);
    add<D, S, int(Whole::kDown) << 2>(ops, "rmi." + types);
    add<D, S, int(Whole::kUp) << 2>(ops, "rpi." + types);
    add<D, S, int(Whole::kNearest) << 2 | kFlushBit>(ops, "rni.ftz." + types);
    add<D, S, int(Whole::kZero) << 2 | kFlushBit>(ops, "rzi.ftz." + types);
  } else {
    add<D, S, 0>(ops, types);
    add<D, S, 0>(ops, "rn." + types);
    add<D, S, kFlushBit>(ops, "ftz." + types);
    add<D, S, kFlushBit>(ops, "rn.ftz." + types);
    add<D, S, kSaturateBit>(ops, "sat." + types);
    add<D, S, kSaturateBit | kFlushBit>(ops, "ftz.sat." + types);
    add<D, S, int(Round::kZero)>(ops, "rz." + types);
    add<D, S, int(Round::kDown)>(ops, "rm." + types);
    add<D, S, int(Round::kUp)>(ops, "rp." + types);
    add<D, S, int(Whole::kNearest) << 2>(ops, "rni." + types);
    add<D, S, int(Whole::kZero) << 2>(ops, "rzi." + types);
    add<D, S, int(Whole::kDown) << 2>(ops, "rmi." + types);
    add<D, S, int(Whole::kUp) << 2>(ops, "rpi." + types);
  }
}

template <typename D>
void addAll(Operations& ops, const std::string& d) {
  addPair<D, int8_t>(ops, d, "s8");
  addPair<D, uint8_t>(ops, d, "u8");
  addPair<D, int16_t>(ops, d, "s16");
  addPair<D, uint16_t>(ops, d, "u16");
  addPair<D, int32_t>(ops, d, "s32");
  addPair<D, uint32_t>(ops, d, "u32");
  addPair<D, int64_t>(ops, d, "s64");
  addPair<D, uint64_t>(ops, d, "u64");
  addPair<D, Half>(ops, d, "f16");
  addPair<D, BFloat>(ops, d, "bf16");
  addPair<D, float>(ops, d, "f32");
  addPair<D, double>(ops, d, "f64");
}

}  // namespace

void addConversions(Operations& ops) {
  addAll<int8_t>(ops, "s8");
  addAll<uint8_t>(ops, "u8");
  addAll<int16_t>(ops, "s16");
  addAll<uint16_t>(ops, "u16");
  addAll<int32_t>(ops, "s32");
  addAll<uint32_t>(ops, "u32");
  addAll<int64_t>(ops, "s64");
  addAll<uint64_t>(ops, "u64");
  addAll<Half>(ops, "f16");
  addAll<BFloat>(ops, "bf16");
  addAll<float>(ops, "f32");
  addAll<double>(ops, "f64");
  // Two at once: the first one comes to lie above.
  ops["cvt.rn.f16x2.f32"] = lanewise<uint32_t, float, float>(
      [](float a, float b) { return uint32_t(halfOf(a)) << 16 | halfOf(b); }, Class::kFloat);
  ops["cvt.rn.bf16x2.f32"] = lanewise<uint32_t, float, float>(
      [](float a, float b) { return uint32_t(bfloatOf(a)) << 16 | bfloatOf(b); }, Class::kFloat);
  ops["cvt.rna.tf32.f32"] = lanewise<uint32_t, float>([](float a) { return tf32Of(a); }, Class::kFloat);
}

}  // namespace gpusim
