// Moving rows, bound by memory all of them. Rows of the result are shared out.
//   embedding: y[i] = Σ_t table_t[ids_t[i]]    gatherRows: y[i] = x[ids[i]]
//   scatterRows: y[r] = Σ x[i] with ids[i] = r, after a counting sort of the ids: each row of y is one thread's, which
//   adds its rows of x in their order. Reads x once and writes y once. addRows: the same sums, onto rows of y.
//   concat: copies.
// Ids are all checked before anything is written.
#include <cstring>

#include "core/half.h"
#include "cpu/kernels.h"
#include "cpu/partial_rows.h"
#include "cpu/strided.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // elements for each thread

void checkIds(const OpCall& call, const TensorArg& ids, int64_t limit) {
  for (int64_t i = 0; i < ids.count(); ++i) {
    const int64_t id = ids.i32()[i];
    if (id >= 0 && id < limit) continue;
    fail(ErrorCode::kIndex, call.def.name, "ids in [0, " + std::to_string(limit) + ")",
         std::to_string(id) + " at " + std::to_string(i));
  }
}

constexpr int64_t kChunk = 256;  // columns that an embedding sums at a time

void readChunk(const TensorArg& table, int64_t offset, int64_t n, float* to) {
  switch (table.dtype) {
    case DType::kFloat16:
      for (int64_t i = 0; i < n; ++i) to[i] = floatFromFloat16(table.as<uint16_t>()[offset + i]);
      return;
    case DType::kBFloat16:
      for (int64_t i = 0; i < n; ++i) to[i] = floatFromBFloat16(table.as<uint16_t>()[offset + i]);
      return;
    default: std::memcpy(to, table.f32() + offset, size_t(n) * sizeof(float));
  }
}

void writeChunk(const float* from, int64_t n, const TensorArg& y, int64_t offset) {
  switch (y.dtype) {
    case DType::kFloat16:
      for (int64_t i = 0; i < n; ++i) y.as<uint16_t>()[offset + i] = float16FromFloat(from[i]);
      return;
    case DType::kBFloat16:
      for (int64_t i = 0; i < n; ++i) y.as<uint16_t>()[offset + i] = bfloat16FromFloat(from[i]);
      return;
    default: std::memcpy(y.f32() + offset, from, size_t(n) * sizeof(float));
  }
}

void embedRow(const OpCall& call, int64_t row, int64_t columns) {
  const auto tables = call.list("tables"), ids = call.list("ids");
  if (tables.size() == 1) {
    const size_t size = sizeOf(tables[0].dtype);
    const int64_t from = ids[0].i32()[row] * tables[0].strides[0], to = row * columns;
    std::memcpy(call.out("y").as<char>() + size_t(to) * size, tables[0].as<char>() + size_t(from) * size,
                size_t(columns) * size);
    return;
  }
  float sum[kChunk], next[kChunk];
  for (int64_t c = 0; c < columns; c += kChunk) {
    const int64_t n = std::min(kChunk, columns - c);
    for (size_t t = 0; t < tables.size(); ++t) {
      readChunk(tables[t], ids[t].i32()[row] * tables[t].strides[0] + c, n, t == 0 ? sum : next);
      if (t > 0) addRow(next, n, sum);
    }
    writeChunk(sum, n, call.out("y"), row * columns + c);
  }
}

// Counting sort: order[starts[r] … starts[r + 1]) are the indices whose id is r, ascending; those of `skip` are left
// out.
void sortIds(const int32_t* ids, int64_t count, int64_t rows, int64_t skip, int32_t* starts, int32_t* order) {
  std::fill(starts, starts + rows + 1, 0);
  for (int64_t i = 0; i < count; ++i) starts[ids[i]] += ids[i] != skip;
  int32_t total = 0;
  for (int64_t r = 0; r <= rows; ++r) starts[r] = total += starts[r];
  // Each start is now its row's end; filling from the back moves it to its beginning.
  for (int64_t i = count - 1; i >= 0; --i) {
    if (ids[i] != skip) order[--starts[ids[i]]] = int32_t(i);
  }
}

