// Ops over rows: the norms with what is fused into them, and softmax.
#include "core/rng.h"
#include "harness.h"

namespace duo::selftest {
namespace {

constexpr int64_t kRows = 5, kColumns = 77;
constexpr double kEps = 1e-6;
const RandomSite kSite{4, 1, 6};
const Attrs kDropout = {{"dropoutP", 0.2}, {"seed", 4.}, {"site", 1.}, {"step", 6.}};

double dropoutFactor(int64_t i) {
  const uint64_t element = dropoutRowStart(i / kColumns, kColumns) + uint64_t(i % kColumns);
  return DropoutRule(0.2).factor(draws(kSite, element / 8)[element % 8]);
}

// h = residual + dropout(x); y = weight · (h − mean) · rstd + bias, where RMSNorm has neither mean nor bias.
struct Norm {
  bool centered;
  Array x, residual, weight, bias, dY, dHOut;

  template <typename Real>
  struct Row {
    Values<Real> h, xHat;
    Real mean = 0, rstd = 0;
  };

  template <typename Real>
  Row<Real> row(int64_t r) const {
    Row<Real> result;
    for (int64_t i = r * kColumns; i < (r + 1) * kColumns; ++i)
      result.h.push_back(Real(residual[i]) + Real(x[i]) * Real(dropoutFactor(i)));
    Real squares = 0;
    for (const Real h : result.h) result.mean += centered ? h / kColumns : 0;
    for (const Real h : result.h) squares += (h - result.mean) * (h - result.mean);
    result.rstd = 1 / std::sqrt(squares / kColumns + Real(kEps));
    for (const Real h : result.h) result.xHat.push_back((h - result.mean) * result.rstd);
    return result;
  }

  // of(row, column) for every element
  template <typename Of>
  auto formula(Of of) const {
    return [this, of](auto zero) {
      using Real = decltype(zero);
      Values<Real> result;
      for (int64_t r = 0; r < kRows; ++r) {
        const auto values = row<Real>(r);
        for (int64_t c = 0; c < kColumns; ++c) result.push_back(of(values, r, c));
      }
      return result;
    };
  }

