// Functions of one variable and their derivatives from the definition, in the number type Real.
#pragma once
#include <cmath>
#include <numbers>
#include <string>

#include "core/error.h"

namespace duo::selftest {

template <typename Real>
Real sigmoid(Real x) {
  return 1 / (1 + std::exp(-x));
}

template <typename Real>
Real geluTanhInner(Real x) {
  return std::sqrt(2 / std::numbers::pi_v<Real>) * (x + Real(0.044715) * x * x * x);
}

template <typename Real>
Real function(const std::string& name, Real x) {
  if (name == "none") return x;
  if (name == "neg") return -x;
  if (name == "abs") return std::fabs(x);
  if (name == "square") return x * x;
  if (name == "sqrt") return std::sqrt(x);
  if (name == "rsqrt") return 1 / std::sqrt(x);
  if (name == "exp") return std::exp(x);
  if (name == "log") return std::log(x);
  if (name == "tanh") return std::tanh(x);
  if (name == "sigmoid") return sigmoid(x);
  if (name == "relu") return x > 0 ? x : 0;
  if (name == "geluErf") return x / 2 * (1 + std::erf(x / std::numbers::sqrt2_v<Real>));
  if (name == "geluTanh") return x / 2 * (1 + std::tanh(geluTanhInner(x)));
  if (name == "silu") return x * sigmoid(x);
  fail(ErrorCode::kState, "selftest", "a function with a formula", name);
}

template <typename Real>
Real derivative(const std::string& name, Real x) {
  constexpr Real kPi = std::numbers::pi_v<Real>;
  if (name == "none") return 1;
  if (name == "neg") return -1;
  if (name == "abs") return x < 0 ? -1 : 1;
  if (name == "square") return 2 * x;
  if (name == "sqrt") return 1 / (2 * std::sqrt(x));
  if (name == "rsqrt") return -1 / (2 * x * std::sqrt(x));
  if (name == "exp") return std::exp(x);
  if (name == "log") return 1 / x;
  if (name == "tanh") return 1 - std::tanh(x) * std::tanh(x);
  if (name == "sigmoid") return sigmoid(x) * (1 - sigmoid(x));
  if (name == "relu") return x > 0 ? 1 : 0;
  if (name == "geluErf")
    return (1 + std::erf(x / std::numbers::sqrt2_v<Real>)) / 2 + x * std::exp(-x * x / 2) / std::sqrt(2 * kPi);
  if (name == "geluTanh") {
    const Real t = std::tanh(geluTanhInner(x));
    return (1 + t) / 2 + x / 2 * (1 - t * t) * std::sqrt(2 / kPi) * (1 + 3 * Real(0.044715) * x * x);
  }
  if (name == "silu") return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
  fail(ErrorCode::kState, "selftest", "a function with a derivative", name);
}

}  // namespace duo::selftest
