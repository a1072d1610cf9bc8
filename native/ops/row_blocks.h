// How sums over rows are cut: each block of rows is added up into a partial row in workspace, then the partial rows are
// added in order. The cut depends on the shape alone, so that results do not depend on the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>

namespace duo {

struct RowBlocks {
  int64_t rows, columns;
  int64_t blockRows;  // at least 128, so that the partial rows are little traffic; more where rows are short

  RowBlocks(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), blockRows(std::max<int64_t>(128, 16384 / std::max<int64_t>(columns, 1))) {}
  int64_t count() const { return (rows + blockRows - 1) / blockRows; }
  int64_t begin(int64_t block) const { return block * blockRows; }
  int64_t end(int64_t block) const { return std::min(rows, (block + 1) * blockRows); }
  size_t bytes() const { return size_t(count() * columns) * sizeof(float); }
};

}  // namespace duo
