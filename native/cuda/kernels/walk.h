// A walk over the elements of a strided tensor in row-major order, as kernels take it. Shared by host and device code.
#pragma once
#include <cstdint>

namespace duo::cuda {

struct Walk {
  static constexpr int kMaxRank = 8;
  int32_t rank;  // dimensions that lie evenly are one; 0: one element
  int32_t reserved;
  int64_t dims[kMaxRank];
  int64_t strides[kMaxRank];  // in elements
};

}  // namespace duo::cuda
