// Launchers of functions of one variable and of gated products.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/walk.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;

bool aligned(std::initializer_list<const void*> operands) {
  for (const void* data : operands) {
    if (reinterpret_cast<uintptr_t>(data) % 16 != 0) return false;
  }
  return true;
}

unsigned blocksOf(const TensorArg& x) {
  const int64_t each = 16 / int64_t(sizeOf(x.dtype));
  return blocksFor((x.count() + each - 1) / each, kThreads);
}

// Gates count from relu, activations from none.
int32_t actOf(const OpCall& call) { return int32_t(call.integer("kind")) + 1; }

}  // namespace

namespace launchers {

void unary(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &y = launch.call.out("y");
  if (x.count() == 0) return;
  launch.run(kernelName("unary", x.dtype), {blocksOf(x)}, kThreads, 0, x.data, y.data, x.count(),
             aligned({x.data, y.data}), int(launch.call.integer("kind")));
}

void unaryBwd(Launch& launch) {
  const TensorArg &at = launch.call.in("at"), &dY = launch.call.in("dY"), &dX = launch.call.out("dX");
  if (at.count() == 0) return;
  launch.run(kernelName("unaryBwd", at.dtype), {blocksOf(at)}, kThreads, 0, at.data, dY.data, dX.data, at.count(),
             aligned({at.data, dY.data, dX.data}), int(launch.call.integer("kind")));
}

void gated(Launch& launch) {
  const TensorArg &gate = launch.call.in("gate"), &linear = launch.call.in("linear"), &y = launch.call.out("y");
  const int64_t count = y.count();
  if (count == 0) return;
  launch.run(kernelName("gated", gate.dtype), {blocksFor(count, kThreads)}, kThreads, 0, gate.data, linear.data, y.data,
             walkOf(gate.dims, gate.strides), walkOf(linear.dims, linear.strides), count, actOf(launch.call));
}

void gatedBwd(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg &gate = call.in("gate"), &linear = call.in("linear"), &dY = call.in("dY");
  const int64_t count = dY.count();
  if (count == 0) return;
  launch.run(kernelName("gatedBwd", gate.dtype), {blocksFor(count, kThreads)}, kThreads, 0, gate.data, linear.data,
             dY.data, call.out("dGate").data, call.out("dLinear").data, walkOf(gate.dims, gate.strides),
             walkOf(linear.dims, linear.strides), walkOf(dY.dims, dY.strides), count, actOf(call));
}

}  // namespace launchers
}  // namespace duo::cuda
