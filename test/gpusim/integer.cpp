// Arithmetic of integers, bits and predicates.
#include <limits>

#include "ops.h"

namespace gpusim {
namespace {

template <typename T>
struct Twice;
template <>
struct Twice<int16_t> {
  using Type = int32_t;
};
template <>
struct Twice<uint16_t> {
  using Type = uint32_t;
};
template <>
struct Twice<int32_t> {
  using Type = int64_t;
};
template <>
struct Twice<uint32_t> {
  using Type = uint64_t;
};
template <>
struct Twice<int64_t> {
  using Type = __int128;
};
template <>
struct Twice<uint64_t> {
  using Type = unsigned __int128;
};

template <typename T>
using Bits = std::make_unsigned_t<T>;

template <typename T>
void addArithmetic(Operations& ops, const std::string& type) {
  using U = Bits<T>;
  using W = typename Twice<T>::Type;
  ops["add." + type] = lanewise<T, T, T>([](T a, T b) { return T(U(a) + U(b)); });
  ops["sub." + type] = lanewise<T, T, T>([](T a, T b) { return T(U(a) - U(b)); });
  ops["mul.lo." + type] = lanewise<T, T, T>([](T a, T b) { return T(U(W(a) * W(b))); });
  ops["mul.hi." + type] = lanewise<T, T, T>([](T a, T b) { return T((W(a) * W(b)) >> (8 * sizeof(T))); });
  ops["mad.lo." + type] = lanewise<T, T, T, T>([](T a, T b, T c) { return T(U(W(a) * W(b)) + U(c)); });
  ops["mad.hi." + type] =
      lanewise<T, T, T, T>([](T a, T b, T c) { return T(U((W(a) * W(b)) >> (8 * sizeof(T))) + U(c)); });
  if constexpr (sizeof(T) < 8) {
    ops["mul.wide." + type] = lanewise<W, T, T>([](T a, T b) { return W(a) * W(b); });
    ops["mad.wide." + type] = lanewise<W, T, T, W>([](T a, T b, W c) { return W(Bits<W>(W(a) * W(b)) + Bits<W>(c)); });
  }
  ops["min." + type] = lanewise<T, T, T>([](T a, T b) { return a < b ? a : b; });
  ops["max." + type] = lanewise<T, T, T>([](T a, T b) { return a > b ? a : b; });
  // Division by zero has no defined result; the smallest number by −1 has that number.
  ops["div." + type] = lanewise<T, T, T>([](T a, T b) {
    return b == 0 ? T(-1) : std::is_signed_v<T> && b == T(-1) ? T(U(0) - U(a)) : T(a / b);
  });
  ops["rem." + type] = lanewise<T, T, T>([](T a, T b) {
    return b == 0 ? a : std::is_signed_v<T> && b == T(-1) ? T(0) : T(a % b);
  });
  ops["shr." + type] = lanewise<T, T, uint32_t>([](T a, uint32_t n) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    return n < kBits ? T(a >> n) : T(a < 0 ? -1 : 0);
  });
  if constexpr (std::is_signed_v<T>) {
    ops["abs." + type] = lanewise<T, T>([](T a) { return a < 0 ? T(U(0) - U(a)) : a; });
    ops["neg." + type] = lanewise<T, T>([](T a) { return T(U(0) - U(a)); });
  }
  ops["setp.eq." + type] = comparison<T>([](T a, T b) { return a == b; });
  ops["setp.ne." + type] = comparison<T>([](T a, T b) { return a != b; });
  for (const char* less : {"lt", "lo"})
    ops[std::string("setp.") + less + "." + type] = comparison<T>([](T a, T b) { return a < b; });
  for (const char* less : {"le", "ls"})
    ops[std::string("setp.") + less + "." + type] = comparison<T>([](T a, T b) { return a <= b; });
  for (const char* more : {"gt", "hi"})
    ops[std::string("setp.") + more + "." + type] = comparison<T>([](T a, T b) { return a > b; });
  for (const char* more : {"ge", "hs"})
    ops[std::string("setp.") + more + "." + type] = comparison<T>([](T a, T b) { return a >= b; });
}

template <typename T>
void addBits(Operations& ops, const std::string& type) {
  ops["and." + type] = lanewise<T, T, T>([](T a, T b) { return T(a & b); });
  ops["or." + type] = lanewise<T, T, T>([](T a, T b) { return T(a | b); });
  ops["xor." + type] = lanewise<T, T, T>([](T a, T b) { return T(a ^ b); });
  ops["not." + type] = lanewise<T, T>([](T a) { return T(~a); });
  ops["shl." + type] = lanewise<T, T, uint32_t>([](T a, uint32_t n) { return n < 8 * sizeof(T) ? T(a << n) : T(0); });
  ops["shr." + type] = lanewise<T, T, uint32_t>([](T a, uint32_t n) { return n < 8 * sizeof(T) ? T(a >> n) : T(0); });
  ops["setp.eq." + type] = comparison<T>([](T a, T b) { return a == b; });
  ops["setp.ne." + type] = comparison<T>([](T a, T b) { return a != b; });
  if constexpr (sizeof(T) >= 4) {
    ops["popc." + type] = lanewise<uint32_t, T>([](T a) { return uint32_t(std::popcount(a)); });
    ops["clz." + type] = lanewise<uint32_t, T>([](T a) { return uint32_t(std::countl_zero(a)); });
    ops["brev." + type] = lanewise<T, T>([](T a) {
      T result = 0;
      for (size_t b = 0; b < 8 * sizeof(T); ++b) result |= T(a >> b & 1) << (8 * sizeof(T) - 1 - b);
      return result;
    });
    ops["bfi." + type] = lanewise<T, T, T, uint32_t, uint32_t>([](T a, T b, uint32_t at, uint32_t count) {
      constexpr uint32_t kBits = 8 * sizeof(T);
      at &= 0xff, count &= 0xff;
      if (at >= kBits || count == 0) return b;
      count = std::min(count, kBits - at);
      const T mask = T((count == kBits ? T(0) : T(T(1) << count)) - 1) << at;
      return T((b & ~mask) | (T(a << at) & mask));
    });
  }
}

template <typename T>
void addFields(Operations& ops, const std::string& type) {
  ops["bfe." + type] = lanewise<T, T, uint32_t, uint32_t>([](T a, uint32_t at, uint32_t count) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    using U = Bits<T>;
    at &= 0xff, count &= 0xff;
    const auto bit = [&](uint32_t b) { return U(a) >> std::min(b, kBits - 1) & 1; };
    const U sign = std::is_signed_v<T> && count > 0 ? bit(std::min(at + count - 1, kBits - 1)) : 0;
    U result = 0;
    for (uint32_t b = 0; b < kBits; ++b) result |= (b < count && at + b < kBits ? bit(at + b) : sign) << b;
    return T(result);
  });
  ops["bfind." + type] = lanewise<uint32_t, T>([](T a) {
    using U = Bits<T>;
    const U bits = std::is_signed_v<T> && a < 0 ? U(~U(a)) : U(a);
    return uint32_t(int(8 * sizeof(T)) - 1 - std::countl_zero(bits));
  });
}

