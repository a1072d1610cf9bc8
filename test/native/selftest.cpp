// A small self-test without Node: basic cases of the main kernels through Device and OpCall, against plain double
// loops. It shows that the kernels of an instruction set run where the op suite cannot (NEON under user-mode
// emulation).
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "cpu/isa.h"
#include "ops/device.h"

using namespace duo;

namespace {

int failures = 0;

struct Harness {
  Device device;

  Tensor tensor(const Dims& dims, uint32_t seed) {
    std::vector<float> values(size_t(dims.count()));
    for (float& value : values) {
      seed = seed * 1664525u + 1013904223u;
      value = float(seed >> 8) / float(1 << 23) - 1.f;
    }
    return device.upload(dims, DType::kFloat32, values.data());
  }

  Tensor offsets(const std::vector<int32_t>& values) {
    Tensor result = device.upload({int64_t(values.size())}, DType::kInt32, values.data());
    result.storage->host = std::make_shared<const std::vector<int32_t>>(values);
    return result;
  }

  std::vector<Tensor> run(const char* name, const std::map<std::string, const Tensor*>& inputs,
                          const std::map<std::string, double>& attrs = {}) {
    for (const OpDef& def : registry()) {
      if (std::strcmp(def.name, name) != 0) continue;
      OpCall call(def);
      std::vector<const Tensor*> given;
      for (const InputSpec& spec : def.inputs) {
        const auto found = inputs.find(spec.name);
        call.slots.emplace_back(int(given.size()), found != inputs.end());
        if (found != inputs.end()) given.push_back(found->second);
      }
      for (const AttrSpec& spec : def.attrs) {
        const auto found = attrs.find(spec.name);
        call.attrs.push_back(found != attrs.end() ? found->second : spec.fallback.value());
      }
      auto results = device.enqueue(std::move(call), given);
      device.queue().drain();
      if (const auto error = device.queue().takeError()) throw *error;
      return results;
    }
    throw Error(ErrorCode::kState, std::string("selftest: expected an op, got ") + name);
  }
};

const float* values(const Tensor& tensor) { return static_cast<const float*>(tensor.data()); }

void check(const char* what, const Tensor& got, const std::vector<double>& want, double tolerance) {
  double error = got.dims.count() == int64_t(want.size()) ? 0 : INFINITY;
  for (size_t i = 0; i < want.size() && error != INFINITY; ++i)
    error = std::fmax(error, std::fabs(values(got)[i] - want[i]));
  const bool passed = error <= tolerance;
  failures += !passed;
  std::printf("%s %s: error %.2g, tolerance %.2g\n", passed ? "ok  " : "FAIL", what, error, tolerance);
}

void checkBinary(Harness& harness) {
  const Tensor a = harness.tensor({3, 37}, 1), b = harness.tensor({37}, 2);
  std::vector<double> want;
  for (int i = 0; i < 3 * 37; ++i) want.push_back(double(values(a)[i]) * values(b)[i % 37]);
  check("binary mul, broadcast", harness.run("binary", {{"a", &a}, {"b", &b}}, {{"op", 2}})[0], want, 1e-6);
}

void checkReduce(Harness& harness) {
  const Tensor x = harness.tensor({5, 257}, 3);
  std::vector<double> want(5);
  for (int i = 0; i < 5 * 257; ++i) want[size_t(i / 257)] += values(x)[i];
  check("reduce sum", harness.run("reduce", {{"x", &x}}, {{"kind", 0}, {"axes", 2}})[0], want, 1e-4);
}

void checkGemm(Harness& harness, int64_t m, int64_t n, int64_t k) {
  const Tensor a = harness.tensor({m, k}, 4), b = harness.tensor({k, n}, 5);
  std::vector<double> want(size_t(m * n));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t p = 0; p < k; ++p) want[size_t(i * n + j)] += double(values(a)[i * k + p]) * values(b)[p * n + j];
    }
  }
  const std::string what = "gemm " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  check(what.c_str(), harness.run("gemm", {{"a", &a}, {"b", &b}})[0], want, 1e-6 * double(k));
}

void checkAttention(Harness& harness) {
  const int64_t t = 70, d = 16;
  const Tensor q = harness.tensor({t, 1, d}, 6), k = harness.tensor({t, 1, d}, 7), v = harness.tensor({t, 1, d}, 8);
  const Tensor offsets = harness.offsets({0, int32_t(t)});
  std::vector<double> want(size_t(t * d));
  for (int64_t i = 0; i < t; ++i) {
    double total = 0;
    for (int64_t j = 0; j <= i; ++j) {
      double score = 0;
      for (int64_t c = 0; c < d; ++c) score += 0.25 * values(q)[i * d + c] * values(k)[j * d + c];
      total += std::exp(score);
      for (int64_t c = 0; c < d; ++c) want[size_t(i * d + c)] += std::exp(score) * values(v)[j * d + c];
    }
    for (int64_t c = 0; c < d; ++c) want[size_t(i * d + c)] /= total;
  }
  const auto results =
      harness.run("attentionFwd", {{"q", &q}, {"k", &k}, {"v", &v}, {"cuSeqlensQ", &offsets}, {"cuSeqlensK", &offsets}},
                  {{"scale", 0.25}, {"causal", 1}});
  check("attention, causal", results[0], want, 1e-5);
}

void checkLayerNorm(Harness& harness) {
  const int64_t columns = 77;
  const Tensor x = harness.tensor({3, columns}, 9), w = harness.tensor({columns}, 10),
               b = harness.tensor({columns}, 11);
  std::vector<double> want;
  for (int64_t i = 0; i < 3; ++i) {
    const float* row = values(x) + i * columns;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < columns; ++c) mean += row[c] / double(columns);
    for (int64_t c = 0; c < columns; ++c) variance += (row[c] - mean) * (row[c] - mean) / double(columns);
    for (int64_t c = 0; c < columns; ++c) {
      want.push_back((row[c] - mean) / std::sqrt(variance + 1e-12) * values(w)[c] + values(b)[c]);
    }
  }
  check("layerNorm", harness.run("layerNorm", {{"x", &x}, {"weight", &w}, {"bias", &b}})[0], want, 1e-5);
}

}  // namespace

int main() {
  std::printf("instruction set: %s\n", cpu::nameOf(cpu::activeIsa()));
  Harness harness;
  try {
    checkBinary(harness);
    checkReduce(harness);
    for (const auto [m, n, k] : {std::array{1, 1, 1}, {1, 300, 64}, {7, 33, 19}, {65, 129, 257}})
      checkGemm(harness, m, n, k);
    checkLayerNorm(harness);
    checkAttention(harness);
  } catch (const Error& error) {
    std::printf("FAIL %s\n", error.what());
    ++failures;
  }
  std::printf("%d failed\n", failures);
  return failures > 0;
}
