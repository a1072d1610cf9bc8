// Dimensions and strides of a tensor, by value and without heap memory.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace duo {

constexpr int kMaxRank = 8;

class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> values);
  explicit Dims(std::span<const int64_t> values);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return values_[i]; }
  int64_t& operator[](int i) { return values_[i]; }
  int64_t back() const { return values_[rank_ - 1]; }
  void push(int64_t value);
  std::span<const int64_t> span() const { return {values_.data(), size_t(rank_)}; }
  bool operator==(const Dims& other) const;

  int64_t count() const;     // product of all; 1 for a scalar; saturates instead of overflowing
  Dims strides() const;      // row-major, in elements
  std::string text() const;  // "(3, 4)"

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxRank> values_{};
};

}  // namespace duo
