// Element-wise functions of one variable and gated products; elements are shared out in blocks.
//   unary: y = f(x); 4 bytes read, 4 written an element       unaryBwd: dX = dY · f'; 8 read, 4 written
//   gated: y = act(gate) · linear; 8 read, 4 written
//   gatedBwd: dGate = dY · linear · act'(gate), dLinear = dY · act(gate); 12 read, 8 written
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/strided.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 8192;  // elements for each thread: some of the functions take 20 cycles for eight

enum class Unary { kNeg, kAbs, kSquare, kSqrt, kRsqrt, kExp, kLog, kTanh, kSigmoid, kRelu, kGeluErf, kGeluTanh, kSilu };
enum class Gate { kRelu, kGeluErf, kGeluTanh, kSilu };

VecF constant(float x) { return VecF::fill(x); }

// Φ(x) + x·φ(x) and the like come from vec_math.h; sigmoid(x)(1 + x(1 − sigmoid(x))) is silu's derivative.
VecF silu(VecF x) { return x * sigmoid(x); }
VecF siluGrad(VecF x) {
  const VecF s = sigmoid(x), one = constant(1);
  // From −88 on s is 0 and stays so; bounded there, x·s cannot be inf · 0.
  const VecF bounded = max(constant(-88), x);
  return s * fma(bounded, one - s, one);
}

VecF relu(VecF x) { return max(VecF::zero(), x); }
// NaN stays NaN; at 0 the derivative is 0.
VecF reluGrad(VecF x) { return select(x > VecF::zero(), constant(1), select(isNaN(x), x, VecF::zero())); }
VecF signOf(VecF x) { return select(x > VecF::zero(), constant(1), select(x < VecF::zero(), constant(-1), x)); }

template <typename F>
void map(const OpCall& call, F f) {
  const float* x = call.in("x").f32();
  float* y = call.out("y").f32();
  parallelBlocks(call.in("x").count(), kGrain, [&](int64_t begin, int64_t end) {
    forLanes(end - begin, [&](int64_t i, auto lanes) { store(f(load(x + begin + i, lanes)), y + begin + i, lanes); });
  });
}

// f(at, dY) is the gradient
template <typename F>
void mapGrad(const OpCall& call, F f) {
  const float *at = call.in("at").f32(), *dy = call.in("dY").f32();
  float* dx = call.out("dX").f32();
  parallelBlocks(call.in("at").count(), kGrain, [&](int64_t begin, int64_t end) {
    forLanes(end - begin, [&](int64_t i, auto lanes) {
      store(f(load(at + begin + i, lanes), load(dy + begin + i, lanes)), dx + begin + i, lanes);
    });
  });
}

template <typename F>
void mapGated(const OpCall& call, F act) {
  const TensorArg &gate = call.in("gate"), &linear = call.in("linear"), &y = call.out("y");
  const RowsAt<const float> gates(gate), linears(linear);
  parallelRows(rowsOf(y.dims), kGrain, [&, shape = rowsOf(y.dims)](int64_t row) {
    const float *g = gates[row], *l = linears[row];
    float* out = y.f32() + row * shape.columns;
    forLanes(shape.columns,
             [&](int64_t i, auto lanes) { store(act(load(g + i, lanes)) * load(l + i, lanes), out + i, lanes); });
  });
}

template <typename F, typename Grad>
void mapGatedGrad(const OpCall& call, F act, Grad grad) {
  const TensorArg &dGate = call.out("dGate"), &dLinear = call.out("dLinear");
  const RowsAt<const float> gates(call.in("gate")), linears(call.in("linear")), dys(call.in("dY"));
  parallelRows(rowsOf(dGate.dims), kGrain, [&, shape = rowsOf(dGate.dims)](int64_t row) {
    const float *g = gates[row], *l = linears[row], *dy = dys[row];
    float *dg = dGate.f32() + row * shape.columns, *dl = dLinear.f32() + row * shape.columns;
    forLanes(shape.columns, [&](int64_t i, auto lanes) {
      const VecF x = load(g + i, lanes), d = load(dy + i, lanes);
      store(d * load(l + i, lanes) * grad(x), dg + i, lanes);
      store(d * act(x), dl + i, lanes);
    });
  });
}

}  // namespace

