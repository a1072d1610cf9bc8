#include "core/rng.h"
#include "formulas.h"
#include "harness.h"

namespace duo::selftest {
namespace {

const RandomSite kSite{5, 2, 9};
const Attrs kDropout = {{"dropoutP", 0.25}, {"seed", 5.}, {"site", 2.}, {"step", 9.}};

struct Sizes {
  int64_t m, n, k;

  std::string text() const { return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k); }
};

template <typename Real>
Values<Real> product(const Sizes& sizes, const Array& a, const Array& b) {
  Values<Real> y(size_t(sizes.m * sizes.n));
  for (int64_t i = 0; i < sizes.m; ++i) {
    for (int64_t j = 0; j < sizes.n; ++j) {
      for (int64_t p = 0; p < sizes.k; ++p)
        y[size_t(i * sizes.n + j)] += Real(a[i * sizes.k + p]) * Real(b[p * sizes.n + j]);
    }
  }
  return y;
}

// Every way in: plain, each operand transposed, packed, in 16 bits.
void checkProducts(Harness& harness, const Sizes& sizes) {
  const Array a = harness.random({sizes.m, sizes.k}), b = harness.random({sizes.k, sizes.n});
  const auto check = [&](const char* way, const Tensor& got, const Array& from) {
    harness.expect("gemm", sizes.text() + way, got, [&](auto zero) { return product<decltype(zero)>(sizes, a, from); });
  };
  check("", harness.run("gemm", {{"a", &a.tensor}, {"b", &b.tensor}})[0], b);

  // The same matrices, stored the other way round.
  Array at = harness.random({sizes.k, sizes.m}), bt = harness.random({sizes.n, sizes.k});
  const Tensor aView = Harness::transposed(at.tensor), bView = Harness::transposed(bt.tensor);
  Array aValues{aView, {}}, bValues{bView, {}};
  for (int64_t i = 0; i < sizes.m * sizes.k; ++i) aValues.values.push_back(at[i % sizes.k * sizes.m + i / sizes.k]);
  for (int64_t i = 0; i < sizes.k * sizes.n; ++i) bValues.values.push_back(bt[i % sizes.n * sizes.k + i / sizes.n]);
  harness.expect("gemm", sizes.text() + " transposed", harness.run("gemm", {{"a", &aView}, {"b", &bView}})[0],
                 [&](auto zero) { return product<decltype(zero)>(sizes, aValues, bValues); });

  const Tensor packed = harness.run("gemmPack", {{"b", &b.tensor}})[0];
  const Tensor y = harness.run("gemm", {{"a", &a.tensor}, {"packedB", &packed}}, {{"n", double(sizes.n)}})[0];
  harness.expect("gemmPack", sizes.text(), y, [&](auto zero) { return product<decltype(zero)>(sizes, a, b); });

  for (const char* dtype : {"bfloat16", "float16"}) {
    const Array narrow = harness.converted(b, dtype);
    const std::string way = std::string(" with b in ") + dtype;
    check(way.c_str(), harness.run("gemm", {{"a", &a.tensor}, {"b", &narrow.tensor}})[0], narrow);
  }
}

struct Epilogue {
  Sizes sizes;
  const char* act;
  Array a, b, c, bias, gate, residual, dy;

  double factor(int64_t i) const {
    const uint64_t element = dropoutRowStart(i / sizes.n, sizes.n) + uint64_t(i % sizes.n);
    return DropoutRule(0.25).factor(draws(kSite, element / 8)[element % 8]);
  }
  int64_t count() const { return sizes.m * sizes.n; }

  template <typename Real>
  Values<Real> z() const {
    Values<Real> result = product<Real>(sizes, a, b);
    for (int64_t i = 0; i < count(); ++i) {
      Real& value = result[size_t(i)];
      value = Real(0.5) * value + Real(-2) * Real(c[i]) + Real(bias[i % sizes.n]);
    }
    return result;
  }

  // of(z, i) for every element
  template <typename Of>
  auto formula(Of of) const {
    return [this, of](auto zero) {
      auto result = z<decltype(zero)>();
      for (int64_t i = 0; i < count(); ++i) result[size_t(i)] = of(result[size_t(i)], i);
      return result;
    };
  }
};

void checkEpilogue(Harness& harness, const Sizes& sizes, const char* act) {
  const auto matrix = [&] { return harness.random({sizes.m, sizes.n}); };
  const Epilogue e{sizes,
                   act,
                   harness.random({sizes.m, sizes.k}),
                   harness.random({sizes.k, sizes.n}),
                   matrix(),
                   harness.random({sizes.n}),
                   matrix(),
                   matrix(),
                   matrix()};
  Attrs forward = kDropout, backward = kDropout;
  forward.insert({{"act", act}, {"alpha", 0.5}, {"beta", -2.}, {"saveZ", 1.}});
  backward.insert({{"act", act}, {"biasGrad", 1.}});
  const auto results = harness.run("gemm",
                                   {{"a", &e.a.tensor},
                                    {"b", &e.b.tensor},
                                    {"c", &e.c.tensor},
                                    {"bias", &e.bias.tensor},
                                    {"gate", &e.gate.tensor},
                                    {"residual", &e.residual.tensor}},
                                   forward);
  const std::string what = sizes.text() + " " + act + " ";
  harness.expect("gemm", what + "y", results[0], e.formula([&](auto z, int64_t i) {
    using Real = decltype(z);
    return function(act, z) * Real(e.gate[i]) * Real(e.factor(i)) + Real(e.residual[i]);
  }));
  harness.expect("gemm", what + "z", results[1], e.formula([](auto z, int64_t) { return z; }));

  const auto gradients =
      harness.run("gemmEpilogueBwd", {{"dy", &e.dy.tensor}, {"z", &results[1]}, {"gate", &e.gate.tensor}}, backward);
  const auto dz = e.formula([&](auto z, int64_t i) {
    using Real = decltype(z);
    return Real(e.dy[i]) * Real(e.factor(i)) * Real(e.gate[i]) * derivative(act, z);
  });
  harness.expect("gemmEpilogueBwd", what + "dz", gradients[0], dz);
  harness.expect("gemmEpilogueBwd", what + "dGate", gradients[1], e.formula([&](auto z, int64_t i) {
    using Real = decltype(z);
    return Real(e.dy[i]) * Real(e.factor(i)) * function(act, z);
  }));
  harness.expect("gemmEpilogueBwd", what + "dBias", gradients[2], [&](auto zero) {
    const auto all = dz(zero);
    Values<decltype(zero)> sums(size_t(sizes.n));
    for (size_t i = 0; i < all.size(); ++i) sums[i % size_t(sizes.n)] += all[i];
    return sums;
  });
}

}  // namespace

void checkGemm(Harness& harness) {
  // One element; a row, as decoding has it; less than a tile; beyond one tile each way.
  for (const Sizes& sizes : {Sizes{1, 1, 1}, {1, 300, 64}, {7, 33, 19}, {65, 129, 257}}) checkProducts(harness, sizes);
  for (const char* act : {"none", "relu", "geluErf", "geluTanh", "silu"}) {
    checkEpilogue(harness, {1, 50, 16}, act);
    checkEpilogue(harness, {37, 75, 29}, act);
  }
}

}  // namespace duo::selftest
