#include "core/shape.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace duo {

Dims::Dims(std::initializer_list<int64_t> values) : Dims(std::span(values.begin(), values.size())) {}

Dims::Dims(std::span<const int64_t> values) {
  for (const int64_t value : values) push(value);
}

void Dims::push(int64_t value) {
  if (rank_ == kMaxRank) {
    fail(ErrorCode::kShape, "shape", "at most " + std::to_string(kMaxRank) + " dimensions", "more");
  }
  values_[rank_++] = value;
}

bool Dims::operator==(const Dims& other) const { return std::ranges::equal(span(), other.span()); }

int64_t Dims::count() const {
  int64_t total = 1;
  bool overflow = false;
  for (const int64_t value : span()) {
    if (value == 0) return 0;
    overflow |= __builtin_mul_overflow(total, value, &total);
  }
  return overflow ? std::numeric_limits<int64_t>::max() : total;
}

Dims Dims::strides() const {
  Dims result = *this;
  int64_t stride = 1;
  for (int i = rank_ - 1; i >= 0; --i) {
    result[i] = stride;
    // An empty or huge tensor has no addressable elements beyond this, so wrap-around is harmless.
    stride = int64_t(uint64_t(stride) * uint64_t(std::max<int64_t>(values_[i], 1)));
  }
  return result;
}

std::string Dims::text() const {
  std::string result = "(";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) result += ", ";
    result += std::to_string(values_[i]);
  }
  return result + ")";
}

}  // namespace duo
