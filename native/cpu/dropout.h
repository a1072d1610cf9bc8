// Dropout factors, as every kernel that drops uses them; what is drawn where: core/rng.h.
#pragma once
#include <algorithm>
#include <cstring>

#include "core/rng.h"
#include "cpu/vec.h"
#include "ops/dropout.h"

namespace duo::cpu::DUO_ISA {

// Elements at a time: eight Philox calls side by side, one register of words for the compiler to work on.
constexpr int kDropoutChunk = 64;

// factors[i] of elements start … start + 63, 0 or the rule's scale; start is a multiple of eight.
inline void dropoutFactors(const Dropout& dropout, uint64_t start, float* factors) {
  constexpr int kCalls = kDropoutChunk / 8;
  uint32_t c0[kCalls], c1[kCalls], c2[kCalls], c3[kCalls];
  for (int i = 0; i < kCalls; ++i) {
    const uint64_t group = start / 8 + uint64_t(i);
    c0[i] = uint32_t(group), c1[i] = uint32_t(group >> 32), c2[i] = dropout.at.site, c3[i] = dropout.at.step;
  }
  uint32_t k0 = uint32_t(dropout.at.seed), k1 = uint32_t(dropout.at.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    // Left rolled, or the compiler unrolls it before it could vectorise it.
#pragma GCC unroll 1
    for (int i = 0; i < kCalls; ++i) {
      const uint64_t p0 = uint64_t(0xD2511F53u) * c0[i], p1 = uint64_t(0xCD9E8D57u) * c2[i];
      c0[i] = uint32_t(p1 >> 32) ^ c1[i] ^ k0, c1[i] = uint32_t(p1);
      c2[i] = uint32_t(p0 >> 32) ^ c3[i] ^ k1, c3[i] = uint32_t(p0);
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  uint16_t draws[kDropoutChunk];
  for (int i = 0; i < kCalls; ++i) {
    const uint32_t words[4] = {c0[i], c1[i], c2[i], c3[i]};
    std::memcpy(draws + 8 * i, words, sizeof words);  // low half first: all our platforms are little-endian
  }
  const uint32_t threshold = dropout.rule.threshold;
  const float scale = dropout.rule.scale;
  for (int i = 0; i < kDropoutChunk; ++i) factors[i] = draws[i] < threshold ? 0.f : scale;
}

// A dropped element is 0 whatever it was, inf and NaN included.
inline VecF dropped(VecF x, VecF factor) { return select(factor > VecF::zero(), x * factor, VecF::zero()); }

// Calls fn(column, n, factor) for all columns of a row, a register at a time; n < kLanes in the last one alone.
template <typename Fn>
inline void forEachDropped(const Dropout& dropout, int64_t row, int64_t columns, const Fn& fn) {
  alignas(64) float factors[kDropoutChunk];
  for (int64_t begin = 0; begin < columns; begin += kDropoutChunk) {
    dropoutFactors(dropout, dropoutRowStart(row, columns) + uint64_t(begin), factors);
    const int64_t end = std::min<int64_t>(columns, begin + kDropoutChunk);
    for (int64_t c = begin; c < end; c += VecF::kLanes)
      fn(c, std::min<int64_t>(end - c, VecF::kLanes), VecF::load(factors + (c - begin)));
  }
}

}  // namespace duo::cpu::DUO_ISA