void unary(const OpCall& call) {
  switch (Unary(call.integer("kind"))) {
    case Unary::kNeg: return map(call, [](VecF x) { return x * constant(-1); });
    case Unary::kAbs: return map(call, [](VecF x) { return abs(x); });
    case Unary::kSquare: return map(call, [](VecF x) { return x * x; });
    case Unary::kSqrt: return map(call, [](VecF x) { return sqrt(x); });
    case Unary::kRsqrt: return map(call, [](VecF x) { return constant(1) / sqrt(x); });
    case Unary::kExp: return map(call, [](VecF x) { return exp(x); });
    case Unary::kLog: return map(call, [](VecF x) { return log(x); });
    case Unary::kTanh: return map(call, [](VecF x) { return tanh(x); });
    case Unary::kSigmoid: return map(call, [](VecF x) { return sigmoid(x); });
    case Unary::kRelu: return map(call, relu);
    case Unary::kGeluErf: return map(call, [](VecF x) { return geluErf(x); });
    case Unary::kGeluTanh: return map(call, [](VecF x) { return geluTanh(x); });
    case Unary::kSilu: return map(call, silu);
  }
}

void unaryBwd(const OpCall& call) {
  const auto ofX = [&](auto derivative) { mapGrad(call, [&](VecF x, VecF d) { return d * derivative(x); }); };
  switch (Unary(call.integer("kind"))) {
    case Unary::kNeg: return ofX([](VecF) { return constant(-1); });
    case Unary::kAbs: return ofX(signOf);
    case Unary::kSquare: return ofX([](VecF x) { return x + x; });
    case Unary::kSqrt: return mapGrad(call, [](VecF y, VecF d) { return d / (y + y); });
    case Unary::kRsqrt: return ofX([](VecF y) { return y * y * y * constant(-0.5f); });
    case Unary::kExp: return ofX([](VecF y) { return y; });
    case Unary::kLog: return mapGrad(call, [](VecF x, VecF d) { return d / x; });
    // (1 − y)(1 + y) loses nothing near ±1, where 1 − y² would.
    case Unary::kTanh: return ofX([](VecF y) { return (constant(1) - y) * (constant(1) + y); });
    case Unary::kSigmoid: return ofX([](VecF y) { return y * (constant(1) - y); });
    case Unary::kRelu: return ofX(reluGrad);
    case Unary::kGeluErf: return ofX([](VecF x) { return geluErfGrad(x); });
    case Unary::kGeluTanh: return ofX([](VecF x) { return geluTanhGrad(x); });
    case Unary::kSilu: return ofX(siluGrad);
  }
}

void gated(const OpCall& call) {
  switch (Gate(call.integer("kind"))) {
    case Gate::kRelu: return mapGated(call, relu);
    case Gate::kGeluErf: return mapGated(call, [](VecF x) { return geluErf(x); });
    case Gate::kGeluTanh: return mapGated(call, [](VecF x) { return geluTanh(x); });
    case Gate::kSilu: return mapGated(call, silu);
  }
}

void gatedBwd(const OpCall& call) {
  switch (Gate(call.integer("kind"))) {
    case Gate::kRelu: return mapGatedGrad(call, relu, reluGrad);
    case Gate::kGeluErf:
      return mapGatedGrad(
          call, [](VecF x) { return geluErf(x); }, [](VecF x) { return geluErfGrad(x); });
    case Gate::kGeluTanh:
      return mapGatedGrad(
          call, [](VecF x) { return geluTanh(x); }, [](VecF x) { return geluTanhGrad(x); });
    case Gate::kSilu: return mapGatedGrad(call, silu, siluGrad);
  }
}

}  // namespace duo::cpu::DUO_ISA
