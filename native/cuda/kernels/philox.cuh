// Philox 4x32-10 and the library's dropout, bit-equal to core/rng.h, which says what key and counter mean.
#pragma once
#include <cstdint>

namespace duo::cuda {

struct RandomSite {
  uint64_t seed;
  uint32_t site, step;
};

struct DropoutRule {
  uint32_t threshold;  // 0: nothing is dropped
  float scale;
};

__device__ inline uint4 philox(uint64_t key, uint4 counter) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
    const uint32_t high1 = __umulhi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
    counter = make_uint4(high1 ^ counter.y ^ k0, low1, high0 ^ counter.w ^ k1, low0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

// The eight 16-bit draws of elements 8·group … 8·group + 7.
__device__ inline uint4 drawWords(const RandomSite& at, uint64_t group) {
  return philox(at.seed, make_uint4(uint32_t(group), uint32_t(group >> 32), at.site, at.step));
}

__device__ inline uint32_t draw(const uint4& words, int i) {
  const uint32_t word = i < 4 ? (i < 2 ? words.x : words.y) : (i < 6 ? words.z : words.w);
  return (word >> (16 * (i & 1))) & 0xffffu;
}

__device__ inline float dropoutFactor(const DropoutRule& rule, const uint4& words, int i) {
  return draw(words, i) < rule.threshold ? 0.f : rule.scale;
}

// In (0, 1): 32-bit word `index` of the site's stream.
__device__ inline double uniformDraw(const RandomSite& at, int64_t index) {
  const uint64_t group = uint64_t(index / 4);
  const uint4 words = philox(at.seed, make_uint4(uint32_t(group), uint32_t(group >> 32), at.site, at.step));
  const int i = int(index % 4);
  const uint32_t word = i < 2 ? (i == 0 ? words.x : words.y) : (i == 2 ? words.z : words.w);
  return (double(word) + 0.5) * 0x1p-32;
}

__device__ inline uint64_t dropoutRowStart(int64_t row, int64_t columns) {
  return uint64_t(row) * uint64_t((columns + 7) & ~7LL);
}

constexpr int kKeyPositionBits = 20;
__device__ inline uint64_t attentionDropoutStart(int64_t head, int64_t row, int64_t rows) {
  return (uint64_t(head) * uint64_t(rows) + uint64_t(row)) << kKeyPositionBits;
}

}  // namespace duo::cuda
