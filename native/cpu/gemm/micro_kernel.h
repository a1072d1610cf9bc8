// The inner loop of a matrix product: a tile of C in registers, C (+)= A·B over one block of K.
//
// For each k: the row of B (kVecs registers), then for each row an element of A in all lanes times that. With six rows
// of two registers that is 12 multiply-adds for 8 loads, so the multiply-add units are the limit.
#pragma once
#include "cpu/gemm/plan.h"
#include "cpu/vec.h"

namespace duo::cpu::DUO_ISA {

#if defined(DUO_ISA_AVX2)
constexpr GemmTile kTile = gemmTile(Isa::kAvx2);
#elif defined(DUO_ISA_AVX512)
constexpr GemmTile kTile = gemmTile(Isa::kAvx512);
#elif defined(DUO_ISA_NEON)
constexpr GemmTile kTile = gemmTile(Isa::kNeon);
#else
constexpr GemmTile kTile = gemmTile(Isa::kScalar);
#endif
constexpr int kTileVecs = kTile.columns / VecF::kLanes;

// What is brought to L2 on the way, because it is read soon: for each k the two cache lines at `data`, which then moves
// on by `step` bytes.
struct FetchAhead {
  const char* data;
  int64_t step;
};

struct TileCall {
  const float* a;
  int64_t aStride;  // between the rows of A where it is read as it lies; unused where it is packed
  const float* b;
  int64_t bStride;  // between the rows of B
  int64_t depth;
  float* c;
  int64_t cStride;
  int64_t columns;  // of C that are written
  bool add;         // to what C holds
  FetchAhead ahead;
};

// A packed: depth × kRows, else kRows rows of unit stride.
template <int kRows, int kVecs, bool kPackedA>
void tileKernel(const TileCall& call) {
  // With few rows the multiply-adds would wait for each other: give every k of a round its own sums.
  constexpr int kRound = kRows * kVecs >= 8 ? 1 : kRows * kVecs >= 4 ? 2 : 4;
  VecF sums[kRound][kRows][kVecs];
#pragma GCC unroll 4
  for (int u = 0; u < kRound; ++u) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sums[u][r][v] = VecF::zero();
    }
  }

  const float* rows[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) rows[r] = call.a + r * call.aStride;
  const float *a = call.a, *b = call.b;
  const int64_t bStride = call.bStride, depth = call.depth;
  auto [ahead, aheadStep] = call.ahead;
  const auto step = [&](int64_t k, VecF(&sum)[kRows][kVecs]) __attribute__((always_inline)) {
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + 64, 0, 2);
    ahead += aheadStep;
    VecF x[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) x[v] = VecF::load(b + v * VecF::kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const VecF y = VecF::fill(kPackedA ? a[r] : rows[r][k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] = fma(y, x[v], sum[r][v]);
    }
    b += bStride;
    if constexpr (kPackedA) a += kRows;
  };
  int64_t k = 0;
#pragma GCC unroll 4  // worth 5 %
  for (; k + kRound <= depth; k += kRound) {
#pragma GCC unroll 4
    for (int u = 0; u < kRound; ++u) step(k + u, sums[u]);
  }
  if constexpr (kRound > 1) {
    for (; k < depth; ++k) step(k, sums[0]);
  }

#pragma GCC unroll 4
  for (int u = 1; u < kRound; ++u) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sums[0][r][v] = sums[0][r][v] + sums[u][r][v];
    }
  }
  const bool whole = call.columns >= kVecs * VecF::kLanes;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* c = call.c + r * call.cStride;
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      const int64_t at = v * VecF::kLanes;
      if (whole) {
        if (call.add) sums[0][r][v] = VecF::load(c + at) + sums[0][r][v];
        sums[0][r][v].store(c + at);
      } else if (call.columns > at) {
        if (call.add) sums[0][r][v] = VecF::load(c + at, call.columns - at) + sums[0][r][v];
        sums[0][r][v].store(c + at, call.columns - at);
      }
    }
  }
}

using TileKernel = void (*)(const TileCall&);

template <bool kPackedA, int kVecs, int... kRows>
constexpr TileKernel pickTileKernel(int64_t rows, std::integer_sequence<int, kRows...>) {
  constexpr TileKernel kernels[] = {tileKernel<kRows + 1, kVecs, kPackedA>...};
  return kernels[rows - 1];
}

// The kernel for `rows` of A and `columns` of B, the fewest registers that hold them.
template <bool kPackedA>
TileKernel tileKernelFor(int64_t rows, int64_t columns) {
  using Rows = std::make_integer_sequence<int, kTile.rows>;
  if (columns <= kTile.columns / 2) return pickTileKernel<kPackedA, kTileVecs / 2>(rows, Rows{});
  return pickTileKernel<kPackedA, kTileVecs>(rows, Rows{});
}

}  // namespace duo::cpu::DUO_ISA
