// mma.sync: d = a·b + c of small matrices whose elements lie in the lanes' registers, as the PTX ISA lays them out.
#include "ops.h"
#include "value.h"

namespace gpusim {
namespace {

// Hardware adds exact products in an order that is not told, so both are offered that bound it: one after the other in
// float32, or all in float64, which is rounded once.
template <int kDepth>
void multiply(Warp& w, const Instruction& i, const float (&a)[16][kDepth], const float (&b)[kDepth][8]) {
  float sums[16][8];
  const auto place = [&](auto&& f) {
    for (int part = 0; part < 4; ++part) {
      for (int l = 0; l < kLanes; ++l) f(part, l, l / 4 + part / 2 * 8, l % 4 * 2 + part % 2);
    }
  };
  place([&](int part, int l, int row, int column) {
    sums[row][column] = w.lane<float>(i.operand[size_t(i.count + part)])[l];
  });
  if (w.block->settings.wideSums) {
    for (int m = 0; m < 16; ++m) {
      double wide[8];
      for (int n = 0; n < 8; ++n) wide[n] = sums[m][n];
      for (int k = 0; k < kDepth; ++k) {
        for (int n = 0; n < 8; ++n) wide[n] += double(a[m][k]) * double(b[k][n]);
      }
      for (int n = 0; n < 8; ++n) sums[m][n] = float(wide[n]);
    }
  } else {
    for (int m = 0; m < 16; ++m) {
      for (int k = 0; k < kDepth; ++k) {
        for (int n = 0; n < 8; ++n) sums[m][n] += a[m][k] * b[k][n];
      }
    }
  }
  place([&](int part, int l, int row, int column) { w.lane<float>(i.operand[size_t(part)])[l] = sums[row][column]; });
}

void needAll(uint32_t lanes) {
  if (lanes != kAllLanes) throw Fault("mma without all lanes");
}

// operand: d0…d3, a0…a3, b0, b1, c0…c3; count: where c begins
template <float (*kValue)(uint16_t)>
void run16(Warp& w, const Instruction& i, uint32_t lanes) {
  needAll(lanes);
  float a[16][16], b[16][8];
  for (int l = 0; l < kLanes; ++l) {
    const int group = l / 4, pair = l % 4 * 2;
    for (int part = 0; part < 4; ++part) {
      const uint32_t bits = w.lane<uint32_t>(i.operand[size_t(4 + part)])[l];
      const int row = group + part % 2 * 8, column = pair + part / 2 * 8;
      a[row][column] = kValue(uint16_t(bits)), a[row][column + 1] = kValue(uint16_t(bits >> 16));
    }
    for (int part = 0; part < 2; ++part) {
      const uint32_t bits = w.lane<uint32_t>(i.operand[size_t(8 + part)])[l];
      const int row = pair + part * 8;
      b[row][group] = kValue(uint16_t(bits)), b[row + 1][group] = kValue(uint16_t(bits >> 16));
    }
  }
  multiply<16>(w, i, a, b);
}

// The hardware reads the upper 19 bits of each register.
float tf32(uint32_t bits) { return std::bit_cast<float>(bits & ~uint32_t(0x1fff)); }

void runTf32(Warp& w, const Instruction& i, uint32_t lanes) {
  needAll(lanes);
  float a[16][8], b[8][8];
  for (int l = 0; l < kLanes; ++l) {
    const int group = l / 4, column = l % 4;
    for (int part = 0; part < 4; ++part) {
      a[group + part % 2 * 8][column + part / 2 * 4] = tf32(w.lane<uint32_t>(i.operand[size_t(4 + part)])[l]);
    }
    for (int part = 0; part < 2; ++part) {
      b[column + part * 4][group] = tf32(w.lane<uint32_t>(i.operand[size_t(8 + part)])[l]);
    }
  }
  multiply<8>(w, i, a, b);
}

}  // namespace

namespace handlers {
const Handler multiplyHalf = run16<floatOfHalf>, multiplyBFloat = run16<floatOfBFloat>, multiplyTf32 = runTf32;
}  // namespace handlers

}  // namespace gpusim
