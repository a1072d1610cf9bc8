// binary: y = a <op> b over the broadcast shape. Reads 8 bytes, writes 4 an element: memory-bound.
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "cpu/vec.h"
#include "ops/registry.h"

namespace duo::cpu::DUO_ISA {
namespace {

// Elements a thread takes at a time: 128 KiB of each operand, far above the cost of handing out work.
constexpr int64_t kGrain = 32768;

template <typename F>
void contiguousBinary(const float* a, const float* b, float* y, int64_t n, F f) {
  parallelBlocks(n, kGrain, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + VecF::kLanes <= end; i += VecF::kLanes) f(VecF::load(a + i), VecF::load(b + i)).store(y + i);
    if (i < end) f(VecF::load(a + i, end - i), VecF::load(b + i, end - i)).store(y + i, end - i);
  });
}

// Strides of `arg` seen at the rank of y, 0 along broadcast dimensions.
Dims broadcastStrides(const TensorArg& arg, const Dims& y) {
  Dims strides = y;
  for (int i = 0; i < y.rank(); ++i) {
    const int j = i - y.rank() + arg.dims.rank();
    strides[i] = j < 0 || (arg.dims[j] == 1 && y[i] != 1) ? 0 : arg.strides[j];
  }
  return strides;
}

template <typename F>
void stridedBinary(const TensorArg& a, const TensorArg& b, const TensorArg& y, F f) {
  const Dims sa = broadcastStrides(a, y.dims), sb = broadcastStrides(b, y.dims);
  const int rank = y.dims.rank();
  const int64_t columns = rank ? y.dims.back() : 1, rows = columns ? y.count() / columns : 0;
  const int64_t stepA = rank ? sa.back() : 0, stepB = rank ? sb.back() : 0;
  parallelBlocks(rows, std::max<int64_t>(kGrain / std::max<int64_t>(columns, 1), 1), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *pa = a.f32(), *pb = b.f32();
      int64_t left = row;
      for (int d = rank - 2; d >= 0; --d) {
        const int64_t i = left % y.dims[d];
        left /= y.dims[d];
        pa += i * sa[d];
        pb += i * sb[d];
      }
      float* out = y.f32() + row * columns;
      for (int64_t c = 0; c < columns; c += VecF::kLanes) {
        const int64_t n = std::min<int64_t>(columns - c, VecF::kLanes);
        float la[VecF::kLanes], lb[VecF::kLanes];
        for (int64_t i = 0; i < n; ++i) la[i] = pa[(c + i) * stepA], lb[i] = pb[(c + i) * stepB];
        f(VecF::load(la, n), VecF::load(lb, n)).store(out + c, n);
      }
    }
  });
}

template <typename F>
void apply(const OpCall& call, F f) {
  const TensorArg &a = call.in("a"), &b = call.in("b"), &y = call.out("y");
  const Dims dense = y.dims.strides();
  if (a.dims == y.dims && b.dims == y.dims && a.strides == dense && b.strides == dense) {
    contiguousBinary(a.f32(), b.f32(), y.f32(), y.count(), f);
  } else {
    stridedBinary(a, b, y, f);
  }
}

}  // namespace

void binary(const OpCall& call) {
  switch (call.integer("op")) {
    case 0: return apply(call, [](VecF a, VecF b) { return a + b; });
    case 1: return apply(call, [](VecF a, VecF b) { return a - b; });
    case 2: return apply(call, [](VecF a, VecF b) { return a * b; });
    default: return apply(call, [](VecF a, VecF b) { return a / b; });
  }
}

}  // namespace duo::cpu::DUO_ISA
