// Dropout factors by the contract of core/rng.h: Philox run on many counters at a time.
#pragma once
#include <cstdint>

#include "core/rng.h"

namespace duo::cpu::DUO_ISA {

// Counters that one pass of the rounds takes; the compiler makes vectors of the loops over them.
constexpr int kPhiloxBatch = 16;

// The factors (0 or rule.scale) of elements 8·group … 8·(group + kPhiloxBatch) − 1.
inline void dropoutFactors(const RandomSite& at, const DropoutRule& rule, uint64_t group, float* factors) {
  uint32_t c[4][kPhiloxBatch];
  for (int i = 0; i < kPhiloxBatch; ++i) {
    c[0][i] = uint32_t(group + uint64_t(i)), c[1][i] = uint32_t((group + uint64_t(i)) >> 32);
    c[2][i] = at.site, c[3][i] = at.step;
  }
  uint32_t k0 = uint32_t(at.seed), k1 = uint32_t(at.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kPhiloxBatch; ++i) {
      const uint64_t p0 = uint64_t(0xD2511F53u) * c[0][i], p1 = uint64_t(0xCD9E8D57u) * c[2][i];
      c[0][i] = uint32_t(p1 >> 32) ^ c[1][i] ^ k0;
      c[2][i] = uint32_t(p0 >> 32) ^ c[3][i] ^ k1;
      c[1][i] = uint32_t(p1), c[3][i] = uint32_t(p0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < kPhiloxBatch; ++i) {
    for (int word = 0; word < 4; ++word) {
      factors[8 * i + 2 * word] = (c[word][i] & 0xffff) < rule.threshold ? 0.f : rule.scale;
      factors[8 * i + 2 * word + 1] = (c[word][i] >> 16) < rule.threshold ? 0.f : rule.scale;
    }
  }
}

}  // namespace duo::cpu::DUO_ISA