void addPredicates(Operations& ops) {
  const std::vector<Lanes> two = {Lanes::kPredicate, Lanes::kPredicate};
  const auto result = [](Warp& w, const Instruction& i, uint32_t lanes, uint32_t value) {
    uint32_t& p = w.predicate(i.operand[0]);
    p = (p & ~lanes) | (value & lanes);
  };
  static const auto put = result;
  ops["and.pred"] = {[](Warp& w, const Instruction& i, uint32_t lanes) {
                       put(w, i, lanes, w.predicate(i.operand[1]) & w.predicate(i.operand[2]));
                     },
                     Lanes::kPredicate, two, Class::kInteger};
  ops["or.pred"] = {[](Warp& w, const Instruction& i, uint32_t lanes) {
                      put(w, i, lanes, w.predicate(i.operand[1]) | w.predicate(i.operand[2]));
                    },
                    Lanes::kPredicate, two, Class::kInteger};
  ops["xor.pred"] = {[](Warp& w, const Instruction& i, uint32_t lanes) {
                       put(w, i, lanes, w.predicate(i.operand[1]) ^ w.predicate(i.operand[2]));
                     },
                     Lanes::kPredicate, two, Class::kInteger};
  ops["not.pred"] = {
      [](Warp& w, const Instruction& i, uint32_t lanes) { put(w, i, lanes, ~w.predicate(i.operand[1])); },
      Lanes::kPredicate,
      {Lanes::kPredicate},
      Class::kInteger};
  ops["mov.pred"] = {[](Warp& w, const Instruction& i, uint32_t lanes) { put(w, i, lanes, w.predicate(i.operand[1])); },
                     Lanes::kPredicate,
                     {Lanes::kPredicate},
                     Class::kMove};
}

