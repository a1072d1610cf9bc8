// The rows of a tensor whose last dimension is dense: a walk over where they begin, and the threads for one of them.
#pragma once
#include <algorithm>

#include "cuda/walk.h"
#include "ops/registry.h"

namespace duo::cuda {

inline Walk rowWalkOf(const TensorArg& x) {
  Dims dims, strides;
  for (int d = 0; d + 1 < x.dims.rank(); ++d) dims.push(x.dims[d]), strides.push(x.strides[d]);
  return walkOf(dims, strides);
}

constexpr int64_t kColumns = 8;  // of a row, that a thread takes at a time

// Threads for a block that goes over a row in such groups: whole warps, one group a thread where `most` allows it.
inline unsigned threadsForColumns(int64_t columns, int64_t most) {
  return unsigned(std::clamp<int64_t>((columns + 32 * kColumns - 1) / (32 * kColumns) * 32, 32, most));
}

// Collects operands, and whether all of them, with their rows, lie at 16 bytes.
class Operands16 {
 public:
  explicit Operands16(int64_t columns) : vectors_(columns % kColumns == 0) {}
  void* add(bool present, const TensorArg& arg) {
    if (!present) return nullptr;
    vectors_ = vectors_ && reinterpret_cast<uintptr_t>(arg.data) % 16 == 0;
    for (int d = 0; d + 1 < arg.dims.rank(); ++d) {
      vectors_ = vectors_ && (arg.dims[d] == 1 || arg.strides[d] % kColumns == 0);
    }
    return arg.data;
  }
  bool vectors() const { return vectors_; }

 private:
  bool vectors_;
};

// Threads for a block that goes over a row: whole warps, four elements a thread where there are so many.
inline unsigned threadsForRow(int64_t columns) {
  return unsigned(std::clamp<int64_t>((columns + 127) / 128 * 32, 32, 512));
}

}  // namespace duo::cuda
