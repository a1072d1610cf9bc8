#include "harness.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

namespace duo::selftest {
namespace {

const OpDef& find(const std::string& op) {
  for (const OpDef& def : registry()) {
    if (op == def.name) return def;
  }
  fail(ErrorCode::kState, "selftest", "an op of the registry", op);
}

double attrValue(const OpDef& def, const AttrSpec& spec, const Attrs& attrs) {
  const auto found = attrs.find(spec.name);
  if (found == attrs.end()) {
    if (!spec.fallback) fail(ErrorCode::kConfig, def.name, std::string("attribute ") + spec.name, "none");
    return *spec.fallback;
  }
  if (const double* number = std::get_if<double>(&found->second)) return *number;
  const auto& name = std::get<std::string>(found->second);
  const auto choice = std::ranges::find_if(spec.choices, [&](const char* text) { return name == text; });
  if (choice == spec.choices.end()) fail(ErrorCode::kConfig, def.name, std::string("a choice of ") + spec.name, name);
  return double(choice - spec.choices.begin());
}

template <typename Specs, typename Given>
void expectKnown(const OpDef& def, const Specs& specs, const Given& given) {
  for (const auto& entry : given) {
    const std::string& name = entry.first;
    if (std::ranges::none_of(specs, [&](const auto& spec) { return name == spec.name; }))
      fail(ErrorCode::kConfig, def.name, "names that it has", name);
  }
}

double largest(const Values<double>& values) {
  double result = 0;
  for (const double value : values) result = std::fmax(result, std::fabs(value));
  return result;
}

// NaN where either holds one: no tolerance admits that.
template <typename Got>
double largestError(const Got& got, const Values<double>& exact) {
  double error = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double difference = std::fabs(double(got[i]) - exact[i]);
    if (!(difference <= error)) error = difference;
    if (std::isnan(difference)) return difference;
  }
  return error;
}

}  // namespace

std::vector<float> valuesOf(const Tensor& tensor) {
  const auto* data = static_cast<const float*>(tensor.data());
  return {data, data + tensor.dims.count()};
}

Array Harness::random(const Dims& dims, float scale, float shift) {
  Array result;
  result.values.resize(size_t(dims.count()));
  for (float& value : result.values) {
    seed_ = seed_ * 1664525u + 1013904223u;
    value = (float(seed_ >> 8) / float(1 << 23) - 1.f) * scale + shift;
  }
  result.tensor = device_.upload(dims, DType::kFloat32, result.values.data());
  return result;
}

Tensor Harness::offsets(const std::vector<int32_t>& values) {
  Tensor result = device_.upload({int64_t(values.size())}, DType::kInt32, values.data());
  result.storage->host = std::make_shared<const std::vector<int32_t>>(values);
  return result;
}

Array Harness::converted(const Array& x, const char* dtype) {
  Tensor narrow = run("cast", {{"x", &x.tensor}}, {{"dtype", dtype}})[0];
  const Tensor wide = run("cast", {{"x", &narrow}}, {{"dtype", "float32"}})[0];
  return {std::move(narrow), valuesOf(wide)};
}

Tensor Harness::transposed(Tensor matrix) {
  std::swap(matrix.dims[0], matrix.dims[1]);
  std::swap(matrix.strides[0], matrix.strides[1]);
  return matrix;
}

std::vector<Tensor> Harness::run(const std::string& op, const Inputs& inputs, const Attrs& attrs) {
  const OpDef& def = find(op);
  expectKnown(def, def.inputs, inputs);
  expectKnown(def, def.attrs, attrs);
  OpCall call(def);
  std::vector<const Tensor*> given;
  for (const InputSpec& spec : def.inputs) {
    const auto found = inputs.find(spec.name);
    call.slots.emplace_back(int(given.size()), found != inputs.end());
    if (found != inputs.end()) given.push_back(found->second);
  }
  for (const AttrSpec& spec : def.attrs) call.attrs.push_back(attrValue(def, spec, attrs));
  auto results = device_.enqueue(0, std::move(call), given);
  device_.queue().drain();
  if (const auto error = device_.queue().takeError()) throw *error;
  return results;
}

void Harness::compare(const std::string& op, const std::string& what, const Tensor& got, Values<double>& exact,
                      const Values<double>& plain) {
  constexpr double kEps = std::numeric_limits<float>::epsilon();
  const double magnitude = largest(exact), tolerance = 2 * largestError(plain, exact) + 4 * kEps * magnitude;
  if (op == altered_ && !exact.empty()) exact.back() += 0.01 * (1 + magnitude);
  const bool shaped = got.storage && got.dims.count() == int64_t(exact.size());
  const double error = shaped ? largestError(valuesOf(got), exact) : std::numeric_limits<double>::infinity();
  const bool passed = error <= tolerance;
  ++checks_;
  failures_ += !passed;
  std::printf("%s %s %s: error %.2g, tolerance %.2g\n", passed ? "ok  " : "FAIL", op.c_str(), what.c_str(), error,
              tolerance);
}

void Harness::fails(const std::string& what, const char* why) {
  ++failures_;
  std::printf("FAIL %s: %s\n", what.c_str(), why);
}

}  // namespace duo::selftest