template <typename T>
void addSelection(Operations& ops, const std::string& type) {
  ops["selp." + type] = {[](Warp& w, const Instruction& i, uint32_t lanes) {
                           auto* d = w.lane<Stored<T>>(i.operand[0]);
                           const auto *a = w.lane<Stored<T>>(i.operand[1]), *b = w.lane<Stored<T>>(i.operand[2]);
                           const uint32_t p = w.predicate(i.operand[3]);
                           eachLane(lanes, [&](int l) { d[l] = p >> l & 1 ? a[l] : b[l]; });
                         },
                         lanesOf<T>(),
                         {lanesOf<T>(), lanesOf<T>(), Lanes::kPredicate},
                         Class::kMove};
  ops["mov." + type] = lanewise<T, T>([](T a) { return a; }, Class::kMove);
}

uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t s = selector >> 4 * i & 15;
    uint32_t byte = uint32_t(bytes >> 8 * (s & 7) & 0xff);
    if (s & 8) byte = byte & 0x80 ? 0xff : 0;
    result |= byte << 8 * i;
  }
  return result;
}

uint32_t logic3(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
  uint32_t result = 0;
  for (int i = 0; i < 8; ++i) {
    if (!(table >> i & 1)) continue;
    result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  }
  return result;
}

template <typename T>
int32_t dot4(uint32_t a, uint32_t b, int32_t c) {
  for (int i = 0; i < 4; ++i) c += int32_t(T(a >> 8 * i)) * int32_t(T(b >> 8 * i));
  return c;
}

}  // namespace

void addIntegerOperations(Operations& ops) {
  addArithmetic<int16_t>(ops, "s16");
  addArithmetic<uint16_t>(ops, "u16");
  addArithmetic<int32_t>(ops, "s32");
  addArithmetic<uint32_t>(ops, "u32");
  addArithmetic<int64_t>(ops, "s64");
  addArithmetic<uint64_t>(ops, "u64");
  addBits<uint16_t>(ops, "b16");
  addBits<uint32_t>(ops, "b32");
  addBits<uint64_t>(ops, "b64");
  addFields<int32_t>(ops, "s32");
  addFields<uint32_t>(ops, "u32");
  addFields<int64_t>(ops, "s64");
  addFields<uint64_t>(ops, "u64");
  addPredicates(ops);
  for (const char* type : {"b16", "u16", "s16"}) addSelection<uint16_t>(ops, type);
  for (const char* type : {"b32", "u32", "s32", "f32"}) addSelection<uint32_t>(ops, type);
  for (const char* type : {"b64", "u64", "s64", "f64"}) addSelection<uint64_t>(ops, type);
  ops["prmt.b32"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t c) { return permute(a, b, c); });
  ops["lop3.b32"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t c, uint32_t table) { return logic3(a, b, c, table); });
  ops["shf.l.wrap.b32"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t n) { return uint32_t((uint64_t(b) << 32 | a) << (n & 31) >> 32); });
  ops["shf.r.wrap.b32"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t n) { return uint32_t((uint64_t(b) << 32 | a) >> (n & 31)); });
  ops["shf.l.clamp.b32"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t n) { return n >= 32 ? a : uint32_t((uint64_t(b) << 32 | a) << n >> 32); });
  ops["shf.r.clamp.b32"] = lanewise<uint32_t, uint32_t, uint32_t, uint32_t>(
      [](uint32_t a, uint32_t b, uint32_t n) { return n >= 32 ? b : uint32_t((uint64_t(b) << 32 | a) >> n); });
  ops["dp4a.s32.s32"] = lanewise<int32_t, uint32_t, uint32_t, int32_t>(
      [](uint32_t a, uint32_t b, int32_t c) { return dot4<int8_t>(a, b, c); });
  ops["dp4a.u32.u32"] = lanewise<int32_t, uint32_t, uint32_t, int32_t>(
      [](uint32_t a, uint32_t b, int32_t c) { return dot4<uint8_t>(a, b, c); });
}

}  // namespace gpusim
