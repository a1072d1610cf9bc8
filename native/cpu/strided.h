// Walks over strided tensors.
#pragma once
#include <algorithm>

#include "cpu/thread_pool.h"
#include "ops/registry.h"

namespace duo::cpu {

// Element offset of row `row` (a row-major index over all dimensions but the last).
inline int64_t rowOffset(const Dims& dims, const Dims& strides, int64_t row) {
  int64_t offset = 0;
  for (int d = dims.rank() - 2; d >= 0; --d) {
    offset += row % dims[d] * strides[d];
    row /= dims[d];
  }
  return offset;
}

struct Rows {
  int64_t rows, columns;
};

// A tensor as rows of its last dimension; a scalar is one row of one.
inline Rows rowsOf(const Dims& dims) {
  const int64_t columns = dims.rank() ? dims.back() : 1;
  return {columns ? dims.count() / columns : 0, columns};
}

inline int64_t columnStride(const TensorArg& arg) { return arg.dims.rank() ? arg.strides[arg.dims.rank() - 1] : 1; }

// Where each row of a tensor begins whose last dimension is dense (Layout::kRows). Leading dimensions that lie evenly
// are walked as one.
template <typename T>
class RowsAt {
 public:
  explicit RowsAt(const TensorArg& arg) : data_(static_cast<T*>(arg.data)), dims_(arg.dims), strides_(arg.strides) {
    int64_t spanned = 1;
    for (int d = dims_.rank() - 2; d >= 0; --d) {
      if (dims_[d] == 1) continue;
      if (spanned == 1) step_ = strides_[d];
      even_ &= strides_[d] == step_ * spanned;
      spanned *= dims_[d];
    }
  }
  T* operator[](int64_t row) const { return data_ + (even_ ? row * step_ : rowOffset(dims_, strides_, row)); }

 private:
  T* data_;
  Dims dims_, strides_;
  int64_t step_ = 0;
  bool even_ = true;
};

// Calls fn(row) over all rows, in blocks of about `grain` elements for each thread.
template <typename Fn>
void parallelRows(Rows shape, int64_t grain, const Fn& fn) {
  parallelBlocks(shape.rows, grain / std::max<int64_t>(shape.columns, 1), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) fn(row);
  });
}

// Calls fn(row, worker) over all rows, `block` of them for each thread at a time.
template <typename Fn>
void parallelRowBlocks(int64_t rows, int64_t block, const Fn& fn) {
  block = std::max<int64_t>(block, 1);
  parallelFor((rows + block - 1) / block, [&](int64_t i, int worker) {
    for (int64_t row = i * block, end = std::min(rows, row + block); row < end; ++row) fn(row, worker);
  });
}

}  // namespace duo::cpu
