// Philox 4x32-10, a counter-based generator: the same (key, counter) gives the same words on every device.
// Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3. https://doi.org/10.1145/2063384.2063405
//
// The library's contract: key = seed; counter = (index/8 low, index/8 high, site, step); one call gives eight
// 16-bit draws, draw j = the j-th 16-bit half-word, low half first. The index comes from logical coordinates.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace duo {

using PhiloxWords = std::array<uint32_t, 4>;

inline PhiloxWords philox(uint64_t key, PhiloxWords counter) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * counter[0], p1 = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(p1 >> 32) ^ counter[1] ^ k0, uint32_t(p1), uint32_t(p0 >> 32) ^ counter[3] ^ k1, uint32_t(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

// Where in the run a random number is drawn: which seed, which module, which optimiser step.
struct RandomSite {
  uint64_t seed = 0;
  uint32_t site = 0;
  uint32_t step = 0;
};

// The eight 16-bit draws of elements 8·group … 8·group + 7.
inline std::array<uint16_t, 8> draws(const RandomSite& at, uint64_t group) {
  const PhiloxWords w = philox(at.seed, {uint32_t(group), uint32_t(group >> 32), at.site, at.step});
  std::array<uint16_t, 8> result;
  for (int i = 0; i < 4; ++i) {
    result[2 * i] = uint16_t(w[i]);
    result[2 * i + 1] = uint16_t(w[i] >> 16);
  }
  return result;
}

// In (0, 1): 32-bit word `index` of the site's stream, for draws of one number a row.
inline double uniformDraw(const RandomSite& at, int64_t index) {
  const PhiloxWords words = philox(at.seed, {uint32_t(index / 4), uint32_t(index / 4 >> 32), at.site, at.step});
  return (double(words[size_t(index % 4)]) + 0.5) * 0x1p-32;
}

// Dropout with 16-bit resolution: an element is zeroed when its draw is below the threshold.
struct DropoutRule {
  uint32_t threshold;  // round(p · 65536)
  float scale;         // 65536 / (65536 − threshold); 0 when everything is dropped

  explicit DropoutRule(double p)
      : threshold(uint32_t(p * 65536 + 0.5)), scale(threshold < 65536 ? 65536.f / float(65536 - threshold) : 0.f) {}
  bool active() const { return threshold != 0; }
  float factor(uint16_t draw) const { return draw < threshold ? 0.f : scale; }
};

// Rows of a matrix start at a multiple of eight, so that a row never shares a Philox call with its neighbour.
inline uint64_t dropoutRowStart(int64_t row, int64_t columns) { return uint64_t(row) * uint64_t((columns + 7) & ~7LL); }

// Attention probabilities: element (head, packed query row, key position); positions stay below 2^20.
constexpr int kKeyPositionBits = 20;
inline uint64_t attentionDropoutStart(int64_t head, int64_t row, int64_t rows) {
  return (uint64_t(head) * uint64_t(rows) + uint64_t(row)) << kKeyPositionBits;
}

}  // namespace duo