  // dH = dHOut + rstd · (g − mean(g) − x̂ · mean(g · x̂)), g = weight · dY; mean(g) for the centered form alone
  template <typename Real>
  Values<Real> dH() const {
    Values<Real> result;
    for (int64_t r = 0; r < kRows; ++r) {
      const auto values = row<Real>(r);
      const auto g = [&](int64_t c) { return Real(weight[c]) * Real(dY[r * kColumns + c]); };
      Real shift = 0, along = 0;
      for (int64_t c = 0; c < kColumns; ++c) {
        shift += centered ? g(c) / kColumns : 0;
        along += g(c) * values.xHat[size_t(c)] / kColumns;
      }
      for (int64_t c = 0; c < kColumns; ++c)
        result.push_back(Real(dHOut[r * kColumns + c]) + values.rstd * (g(c) - shift - values.xHat[size_t(c)] * along));
    }
    return result;
  }
};

// of(i) of every element, summed over the rows
template <typename All>
auto columnSums(All all) {
  return [all](auto zero) {
    const auto values = all(zero);
    Values<decltype(zero)> sums(size_t{kColumns});
    for (size_t i = 0; i < values.size(); ++i) sums[i % kColumns] += values[i];
    return sums;
  };
}

void checkNormBwd(Harness& harness, const std::string& op, const Norm& norm, const std::vector<Tensor>& forward) {
  Inputs inputs = {{"h", &forward[1]},
                   {"weight", &norm.weight.tensor},
                   {"rstd", &forward.back()},
                   {"dY", &norm.dY.tensor},
                   {"dHOut", &norm.dHOut.tensor}};
  if (norm.centered) inputs["mean"] = &forward[2];
  const auto gradients = harness.run(op, inputs, kDropout);
  harness.expect(op, "dH", gradients[0], [&](auto zero) { return norm.dH<decltype(zero)>(); });
  harness.expect(op, "dX", gradients[1], [&](auto zero) {
    auto dX = norm.dH<decltype(zero)>();
    for (size_t i = 0; i < dX.size(); ++i) dX[i] *= decltype(zero)(dropoutFactor(int64_t(i)));
    return dX;
  });
  harness.expect(op, "dWeight", gradients[2], columnSums(norm.formula([&](const auto& row, int64_t r, int64_t c) {
                   return norm.dY[r * kColumns + c] * row.xHat[size_t(c)];
                 })));
  if (!norm.centered) return;
  harness.expect(op, "dBias", gradients[3], columnSums([&](auto zero) {
                   return Values<decltype(zero)>(norm.dY.values.begin(), norm.dY.values.end());
                 }));
}

void checkNorm(Harness& harness, const std::string& op, bool centered) {
  const auto rows = [&] { return harness.random({kRows, kColumns}); };
  const Norm norm{centered, rows(), rows(), harness.random({kColumns}), harness.random({kColumns}), rows(), rows()};
  Inputs inputs = {{"x", &norm.x.tensor}, {"residual", &norm.residual.tensor}, {"weight", &norm.weight.tensor}};
  if (centered) inputs["bias"] = &norm.bias.tensor;
  Attrs attrs = kDropout;
  attrs["eps"] = kEps;
  const auto results = harness.run(op, inputs, attrs);
  harness.expect(op, "y", results[0], norm.formula([&](const auto& row, int64_t, int64_t c) {
    return row.xHat[size_t(c)] * norm.weight[c] + (centered ? norm.bias[c] : 0);
  }));
  harness.expect(op, "h", results[1],
                 norm.formula([](const auto& row, int64_t, int64_t c) { return row.h[size_t(c)]; }));
  harness.expect(op, "rstd", results.back(), [&](auto zero) {
    Values<decltype(zero)> result;
    for (int64_t r = 0; r < kRows; ++r) result.push_back(norm.row<decltype(zero)>(r).rstd);
    return result;
  });
  checkNormBwd(harness, op + "Bwd", norm, results);
}

// p = e^(x − max) / Σ, or log p; dX = p ∘ (dY − Σ p·dY), or dY − p · Σ dY
void checkSoftmax(Harness& harness, bool log) {
  const Array x = harness.random({kRows, kColumns}, 8), dY = harness.random({kRows, kColumns});
  const Attrs attrs = {{"log", double(log)}};
  const auto each = [&](auto of) {
    return [&, of](auto zero) {
      using Real = decltype(zero);
      Values<Real> result;
      for (int64_t first = 0; first < kRows * kColumns; first += kColumns) {
        Real max = Real(x[first]), sum = 0, along = 0;
        for (int64_t i = first; i < first + kColumns; ++i) max = std::fmax(max, Real(x[i]));
        for (int64_t i = first; i < first + kColumns; ++i) sum += std::exp(Real(x[i]) - max);
        const auto p = [&](int64_t i) { return std::exp(Real(x[i]) - max) / sum; };
        for (int64_t i = first; i < first + kColumns; ++i) along += (log ? 1 : p(i)) * Real(dY[i]);
        for (int64_t i = first; i < first + kColumns; ++i)
          result.push_back(of(p(i), Real(x[i]) - max - std::log(sum), Real(dY[i]), along));
      }
      return result;
    };
  };
  const char* what = log ? "log" : "plain";
  const Tensor y = harness.run("softmax", {{"x", &x.tensor}}, attrs)[0];
  harness.expect("softmax", what, y, each([&](auto p, auto logP, auto, auto) { return log ? logP : p; }));
  harness.expect("softmaxBwd", what, harness.run("softmaxBwd", {{"y", &y}, {"dY", &dY.tensor}}, attrs)[0],
                 each([&](auto p, auto, auto d, auto along) { return log ? d - p * along : p * (d - along); }));
}

}  // namespace

void checkRows(Harness& harness) {
  checkNorm(harness, "layerNorm", true);
  checkNorm(harness, "rmsNorm", false);
  checkSoftmax(harness, false);
  checkSoftmax(harness, true);
}

}  // namespace duo::selftest
