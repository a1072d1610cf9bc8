#include "core/rng.h"
#include "formulas.h"
#include "harness.h"

namespace duo::selftest {
namespace {

// Longer than two registers of any instruction set, with a tail.
constexpr int64_t kCount = 131;

void checkBinary(Harness& harness) {
  constexpr int64_t rows = 3, columns = 37;
  const Array a = harness.random({rows, columns}), b = harness.random({columns}, 1, 2);
  const auto check = [&](const char* op, auto combine) {
    harness.expect("binary", op, harness.run("binary", {{"a", &a.tensor}, {"b", &b.tensor}}, {{"op", op}})[0],
                   [&](auto zero) {
                     using Real = decltype(zero);
                     Values<Real> y;
                     for (int64_t i = 0; i < rows * columns; ++i)
                       y.push_back(combine(Real(a[i]), Real(b[i % columns])));
                     return y;
                   });
  };
  check("add", [](auto x, auto y) { return x + y; });
  check("sub", [](auto x, auto y) { return x - y; });
  check("mul", [](auto x, auto y) { return x * y; });
  check("div", [](auto x, auto y) { return x / y; });
}

void checkUnary(Harness& harness, const char* kind, const Array& x, bool backwardReadsResult) {
  const Array dY = harness.random({kCount});
  const Tensor y = harness.run("unary", {{"x", &x.tensor}}, {{"kind", kind}})[0];
  harness.expect("unary", kind, y, [&](auto zero) {
    using Real = decltype(zero);
    Values<Real> result;
    for (const float value : x.values) result.push_back(function(kind, Real(value)));
    return result;
  });
  const Tensor& at = backwardReadsResult ? y : x.tensor;
  harness.expect("unaryBwd", kind, harness.run("unaryBwd", {{"at", &at}, {"dY", &dY.tensor}}, {{"kind", kind}})[0],
                 [&](auto zero) {
                   using Real = decltype(zero);
                   Values<Real> result;
                   for (int64_t i = 0; i < kCount; ++i) result.push_back(dY[i] * derivative(kind, Real(x[i])));
                   return result;
                 });
}

void checkGated(Harness& harness, const char* kind) {
  const Array gate = harness.random({kCount}, 4), linear = harness.random({kCount}), dY = harness.random({kCount});
  const Attrs attrs = {{"kind", kind}};
  const auto product = [&](const Array& factor, auto of) {
    return [&, of](auto zero) {
      using Real = decltype(zero);
      Values<Real> result;
      for (int64_t i = 0; i < kCount; ++i) result.push_back(Real(factor[i]) * of(Real(gate[i]), i));
      return result;
    };
  };
  const auto activated = [&](auto x, int64_t) { return function(kind, x); };
  const Inputs inputs = {{"gate", &gate.tensor}, {"linear", &linear.tensor}};
  harness.expect("gated", kind, harness.run("gated", inputs, attrs)[0], product(linear, activated));
  Inputs backward = inputs;
  backward["dY"] = &dY.tensor;
  const auto gradients = harness.run("gatedBwd", backward, attrs);
  harness.expect("gatedBwd", std::string(kind) + " dGate", gradients[0],
                 product(dY, [&](auto x, int64_t i) { return linear[i] * derivative(kind, x); }));
  harness.expect("gatedBwd", std::string(kind) + " dLinear", gradients[1], product(dY, activated));
}

// Through a 16-bit type and back: exact, so that any other rounding shows.
void checkCast(Harness& harness, const char* dtype, double mantissaBits, double smallestNormal) {
  const Array x = harness.random({kCount}, 3);
  const Array there = harness.converted(x, dtype);
  const Tensor back = harness.run("cast", {{"x", &there.tensor}}, {{"dtype", "float32"}})[0];
  harness.expect("cast", dtype, back, [&](auto zero) {
    using Real = decltype(zero);
    Values<Real> result;
    for (const float value : x.values) {
      const double unit =
          std::exp2(std::fmax(std::floor(std::log2(std::fabs(value))), std::log2(smallestNormal)) - mantissaBits);
      result.push_back(Real(std::nearbyint(value / unit) * unit));
    }
    return result;
  });
}

void checkReduce(Harness& harness) {
  constexpr int64_t rows = 5, columns = 257;
  const Array x = harness.random({rows, columns});
  harness.expect("reduce", "sum of rows", harness.run("reduce", {{"x", &x.tensor}}, {{"kind", "sum"}, {"axes", 2.}})[0],
                 [&](auto zero) {
                   Values<decltype(zero)> y(rows);
                   for (int64_t i = 0; i < rows * columns; ++i) y[size_t(i / columns)] += x[i];
                   return y;
                 });
  harness.expect("reduce", "maximum of columns",
                 harness.run("reduce", {{"x", &x.tensor}}, {{"kind", "max"}, {"axes", 1.}})[0], [&](auto zero) {
                   using Real = decltype(zero);
                   Values<Real> y(size_t(columns), Real(-2));
                   for (int64_t i = 0; i < rows * columns; ++i)
                     y[size_t(i % columns)] = std::fmax(y[size_t(i % columns)], Real(x[i]));
                   return y;
                 });
}

void checkDropout(Harness& harness) {
  constexpr int64_t rows = 3, columns = 131;
  const Array x = harness.random({rows, columns});
  const RandomSite at{7, 3, 11};
  const DropoutRule rule(0.3);
  const Tensor y =
      harness.run("dropout", {{"x", &x.tensor}}, {{"dropoutP", 0.3}, {"seed", 7.}, {"site", 3.}, {"step", 11.}})[0];
  harness.expect("dropout", "p = 0.3", y, [&](auto zero) {
    using Real = decltype(zero);
    Values<Real> result;
    for (int64_t i = 0; i < rows * columns; ++i) {
      const uint64_t element = dropoutRowStart(i / columns, columns) + uint64_t(i % columns);
      result.push_back(Real(x[i]) * Real(rule.factor(draws(at, element / 8)[element % 8])));
    }
    return result;
  });
}

}  // namespace

void checkElementwise(Harness& harness) {
  checkBinary(harness);
  const Array any = harness.random({kCount}, 6), positive = harness.random({kCount}, 4, 4.5f);
  for (const char* kind : {"neg", "abs", "square", "relu", "geluErf", "geluTanh", "silu"})
    checkUnary(harness, kind, any, false);
  for (const char* kind : {"exp", "tanh", "sigmoid"}) checkUnary(harness, kind, any, true);
  for (const char* kind : {"sqrt", "rsqrt"}) checkUnary(harness, kind, positive, true);
  checkUnary(harness, "log", positive, false);
  for (const char* kind : {"relu", "geluErf", "geluTanh", "silu"}) checkGated(harness, kind);
  checkCast(harness, "float16", 10, 0x1p-14);
  checkCast(harness, "bfloat16", 7, 0x1p-126);
  checkReduce(harness);
  checkDropout(harness);
}

}  // namespace duo::selftest
