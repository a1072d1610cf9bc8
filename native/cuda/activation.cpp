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

// Of eight elements, or of one.
int64_t groupsOf(int64_t count, bool eights) { return eights ? (count + 7) / 8 : count; }

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
  const Walk gates = walkOf(gate.dims, gate.strides), linears = walkOf(linear.dims, linear.strides);
  const bool eights = aligned({y.data}) && liesInEights(gates, gate.data, gate.dtype) &&
                      liesInEights(linears, linear.data, linear.dtype);
  launch.run(kernelName("gated", gate.dtype), {blocksFor(groupsOf(count, eights), kThreads)}, kThreads, 0, gate.data,
             linear.data, y.data, gates, linears, count, eights, actOf(launch.call));
}

void gatedBwd(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg &gate = call.in("gate"), &linear = call.in("linear"), &dY = call.in("dY");
  const int64_t count = dY.count();
  if (count == 0) return;
  const TensorArg &dGate = call.out("dGate"), &dLinear = call.out("dLinear");
  const Walk gates = walkOf(gate.dims, gate.strides), linears = walkOf(linear.dims, linear.strides),
             given = walkOf(dY.dims, dY.strides);
  const bool eights = aligned({dGate.data, dLinear.data}) && liesInEights(gates, gate.data, gate.dtype) &&
                      liesInEights(linears, linear.data, linear.dtype) && liesInEights(given, dY.data, dY.dtype);
  launch.run(kernelName("gatedBwd", gate.dtype), {blocksFor(groupsOf(count, eights), kThreads)}, kThreads, 0, gate.data,
             linear.data, dY.data, dGate.data, dLinear.data, gates, linears, given, count, eights, actOf(call));
}

}  // namespace launchers
}  // namespace duo::cuda
