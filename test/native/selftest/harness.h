// What the self-test's checks share: inputs, calls by name through Device and OpCall, and comparison with a formula.
#pragma once
#include <cmath>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "ops/device.h"

namespace duo::selftest {

// A tensor and its elements, widened to float32.
struct Array {
  Tensor tensor;
  std::vector<float> values;

  float operator[](int64_t i) const { return values[size_t(i)]; }
};

using Inputs = std::map<std::string, const Tensor*>;
using Attrs = std::map<std::string, std::variant<double, std::string>>;  // enums by the name of the choice

template <typename Real>
using Values = std::vector<Real>;

class Harness {
 public:
  // The expected values of op `altered` are changed, so that its checks must fail; empty for none.
  explicit Harness(std::string altered) : altered_(std::move(altered)) {}

  Array random(const Dims& dims, float scale = 1, float shift = 0);  // uniform in shift ± scale
  Tensor offsets(const std::vector<int32_t>& values);                // of sequences, with the host copy
  Array converted(const Array& x, const char* dtype);
  static Tensor transposed(Tensor matrix);

  // Runs an op and waits for it. Names that the op does not have and inputs or attributes that it misses throw.
  std::vector<Tensor> run(const std::string& op, const Inputs& inputs, const Attrs& attrs = {});

  // Compares with `formula`, which computes the expected values in the number type of its argument. Tolerance: twice
  // the error of the formula in float32 plus 4·eps·max|expected|, both measured against it in float64.
  template <typename Formula>
  void expect(const std::string& op, const std::string& what, const Tensor& got, const Formula& formula) {
    Values<double> exact = formula(double{});
    const Values<float> plain = formula(float{});
    compare(op, what, got, exact, {plain.begin(), plain.end()});
  }
  void fails(const std::string& what, const char* why);

  int checks() const { return checks_; }
  int failures() const { return failures_; }

 private:
  void compare(const std::string& op, const std::string& what, const Tensor& got, Values<double>& exact,
               const Values<double>& plain);

  Device device_{0};
  std::string altered_;
  uint32_t seed_ = 1;
  int checks_ = 0, failures_ = 0;
};

// The elements of a tensor that was run() before: the queue is idle.
std::vector<float> valuesOf(const Tensor& tensor);

void checkElementwise(Harness& harness);
void checkGemm(Harness& harness);
void checkAttention(Harness& harness);
void checkRows(Harness& harness);

}  // namespace duo::selftest
