// reduce: y = sum, mean or max of x over a set of dimensions; reads x once. After merging dimensions that lie evenly:
//   one reduced dimension, dense and last: each output is the sum of a contiguous piece; long pieces are cut into
//   blocks one reduced dimension above a dense last one that stays: sums of rows, in blocks (ops/row_blocks.h) anything
//   else, and max: an output element at a time
// Sums are added pairwise or in pieces, so that the error does not grow with the count.
// maxBwd: dX = dY at the first maximum of each piece, else 0.
#include <limits>

#include "cpu/kernels.h"
#include "cpu/partial_rows.h"
#include "cpu/strided.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // input elements for each thread
constexpr int64_t kBlock = 128;    // below this, a plain loop: its rounding error is as small as the recursion's
constexpr int64_t kChunk = 128 * VecF::kLanes;  // elements added lane by lane: 32 to an accumulator
constexpr int64_t kPiece = 64 * kChunk;         // elements of one partial sum

// Dimensions and strides of a walk.
struct Walk {
  Dims dims, strides;
  void push(int64_t size, int64_t stride) {
    dims.push(size);
    strides.push(stride);
  }
  int64_t offset(int64_t index) const {
    int64_t result = 0;
    for (int d = dims.rank() - 1; d >= 0; --d) {
      result += index % dims[d] * strides[d];
      index /= dims[d];
    }
    return result;
  }
};

// What is reduced, and what stays; dimensions of 1 left out, neighbours that lie evenly merged.
struct Plan {
  Walk inner, outer;
  bool lastReduced = false;

  Plan(const TensorArg& x, int64_t axes) {
    bool open = false;
    for (int i = 0; i < x.dims.rank(); ++i) {
      if (x.dims[i] == 1) continue;
      const bool reduced = axes >> i & 1;
      Walk& walk = reduced ? inner : outer;
      const int last = walk.dims.rank() - 1;
      if (open && reduced == lastReduced && walk.strides[last] == x.strides[i] * x.dims[i]) {
        walk.dims[last] *= x.dims[i];
        walk.strides[last] = x.strides[i];
      } else {
        walk.push(x.dims[i], x.strides[i]);
      }
      open = true;
      lastReduced = reduced;
    }
  }
  bool rows() const { return inner.dims.rank() == 1 && lastReduced && inner.strides[0] == 1; }
  bool columns() const {
    return inner.dims.rank() == 1 && outer.dims.rank() > 0 && !lastReduced && outer.strides.back() == 1;
  }
};

float sumOfWalk(const float* x, const Walk& walk, int64_t begin, int64_t end) {
  if (end - begin > kBlock) {
    const int64_t middle = begin + (end - begin) / 2;
    return sumOfWalk(x, walk, begin, middle) + sumOfWalk(x, walk, middle, end);
  }
  float sum = 0;
  for (int64_t i = begin; i < end; ++i) sum += x[walk.offset(i)];
  return sum;
}

float maxOfWalk(const float* x, const Walk& walk, int64_t count) {
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    const float v = x[walk.offset(i)];
    if (!(v <= max)) max = v;  // a NaN takes over, and stays
    if (max != max) return max;
  }
  return max;
}

// Σ of at most kPiece elements.
float sumOfPiece(const float* x, int64_t n) {
  float sums[kPiece / kChunk];
  int64_t chunks = 0;
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const float* p = x + begin;
    sums[chunks++] = sumLanes(std::min(kChunk, n - begin), [&](int64_t i, auto lanes) { return load(p + i, lanes); });
  }
  return chunks == 1 ? sums[0] : sumLanes(chunks, [&](int64_t i, auto lanes) { return load(sums + i, lanes); });
}

void sumRows(const OpCall& call, const Plan& plan, float scale) {
  const float* x = call.in("x").f32();
  const TensorArg& y = call.out("y");
  const int64_t n = plan.inner.dims[0], pieces = (n + kPiece - 1) / kPiece;
  if (pieces == 1) {
    parallelBlocks(y.count(), kGrain / n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y.f32()[i] = scale * sumOfPiece(x + plan.outer.offset(i), n);
    });
    return;
  }
  float* partials = call.scratch<float>();
  parallelFor(y.count() * pieces, [&](int64_t i, int) {
    const int64_t begin = i % pieces * kPiece;
    partials[i] = sumOfPiece(x + plan.outer.offset(i / pieces) + begin, std::min(kPiece, n - begin));
  });
  for (int64_t i = 0; i < y.count(); ++i) {
    const float* p = partials + i * pieces;
    y.f32()[i] = scale * sumLanes(pieces, [&](int64_t j, auto lanes) { return load(p + j, lanes); });
  }
}

void sumColumns(const OpCall& call, const Plan& plan, float scale) {
  const float* x = call.in("x").f32();
  const int64_t columns = plan.outer.dims.back(), sets = call.out("y").count() / columns;
  const RowBlocks blocks(plan.inner.dims[0], columns);
  const int64_t count = blocks.count(), step = plan.inner.strides[0];
  float* partials = call.scratch<float>();
  parallelFor(sets * count, [&](int64_t i, int) {
    const float* from = x + plan.outer.offset(i / count * columns);
    float* partial = partials + i * columns;
    std::fill(partial, partial + columns, 0.f);
    for (int64_t row = blocks.begin(i % count); row < blocks.end(i % count); ++row)
      addRow(from + row * step, columns, partial);
  });
  for (int64_t set = 0; set < sets; ++set) {
    combinePartialRows(partials + set * count * columns, count, columns, columns, scale,
                       call.out("y").f32() + set * columns);
  }
}

}  // namespace

void reduce(const OpCall& call) {
  const TensorArg &x = call.in("x"), &y = call.out("y");
  const int64_t kind = call.integer("kind"), count = y.count() ? x.count() / y.count() : 0;
  if (count == 0) {
    std::fill(y.f32(), y.f32() + y.count(), 0.f);
    return;
  }
  const Plan plan(x, call.integer("axes"));
  const float scale = kind == 1 ? 1 / float(count) : 1;
  if (kind < 2 && plan.rows()) return sumRows(call, plan, scale);
  if (kind < 2 && plan.columns()) return sumColumns(call, plan, scale);
  parallelBlocks(y.count(), kGrain / count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* p = x.f32() + plan.outer.offset(i);
      y.f32()[i] = kind == 2 ? maxOfWalk(p, plan.inner, count) : scale * sumOfWalk(p, plan.inner, 0, count);
    }
  });
}

void maxBwd(const OpCall& call) {
  const TensorArg &x = call.in("x"), &dY = call.in("dY");
  const Plan plan(x, call.integer("axes"));
  const int64_t outputs = dY.count(), count = outputs ? x.count() / outputs : 0;
  parallelBlocks(outputs, kGrain / std::max<int64_t>(count, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t base = plan.outer.offset(i);
      const float max = call.in("y").f32()[i];
      bool given = false;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t at = base + plan.inner.offset(j);
        const bool first = !given && (x.f32()[at] == max || max != max);
        call.out("dX").f32()[at] = first ? dY.f32()[i] : 0.f;
        given |= first;
      }
    }
  });
}

}  // namespace duo::cpu::DUO_ISA
