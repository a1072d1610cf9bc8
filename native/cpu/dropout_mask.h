// Dropout factors by the contract of core/rng.h: Philox run on many counters at a time.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "core/rng.h"
#include "cpu/vec.h"

namespace duo::cpu::DUO_ISA {

constexpr int kPhiloxBatch = 16;  // counters

// The factors (0 or rule.scale) of elements 8·group … 8·(group + kPhiloxBatch) − 1.
inline void dropoutFactors(const RandomSite& at, const DropoutRule& rule, uint64_t group, float* factors) {
  constexpr int kVecs = kPhiloxBatch / VecU64::kLanes;
  // The four words of a counter, each in the low half of a lane; what is in high halves does not matter.
  VecU64 c0[kVecs], c1[kVecs], c2[kVecs], c3[kVecs];
  for (int i = 0; i < kVecs; ++i) {
    c0[i] = VecU64::countFrom(group + uint64_t(i) * VecU64::kLanes), c1[i] = highHalf(c0[i]);
    c2[i] = VecU64::fill(at.site), c3[i] = VecU64::fill(at.step);
  }
  const VecU64 m0 = VecU64::fill(0xD2511F53u), m1 = VecU64::fill(0xCD9E8D57u);
  uint32_t k0 = uint32_t(at.seed), k1 = uint32_t(at.seed >> 32);
  for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kVecs; ++i) {
      const VecU64 p0 = productOfLow(c0[i], m0), p1 = productOfLow(c2[i], m1);
      c0[i] = highHalf(p1) ^ c1[i] ^ VecU64::fill(k0), c1[i] = p1;
      c2[i] = highHalf(p0) ^ c3[i] ^ VecU64::fill(k1), c3[i] = p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  uint64_t first[kPhiloxBatch], second[kPhiloxBatch], words[2 * kPhiloxBatch];
  for (int i = 0; i < kVecs; ++i) {
    joinLow(c0[i], c1[i]).store(first + i * VecU64::kLanes);
    joinLow(c2[i], c3[i]).store(second + i * VecU64::kLanes);
  }
#pragma GCC unroll 1  // so that it makes vectors
  for (int i = 0; i < kPhiloxBatch; ++i) words[2 * i] = first[i], words[2 * i + 1] = second[i];
  // The low half of a word draws before its high half: as they lie in memory.
  static_assert(std::endian::native == std::endian::little);
  uint16_t draws[8 * kPhiloxBatch];
  std::memcpy(draws, words, sizeof words);
  const int threshold = int(rule.threshold);
  for (int j = 0; j < 8 * kPhiloxBatch; ++j) factors[j] = draws[j] < threshold ? 0.f : rule.scale;
}

}  // namespace duo::cpu::DUO_ISA
