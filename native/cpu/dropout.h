// Dropout, as every kernel uses it: a bit for each element that stays, by the contract of core/rng.h, with Philox run
// on many counters at a time.
#pragma once
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/rng.h"
#include "cpu/vec.h"
#include "ops/dropout.h"

namespace duo::cpu::DUO_ISA {

// A register of counters makes so many bits: a byte for each.
constexpr int64_t kBitsPerVec = 8 * VecU64::kLanes;
// Bits are read as whole words, beyond the last by so many bytes at most.
constexpr int64_t kBitPadding = 3;

// Bit 0 is element i's, and those of the elements after it follow, 25 at least.
inline uint32_t bitsFrom(const uint8_t* bits, int64_t i) {
  static_assert(std::endian::native == std::endian::little);
  uint32_t word;
  std::memcpy(&word, bits + i / 8, sizeof word);
  return word >> (i % 8);
}

// Of kVecs registers of elements; see keepBits.
template <int kVecs, typename GroupOf>
inline void keepBitsOf(const RandomSite& at, const DropoutRule& rule, const GroupOf& groupOf, uint8_t* bits) {
  // The four words of a counter, each in the low half of a lane; what is in high halves does not matter.
  VecU64 c0[kVecs], c1[kVecs], c2[kVecs], c3[kVecs];
  for (int i = 0; i < kVecs; ++i) {
    c0[i] = VecU64::countFrom(groupOf(i)), c1[i] = highHalf(c0[i]);
    c2[i] = VecU64::fill(at.site), c3[i] = VecU64::fill(at.step);
  }
  const VecU64 m0 = VecU64::fill(0xD2511F53u), m1 = VecU64::fill(0xCD9E8D57u);
  uint32_t k0 = uint32_t(at.seed), k1 = uint32_t(at.seed >> 32);
#pragma GCC unroll 1  // rounds wait for each other: what runs side by side are the registers
  for (int round = 0; round < 10; ++round) {
    const VecU64 key0 = VecU64::fill(k0), key1 = VecU64::fill(k1);
#pragma GCC unroll 4
    for (int i = 0; i < kVecs; ++i) {
      const VecU64 p0 = productOfLow(c0[i], m0), p1 = productOfLow(c2[i], m1);
      c0[i] = highHalf(p1) ^ c1[i] ^ key0, c1[i] = p1;
      c2[i] = highHalf(p0) ^ c3[i] ^ key1, c3[i] = p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < kVecs; ++i) {
    storeBitsAbove(uint16_t(rule.threshold - 1), joinLow(c0[i], c1[i]), joinLow(c2[i], c3[i]),
                   bits + i * VecU64::kLanes);
  }
}

// For each i below `count`, which of the kBitsPerVec elements from 8·groupOf(i) on stay, at bits + i · VecU64::kLanes.
// The rule is active.
template <typename GroupOf>
inline void keepBits(const RandomSite& at, const DropoutRule& rule, int64_t count, const GroupOf& groupOf,
                     uint8_t* bits) {
  int64_t i = 0;
  const auto step = [&]<int kVecs>() {
    for (; i + kVecs <= count; i += kVecs) {
      keepBitsOf<kVecs>(
          at, rule, [&](int v) { return groupOf(i + v); }, bits + i * VecU64::kLanes);
    }
  };
  if constexpr (VecU64::kMostSideBySide >= 4) step.template operator()<4>();
  step.template operator()<2>();
  step.template operator()<1>();
}

// What dropout does to a register of elements. A dropped one is 0 whatever it was, inf and NaN included.
struct Drop {
  uint32_t kept;
  float scale;
  VecF operator()(VecF x) const { return select(VecF::maskOf(kept), x * VecF::fill(scale), VecF::zero()); }
};

// Columns at a time: as many registers of counters as run side by side.
constexpr int64_t kDropoutChunk = VecU64::kMostSideBySide * kBitsPerVec;

// Calls fn(column, n, drop) for all columns of a row, a register at a time; n < kLanes in the last one alone.
template <typename Fn>
inline void forEachDropped(const Dropout& dropout, int64_t row, int64_t columns, const Fn& fn) {
  uint8_t bits[kDropoutChunk / 8 + kBitPadding];
  std::memset(bits, 0xff, sizeof bits);  // what an inactive rule says
  const uint64_t first = dropoutRowStart(row, columns) / 8;
  for (int64_t begin = 0; begin < columns; begin += kDropoutChunk) {
    const int64_t end = std::min(columns, begin + kDropoutChunk);
    const auto groupOf = [&](int64_t i) { return first + uint64_t(begin / 8 + i * VecU64::kLanes); };
    if (dropout.active())
      keepBits(dropout.at, dropout.rule, (end - begin + kBitsPerVec - 1) / kBitsPerVec, groupOf, bits);
    for (int64_t c = begin; c < end; c += VecF::kLanes) {
      fn(c, std::min<int64_t>(end - c, VecF::kLanes), Drop{bitsFrom(bits, c - begin), dropout.rule.scale});
    }
  }
}

}  // namespace duo::cpu::DUO_ISA
