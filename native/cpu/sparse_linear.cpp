// sparseLinear: y = x·B + residual for rows of x that are zero in many places, as after ReLU.
//
// Row k of B counts only where a row of x is not zero at k, and is not read elsewhere. Up to four rows of x share a
// pass: first the list of such k, then for each item of columns a sum over the list, whose rows of B are fetched ahead.
// Bytes: of B, N · 4 for each k of the list, once for four rows of x. 2·R·K·N FLOP if nothing is zero.
#include "cpu/gemm/micro_kernel.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/sparse_linear_plan.h"
#include "cpu/thread_pool.h"

namespace duo::cpu::DUO_ISA {
namespace {

// Sums in registers, of 16 or of 32: their number times a register's width is the run of a row of B that is read.
constexpr int kSums = kTile.rows * kTileVecs >= 24 ? 16 : 8;
// Rows of B that are on their way while others are added up.
constexpr int64_t kAhead = 8;

// Where some of up to kSparseRows rows of x are not zero, in order, and what they are there.
struct Entries {
  const int32_t* k;
  const float* x;  // [entry][row]
  int64_t count;
};

template <int kRows>
Entries entriesOf(const float* x, int64_t rows, int64_t depth, int32_t* k, float* values) {
  int64_t count = 0;
  for (int64_t i = 0; i < depth; ++i) {
    bool some = false;
    for (int64_t r = 0; r < kRows; ++r) {
      const float value = r < rows ? x[r * depth + i] : 0.f;
      values[count * kRows + r] = value;
      some |= value != 0.f;  // NaN, too
    }
    k[count] = int32_t(i);
    count += some;
  }
  return {k, values, count};
}

// kVecs registers of columns of kRows rows of y.
template <int kRows, int kVecs, typename Lanes>
void sumColumns(const Entries& at, const float* b, int64_t stride, Lanes lanes, VecF (&sums)[kRows][kVecs]) {
  for (auto& row : sums) {
    for (VecF& sum : row) sum = VecF::zero();
  }
  constexpr int kLine = 16;  // floats
  for (int64_t i = 0; i < at.count; ++i) {
    const float* ahead = b + at.k[std::min(i + kAhead, at.count - 1)] * stride;
    for (int c = 0; c < kVecs * VecF::kLanes; c += kLine) __builtin_prefetch(ahead + c);
    const float* row = b + at.k[i] * stride;
    VecF x[kVecs];
    for (int v = 0; v < kVecs; ++v) x[v] = load(row + v * VecF::kLanes, lanes);
    for (int r = 0; r < kRows; ++r) {
      const VecF factor = VecF::fill(at.x[i * kRows + r]);
      for (int v = 0; v < kVecs; ++v) sums[r][v] = fma(factor, x[v], sums[r][v]);
    }
  }
}

template <int kRows>
struct Pass {
  const Entries& entries;
  const float* b;
  const float* residual;  // or null
  float* y;
  int64_t rows, columns;

  template <int kVecs, typename Lanes>
  void run(int64_t column, Lanes lanes) const {
    VecF sums[kRows][kVecs];
    sumColumns<kRows, kVecs>(entries, b + column, columns, lanes, sums);
    for (int64_t r = 0; r < rows; ++r) {
      for (int v = 0; v < kVecs; ++v) {
        const int64_t at = r * columns + column + v * VecF::kLanes;
        store(residual ? load(residual + at, lanes) + sums[r][v] : sums[r][v], y + at, lanes);
      }
    }
  }

  void item(int64_t index) const {
    constexpr int kVecs = kSums / kRows;
    constexpr int64_t kWidth = int64_t(kVecs) * VecF::kLanes;
    const int64_t begin = index * kWidth;
    if (begin + kWidth <= columns) return run<kVecs>(begin, AllLanes{});
    forLanes(columns - begin, [&](int64_t c, auto lanes) { run<1>(begin + c, lanes); });
  }

  void run() const {
    constexpr int64_t kWidth = int64_t(kSums / kRows) * VecF::kLanes;
    parallelFor((columns + kWidth - 1) / kWidth, [&](int64_t index, int) { item(index); });
  }
};

template <int kRows>
void pass(const OpCall& call, int64_t first, int64_t rows) {
  const int64_t depth = call.dim("K"), columns = call.dim("N");
  int32_t* k = call.scratch<int32_t>();
  const Entries entries =
      entriesOf<kRows>(call.in("x").f32() + first * depth, rows, depth, k, reinterpret_cast<float*>(k + depth));
  const float* residual = call.has("residual") ? call.in("residual").f32() + first * columns : nullptr;
  Pass<kRows>{entries, call.in("b").f32(), residual, call.out("y").f32() + first * columns, rows, columns}.run();
}

}  // namespace

void sparseLinear(const OpCall& call) {
  const int64_t rows = call.dim("R");
  for (int64_t first = 0; first < rows; first += kSparseRows) {
    const int64_t count = std::min(rows - first, kSparseRows);
    const auto run = count == 1 ? pass<1> : count == 2 ? pass<2> : pass<kSparseRows>;
    run(call, first, count);
  }
}

}  // namespace duo::cpu::DUO_ISA
