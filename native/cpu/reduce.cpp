// reduce: y = sum, mean or max of x over a set of dimensions. One thread computes an output element at a time, in the
// row-major order of what it reduces, in blocks whose sums are added pairwise: error grows with the logarithm of the
// count.
#include <limits>

#include "cpu/kernels.h"
#include "cpu/strided.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // input elements for each thread
constexpr int64_t kBlock = 128;    // below this, a plain loop: its rounding error is as small as the recursion's

// Dimensions and strides of a walk.
struct Walk {
  Dims dims, strides;
  int64_t offset(int64_t index) const {
    int64_t result = 0;
    for (int d = dims.rank() - 1; d >= 0; --d) {
      result += index % dims[d] * strides[d];
      index /= dims[d];
    }
    return result;
  }
};

float sumOf(const float* x, const Walk& walk, int64_t begin, int64_t end) {
  if (end - begin > kBlock) {
    const int64_t middle = begin + (end - begin) / 2;
    return sumOf(x, walk, begin, middle) + sumOf(x, walk, middle, end);
  }
  float sum = 0;
  for (int64_t i = begin; i < end; ++i) sum += x[walk.offset(i)];
  return sum;
}

float maxOf(const float* x, const Walk& walk, int64_t count) {
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    const float v = x[walk.offset(i)];
    if (!(v <= max)) max = v;  // a NaN takes over, and stays
    if (max != max) return max;
  }
  return max;
}

}  // namespace

void reduce(const OpCall& call) {
  const TensorArg &x = call.in("x"), &y = call.out("y");
  const int64_t axes = call.integer("axes"), kind = call.integer("kind");
  Walk inner, outer;
  for (int i = 0; i < x.dims.rank(); ++i) {
    Walk& walk = axes >> i & 1 ? inner : outer;
    walk.dims.push(x.dims[i]);
    walk.strides.push(x.strides[i]);
  }
  const int64_t count = inner.dims.count();
  parallelBlocks(y.count(), kGrain / std::max<int64_t>(count, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* p = x.f32() + outer.offset(i);
      const float value = kind == 2 ? maxOf(p, inner, count) : sumOf(p, inner, 0, count);
      y.f32()[i] = kind == 1 ? value / float(count) : value;
    }
  });
}

}  // namespace duo::cpu::DUO_ISA
