// Element-wise kernels, memory-bound all of them.
//   binary: y = a <op> b over the broadcast shape; reads 8 bytes, writes 4 an element
//   affine: y = scale · x + shift; reads 4 bytes, writes 4
//   fill: x = value · accumulate: x += y · scale: x *= factor · cast: y = x in another dtype
#include <cmath>

#include "core/half.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/strided.h"
#include "cpu/vec.h"
#include "ops/registry.h"

namespace duo::cpu::DUO_ISA {
namespace {

// Elements a thread takes at a time: 128 KiB of each operand, far above the cost of handing out work.
constexpr int64_t kGrain = 32768;

template <typename F>
void contiguousBinary(const float* a, const float* b, float* y, int64_t n, F f) {
  parallelBlocks(n, kGrain, [&](int64_t begin, int64_t end) {
    forLanes(end - begin, [&](int64_t i, auto lanes) {
      store(f(load(a + begin + i, lanes), load(b + begin + i, lanes)), y + begin + i, lanes);
    });
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

// A register of elements that lie `step` apart; 0 repeats one, as broadcasting has it.
VecF loadStrided(const float* p, int64_t step, int64_t n) {
  if (step == 1) return VecF::load(p, n);
  if (step == 0) return VecF::fill(*p);
  float strided[VecF::kLanes];
  for (int64_t i = 0; i < n; ++i) strided[i] = p[i * step];
  return VecF::load(strided, n);
}
VecF loadStrided(const float* p, int64_t step, AllLanes) {
  return step == 1 ? VecF::load(p) : loadStrided(p, step, VecF::kLanes);
}

template <typename F>
void stridedBinary(const TensorArg& a, const TensorArg& b, const TensorArg& y, F f) {
  const Dims sa = broadcastStrides(a, y.dims), sb = broadcastStrides(b, y.dims);
  const Rows shape = rowsOf(y.dims);
  const int64_t stepA = sa.rank() ? sa.back() : 0, stepB = sb.rank() ? sb.back() : 0;
  parallelRows(shape, kGrain, [&](int64_t row) {
    const float* pa = a.f32() + rowOffset(y.dims, sa, row);
    const float* pb = b.f32() + rowOffset(y.dims, sb, row);
    float* out = y.f32() + row * shape.columns;
    forLanes(shape.columns, [&](int64_t c, auto lanes) {
      store(f(loadStrided(pa + c * stepA, stepA, lanes), loadStrided(pb + c * stepB, stepB, lanes)), out + c, lanes);
    });
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

template <typename T>
void fillAs(const TensorArg& x, T value) {
  const int64_t step = columnStride(x);
  parallelRows(rowsOf(x.dims), kGrain, [&, shape = rowsOf(x.dims)](int64_t row) {
    T* p = x.as<T>() + rowOffset(x.dims, x.strides, row);
    for (int64_t c = 0; c < shape.columns; ++c) p[c * step] = value;
  });
}

// Truncates like C, but saturates instead of being undefined; NaN becomes 0.
template <typename T>
T toInteger(float x) {
  constexpr double kMin = std::numeric_limits<T>::min(), kMax = std::numeric_limits<T>::max();
  return std::isnan(x) ? T(0) : T(std::clamp(double(x), kMin, kMax));
}

template <typename From, typename To, typename Convert>
void castAs(const TensorArg& x, const TensorArg& y, Convert convert) {
  const int64_t step = columnStride(x);
  parallelRows(rowsOf(x.dims), kGrain, [&, shape = rowsOf(x.dims)](int64_t row) {
    const From* from = x.as<const From>() + rowOffset(x.dims, x.strides, row);
    To* to = y.as<To>() + row * shape.columns;
    for (int64_t c = 0; c < shape.columns; ++c) to[c] = convert(from[c * step]);
  });
}

// The same dtype: a dense copy, exact for every value.
void copyBits(const TensorArg& x, const TensorArg& y) {
  const auto same = [](auto v) { return v; };
  switch (sizeOf(x.dtype)) {
    case 4: return castAs<uint32_t, uint32_t>(x, y, same);
    case 2: return castAs<uint16_t, uint16_t>(x, y, same);
    default: return castAs<uint8_t, uint8_t>(x, y, same);
  }
}

template <typename From, typename Widen>
void castFrom(const TensorArg& x, const TensorArg& y, Widen widen) {
  switch (y.dtype) {
    case DType::kFloat32: return castAs<From, float>(x, y, [&](From v) { return float(widen(v)); });
    case DType::kFloat16:
      return castAs<From, uint16_t>(x, y, [&](From v) { return float16FromFloat(float(widen(v))); });
    case DType::kBFloat16:
      return castAs<From, uint16_t>(x, y, [&](From v) { return bfloat16FromFloat(float(widen(v))); });
    case DType::kInt32: return castAs<From, int32_t>(x, y, [&](From v) { return toInteger<int32_t>(float(widen(v))); });
    case DType::kUint8: return castAs<From, uint8_t>(x, y, [&](From v) { return toInteger<uint8_t>(float(widen(v))); });
    case DType::kInt8: return castAs<From, int8_t>(x, y, [&](From v) { return toInteger<int8_t>(float(widen(v))); });
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

void affine(const OpCall& call) {
  const float *x = call.in("x").f32(), scale = call.f32("scale"), shift = call.f32("shift");
  float* y = call.out("y").f32();
  parallelBlocks(call.in("x").count(), kGrain, [&](int64_t begin, int64_t end) {
    const VecF a = VecF::fill(scale), b = VecF::fill(shift);
    forLanes(end - begin,
             [&](int64_t i, auto lanes) { store(load(x + begin + i, lanes) * a + b, y + begin + i, lanes); });
  });
}

void fill(const OpCall& call) {
  const TensorArg& x = call.in("x");
  const double value = call.number("value");
  switch (x.dtype) {
    case DType::kFloat32: return fillAs<float>(x, float(value));
    case DType::kFloat16: return fillAs<uint16_t>(x, float16FromFloat(float(value)));
    case DType::kBFloat16: return fillAs<uint16_t>(x, bfloat16FromFloat(float(value)));
    case DType::kInt32: return fillAs<int32_t>(x, int32_t(value));
    case DType::kUint8: return fillAs<uint8_t>(x, uint8_t(value));
    case DType::kInt8: return fillAs<int8_t>(x, int8_t(value));
  }
}

void accumulate(const OpCall& call) {
  const TensorArg &x = call.in("x"), &y = call.in("y");
  const int64_t stepX = columnStride(x), stepY = columnStride(y);
  parallelRows(rowsOf(x.dims), kGrain, [&, shape = rowsOf(x.dims)](int64_t row) {
    float* px = x.f32() + rowOffset(x.dims, x.strides, row);
    const float* py = y.f32() + rowOffset(y.dims, y.strides, row);
    int64_t c = 0;
    if (stepX == 1 && stepY == 1) {
      for (; c + VecF::kLanes <= shape.columns; c += VecF::kLanes)
        (VecF::load(px + c) + VecF::load(py + c)).store(px + c);
    }
    for (; c < shape.columns; ++c) px[c * stepX] += py[c * stepY];
  });
}

void scale(const OpCall& call) {
  const TensorArg& x = call.in("x");
  const float factor = *call.in("factor").f32();
  if (factor == 1.f) return;
  const int64_t step = columnStride(x);
  parallelRows(rowsOf(x.dims), kGrain, [&, shape = rowsOf(x.dims)](int64_t row) {
    float* p = x.f32() + rowOffset(x.dims, x.strides, row);
    int64_t c = 0;
    if (step == 1) {
      for (; c + VecF::kLanes <= shape.columns; c += VecF::kLanes)
        (VecF::load(p + c) * VecF::fill(factor)).store(p + c);
    }
    for (; c < shape.columns; ++c) p[c * step] *= factor;
  });
}

void cast(const OpCall& call) {
  const TensorArg &x = call.in("x"), &y = call.out("y");
  const auto same = [](auto v) { return v; };
  if (x.dtype == y.dtype) return copyBits(x, y);
  switch (x.dtype) {
    case DType::kFloat32: return castFrom<float>(x, y, same);
    case DType::kFloat16: return castFrom<uint16_t>(x, y, floatFromFloat16);
    case DType::kBFloat16: return castFrom<uint16_t>(x, y, floatFromBFloat16);
    case DType::kInt32: return castFrom<int32_t>(x, y, same);
    case DType::kUint8: return castFrom<uint8_t>(x, y, same);
    case DType::kInt8: return castFrom<int8_t>(x, y, same);
  }
}

}  // namespace duo::cpu::DUO_ISA