template <typename T>
void copyInto(const TensorArg& x, const TensorArg& y, int axis, int64_t offset) {
  const RowsAt<const T> from(x);
  const Rows shape = rowsOf(x.dims);
  const int last = x.dims.rank() - 1;
  const bool columns = axis == last;
  // Rows of x and y that lie between two steps of the dimensions before the axis.
  int64_t innerX = 1, innerY = 1, below = 1;
  for (int d = axis; d < last; ++d) innerX *= x.dims[d], innerY *= y.dims[d], below *= d > axis ? x.dims[d] : 1;
  parallelRows(shape, kGrain, [&](int64_t row) {
    const int64_t target = columns ? row : row / innerX * innerY + offset * below + row % innerX;
    T* to = y.as<T>() + target * y.dims.back() + (columns ? offset : 0);
    std::memcpy(to, from[row], size_t(shape.columns) * sizeof(T));
  });
}

}  // namespace

void embedding(const OpCall& call) {
  const auto tables = call.list("tables"), ids = call.list("ids");
  for (size_t t = 0; t < tables.size(); ++t) checkIds(call, ids[t], tables[t].dims[0]);
  const TensorArg& y = call.out("y");
  const int64_t columns = y.dims.back();
  parallelRows({ids[0].count(), columns}, kGrain, [&](int64_t row) { embedRow(call, row, columns); });
}

void gatherRows(const OpCall& call) {
  const TensorArg &x = call.in("x"), &ids = call.in("ids");
  checkIds(call, ids, x.dims[0]);
  const int64_t columns = x.dims[0] ? x.count() / x.dims[0] : 0;
  const size_t bytes = size_t(columns) * sizeOf(x.dtype);
  parallelRows({ids.count(), columns}, kGrain, [&](int64_t row) {
    std::memcpy(call.out("y").as<char>() + size_t(row) * bytes, x.as<char>() + size_t(ids.i32()[row]) * bytes, bytes);
  });
}

void scatterRows(const OpCall& call) {
  const TensorArg &x = call.in("x"), &ids = call.in("ids"), &y = call.out("y");
  const int64_t rows = call.integer("rows"), columns = rows ? y.count() / rows : 0;
  checkIds(call, ids, rows);
  int32_t *starts = call.scratch<int32_t>(), *order = starts + rows + 1;
  sortIds(ids.i32(), ids.count(), rows, call.integer("skip"), starts, order);
  // Where there are few rows, threads share them by columns: every element's sum keeps its order.
  const int64_t width = rows < 64 ? 64 : std::max<int64_t>(columns, 1), bands = (columns + width - 1) / width;
  parallelRows({rows * bands, width}, kGrain, [&](int64_t i) {
    const int64_t row = i / bands, c = i % bands * width, n = std::min(width, columns - c);
    float* to = y.f32() + row * columns + c;
    std::fill(to, to + n, 0.f);
    for (int32_t j = starts[row]; j < starts[row + 1]; ++j) addRow(x.f32() + order[j] * columns + c, n, to);
  });
}

void addRows(const OpCall& call) {
  const TensorArg &x = call.in("x"), &ids = call.in("ids"), &y = call.in("y");
  const int64_t rows = y.dims[0], columns = rows ? y.count() / rows : 0;
  checkIds(call, ids, rows);
  int32_t *starts = call.scratch<int32_t>(), *order = starts + rows + 1;
  sortIds(ids.i32(), ids.count(), rows, call.integer("skip"), starts, order);
  parallelRows({rows, columns}, kGrain, [&](int64_t row) {
    if (starts[row] == starts[row + 1]) return;
    float sum[kChunk];
    for (int64_t c = 0; c < columns; c += kChunk) {
      const int64_t n = std::min(kChunk, columns - c);
      std::fill_n(sum, n, 0.f);
      for (int32_t j = starts[row]; j < starts[row + 1]; ++j) addRow(x.f32() + order[j] * columns + c, n, sum);
      addRow(sum, n, y.f32() + row * columns + c);
    }
  });
}

void concat(const OpCall& call) {
  const TensorArg& y = call.out("y");
  const int axis = int(call.integer("axis"));
  int64_t offset = 0;
  for (const TensorArg& x : call.list("x")) {
    switch (sizeOf(x.dtype)) {
      case 4: copyInto<uint32_t>(x, y, axis, offset); break;
      case 2: copyInto<uint16_t>(x, y, axis, offset); break;
      default: copyInto<uint8_t>(x, y, axis, offset);
    }
    offset += x.dims[axis];
  }
}

}  // namespace duo::cpu::DUO_ISA
