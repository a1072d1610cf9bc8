// How statements find their handlers: by the whole opcode, with the types of their operands.
#pragma once
#include <tuple>
#include <type_traits>
#include <utility>

#include "machine.h"

namespace gpusim {

// How an operand's lanes lie in the register file.
enum class Lanes : uint8_t { kNarrow, kWide, kPredicate };  // 4 bytes, 8 bytes, one bit

struct Operation {
  Handler run = nullptr;
  Lanes result = Lanes::kNarrow;
  std::vector<Lanes> sources;
  Class kind = Class::kInteger;
};
using Operations = std::unordered_map<std::string, Operation>;

void addIntegerOperations(Operations& operations);
void addFloatOperations(Operations& operations);
void addConversions(Operations& operations);

// Of loads and stores, and what else moves data between lanes or spaces; what they need lies in the instruction.
namespace handlers {
extern const Handler load, store, atomic, copyAsync, commitCopies, awaitCopies, loadMatrix, storeMatrix;
extern const Handler shuffle, vote, match, reduceLanes, activeMask;
extern const Handler multiplyHalf, multiplyBFloat, multiplyTf32;
extern const Handler narrow, widen, widenSigned, pack, unpack;
}  // namespace handlers

// What Instruction::option says of a memory access.
enum class Space : uint8_t { kGeneric, kGlobal, kShared, kLocal, kParameter };
struct Access {
  Space space;
  bool isSigned;
  uint8_t element;  // bytes
  uint8_t wide;     // bits: which of the registers have 8 bytes
  int code() const { return int(space) | int(isSigned) << 3 | int(element) << 4 | int(wide) << 8; }
  static Access of(int code) {
    return {Space(code & 7), (code >> 3 & 1) != 0, uint8_t(code >> 4 & 15), uint8_t(code >> 8 & 15)};
  }
};
enum class AtomicKind : uint8_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kExchange, kCompare, kIncrement, kDecrement };
enum class ElementType : uint8_t { kUnsigned, kSigned, kFloat };
enum class ShuffleKind : uint8_t { kUp, kDown, kButterfly, kIndex };
enum class VoteKind : uint8_t { kAll, kAny, kUniform, kBallot };

template <typename T>
using Stored = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T>
inline T fromStored(Stored<T> bits) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return std::bit_cast<T>(bits);
  } else {
    return T(bits);
  }
}
template <typename T>
inline Stored<T> toStored(T value) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return std::bit_cast<Stored<T>>(value);
  } else {
    return Stored<T>(std::make_unsigned_t<T>(value));
  }
}

template <typename T>
constexpr Lanes lanesOf() {
  return sizeof(T) == 8 ? Lanes::kWide : Lanes::kNarrow;
}

namespace detail {
template <typename D, typename F, typename... S, size_t... I>
inline void apply(Warp& w, const Instruction& i, uint32_t lanes, std::index_sequence<I...>) {
  Stored<D>* d = w.lane<Stored<D>>(i.operand[0]);
  const std::tuple<const Stored<S>*...> sources{w.lane<Stored<S>>(i.operand[I + 1])...};
  eachLane(lanes, [&](int l) { d[l] = toStored<D>(D(F{}(fromStored<S>(std::get<I>(sources)[l])...))); });
}
}  // namespace detail

// d = f(sources…), lane by lane.
template <typename D, typename... S, typename F>
Operation lanewise(F, Class kind = Class::kInteger) {
  return {[](Warp& w, const Instruction& i, uint32_t lanes) {
            detail::apply<D, F, S...>(w, i, lanes, std::index_sequence_for<S...>());
          },
          lanesOf<D>(),
          {lanesOf<S>()...},
          kind};
}

// p = f(a, b)
template <typename T, typename F>
Operation comparison(F, Class kind = Class::kInteger) {
  return {[](Warp& w, const Instruction& i, uint32_t lanes) {
            const auto *a = w.lane<Stored<T>>(i.operand[1]), *b = w.lane<Stored<T>>(i.operand[2]);
            uint32_t result = 0;
            eachLane(lanes, [&](int l) { result |= uint32_t(F{}(fromStored<T>(a[l]), fromStored<T>(b[l]))) << l; });
            uint32_t& p = w.predicate(i.operand[0]);
            p = (p & ~lanes) | result;
          },
          Lanes::kPredicate,
          {lanesOf<T>(), lanesOf<T>()},
          kind};
}

}  // namespace gpusim
