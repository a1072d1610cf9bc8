// Launchers of the element-wise family.
#include <bit>

#include "core/half.h"
#include "cuda/convert.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/tuning.h"
#include "cuda/walk.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;

int64_t vectors(int64_t count, DType dtype) {
  const int64_t each = 16 / int64_t(sizeOf(dtype));
  return (count + each - 1) / each;
}

bool aligned(const void* data, uintptr_t bytes = 16) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

uint32_t bitsOf(DType dtype, double value) {
  switch (dtype) {
    case DType::kFloat32: return std::bit_cast<uint32_t>(float(value));
    case DType::kFloat16: return float16FromFloat(float(value));
    case DType::kBFloat16: return bfloat16FromFloat(float(value));
    case DType::kInt32: return uint32_t(int32_t(value));
    case DType::kUint8: return uint8_t(value);
    case DType::kInt8: return uint8_t(int8_t(value));
  }
  return 0;
}

std::string sized(const char* name, DType dtype) { return std::string(name) + "_" + std::to_string(sizeOf(dtype)); }

}  // namespace

void convert(Launch& launch, const TensorArg& from, void* to, DType type) {
  const int64_t count = from.count();
  if (count == 0) return;
  const Walk walk = walkOf(from.dims, from.strides);
  if (from.dtype == type && isDense(walk)) return launch.copy(to, from.data, size_t(count) * sizeOf(type));
  const std::string kernel =
      from.dtype == type ? sized("copy", type) : kernelName(kernelName("cast", from.dtype).c_str(), type);
  const bool eights = liesInEights(walk, from.data, from.dtype) && aligned(to, 8 * sizeOf(type) < 16 ? 8 : 16);
  launch.run(kernel, {blocksFor(eights ? ceilDivide(count, 8) : count, kThreads)}, kThreads, 0, from.data, to, walk,
             count, eights);
}

namespace launchers {

void binary(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg &a = call.in("a"), &b = call.in("b"), &y = call.out("y");
  const int64_t count = y.count();
  if (count == 0) return;
  const int op = int(call.integer("op"));
  const Dims stridesA = broadcastStrides(a.dims, a.strides, y.dims),
             stridesB = broadcastStrides(b.dims, b.strides, y.dims);
  Walk walkA, walkB;
  const Dims* const strides[] = {&stridesA, &stridesB};
  Walk* const walks[] = {&walkA, &walkB};
  makeWalks(y.dims, strides, walks);
  if (isDense(walkA) && isDense(walkB) && aligned(a.data) && aligned(b.data)) {
    launch.run(kernelName("binaryDense", y.dtype), {blocksFor(vectors(count, y.dtype), kThreads)}, kThreads, 0, a.data,
               b.data, y.data, count, op);
  } else {
    launch.run(kernelName("binaryStrided", y.dtype), {blocksFor(count, kThreads)}, kThreads, 0, a.data, b.data, y.data,
               walkA, walkB, count, op);
  }
}

void affine(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &y = launch.call.out("y");
  const int64_t count = x.count();
  if (count == 0) return;
  // A view may begin anywhere.
  TensorArg from = x;
  if (!aligned(x.data)) {
    convert(launch, x, y.data, x.dtype);
    from.data = y.data;
  }
  launch.run(kernelName("affine", x.dtype), {blocksFor(vectors(count, x.dtype), kThreads)}, kThreads, 0, from.data,
             y.data, count, launch.call.f32("scale"), launch.call.f32("shift"));
}

void fill(Launch& launch) {
  const TensorArg& x = launch.call.in("x");
  const int64_t count = x.count();
  if (count == 0) return;
  launch.run(sized("fill", x.dtype), {blocksFor(count, kThreads)}, kThreads, 0, x.data, walkOf(x.dims, x.strides),
             count, bitsOf(x.dtype, launch.call.number("value")));
}

void accumulate(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &y = launch.call.in("y");
  const int64_t count = x.count();
  if (count == 0) return;
  Walk walkX, walkY;
  const Dims* const strides[] = {&x.strides, &y.strides};
  Walk* const walks[] = {&walkX, &walkY};
  makeWalks(x.dims, strides, walks);
  if (isDense(walkX) && isDense(walkY) && aligned(x.data) && aligned(y.data, 4 * sizeOf(y.dtype))) {
    launch.run(kernelName("accumulateDense", y.dtype), {blocksFor((count + 3) / 4, kThreads)}, kThreads, 0, x.data,
               y.data, count);
  } else {
    launch.run(kernelName("accumulate", y.dtype), {blocksFor(count, kThreads)}, kThreads, 0, x.data, y.data, walkX,
               walkY, count);
  }
}

void scale(Launch& launch) {
  const TensorArg& x = launch.call.in("x");
  const int64_t count = x.count();
  if (count == 0) return;
  launch.run("scale_f32", {blocksFor(count, kThreads)}, kThreads, 0, x.data, walkOf(x.dims, x.strides), count,
             launch.call.in("factor").data);
}

void cast(Launch& launch) {
  const TensorArg& y = launch.call.out("y");
  convert(launch, launch.call.in("x"), y.data, y.dtype);
}

}  // namespace launchers
}  // namespace duo::cuda
