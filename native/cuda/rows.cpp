// Launchers of what moves rows.
#include "ops/rows.h"

#include <bit>

#include "cuda/gemm_product.h"
#include "cuda/kernels.h"
#include "cuda/kernels/rows_params.h"
#include "cuda/logit_rows.h"
#include "cuda/room.h"
#include "cuda/walk.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;
static_assert(kMostTables == kMaxEmbeddingTables);

bool aligned(const void* data, uintptr_t bytes) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

RowType rowTypeOf(DType type) {
  if (type == DType::kFloat32) return RowType::kFloat32;
  return type == DType::kFloat16 ? RowType::kFloat16 : RowType::kBFloat16;
}

// The largest piece in which `bytes` from aligned places can be moved.
int unitOf(std::initializer_list<const void*> places, std::initializer_list<int64_t> sizes) {
  for (const int unit : {16, 4, 2}) {
    bool fits = true;
    for (const void* place : places) fits = fits && aligned(place, uintptr_t(unit));
    for (const int64_t size : sizes) fits = fits && size % unit == 0;
    if (fits) return unit;
  }
  return 1;
}

std::string named(const char* kernel, int unit) { return std::string(kernel) + "_" + std::to_string(unit); }

// Digits of the ids, and of `rows`, which stands for none.
int passesOf(int64_t rows) { return std::max(1, (int(std::bit_width(uint64_t(rows))) + kDigitBits - 1) / kDigitBits); }

int64_t columnsOf(const OpCall& call) {
  const int64_t count = call.in("ids").count();
  return count ? call.in("x").count() / count : 0;
}

// Rows of y = the sums of their rows of x, or with `add` these onto them; rows without any stay.
void sumRows(Launch& launch, const TensorArg& y, int64_t rows, bool add) {
  const OpCall& call = launch.call;
  const TensorArg &x = call.in("x"), &ids = call.in("ids");
  const int64_t count = ids.count(), columns = columnsOf(call);
  if (count == 0) return;
  Room room(launch.workspace);
  int32_t *keys = room.take<int32_t>(size_t(count)), *order = room.take<int32_t>(size_t(count));
  int32_t *sortedKeys = room.take<int32_t>(size_t(count)), *sortedOrder = room.take<int32_t>(size_t(count));
  const int64_t tiles = ceilDivide(count, kSortTile), digits = tiles << kDigitBits;
  auto* counts = room.take<int32_t>(size_t(digits));
  launch.run("scatterKeys", {blocksFor(count, kThreads)}, kThreads, 0, ids.data, count, rows, call.integer("skip"),
             keys, order, reporterOf(launch));
  for (int pass = 0; pass < passesOf(rows); ++pass) {
    const int shift = pass * kDigitBits;
    launch.run("scatterCount", {unsigned(tiles)}, kThreads, 0, keys, count, shift, counts);
    launch.run("scatterScan", {1}, kThreads, 0, counts, digits);
    launch.run("scatterMove", {unsigned(tiles)}, kThreads, 0, keys, order, count, shift, counts, sortedKeys,
               sortedOrder);
    std::swap(keys, sortedKeys);
    std::swap(order, sortedOrder);
  }
  if (columns == 0) return;
  const int64_t parts = ceilDivide(count, kScatterPart);
  ScatterSums sums{keys, order, count, rows, columns, 0, add, nullptr, nullptr};
  sums.vectors = columns % 4 == 0 && aligned(x.data, 4 * sizeOf(x.dtype)) && aligned(y.data, 4 * sizeOf(y.dtype));
  sums.heads = room.take<float>(size_t(parts * columns));
  sums.tails = room.take<float>(size_t(parts * columns));
  const unsigned threads = unsigned(std::clamp<int64_t>(roundUpTo(ceilDivide(columns, 4), 32), 32, 128));
  const unsigned blocks = unsigned(ceilDivide(ceilDivide(columns, 4), threads));
  launch.run(kernelName("scatterSums", x.dtype), {blocks, unsigned(parts)}, threads, 0, sums, x.data, y.data);
  if (parts == 1) return;
  launch.run(kernelName("scatterJoin", x.dtype), {blocks, unsigned(parts)}, threads, 0, sums, y.data);
}

}  // namespace

namespace workspaces {

size_t scatterRows(const OpCall& call, const Limits&) {
  const int64_t count = call.in("ids").count(), columns = columnsOf(call);
  const size_t numbers = alignedSize(size_t(count) * sizeof(int32_t));
  const size_t counts = size_t(ceilDivide(count, kSortTile) << kDigitBits) * sizeof(int32_t);
  return 4 * numbers + alignedSize(counts) +
         2 * alignedSize(size_t(ceilDivide(count, kScatterPart) * columns) * sizeof(float));
}
size_t addRows(const OpCall& call, const Limits& limits) { return scatterRows(call, limits); }

}  // namespace workspaces

namespace launchers {

void embedding(Launch& launch) {
  const auto tables = launch.call.list("tables"), ids = launch.call.list("ids");
  const TensorArg& y = launch.call.out("y");
  const int64_t columns = y.dims.back(), count = ids[0].count();
  if (y.count() == 0) return;
  EmbeddingTables all{};
  all.count = int32_t(tables.size());
  constexpr int64_t kGroup = 4;
  bool vectors = columns % kGroup == 0 && aligned(y.data, kGroup * sizeOf(y.dtype));
  for (size_t t = 0; t < tables.size(); ++t) {
    const TensorArg& table = tables[t];
    vectors = vectors && table.strides[0] % kGroup == 0 && aligned(table.data, kGroup * sizeOf(table.dtype));
    all.tables[t] = {table.data, ids[t].i32(), table.dims[0], table.strides[0], rowTypeOf(table.dtype), 0};
  }
  all.vectors = vectors;
  launch.run(kernelName("embedding", y.dtype), {blocksFor(count * ceilDivide(columns, kGroup), kThreads)}, kThreads, 0,
             all, y.data, count, columns, reporterOf(launch));
}

void gatherRows(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &ids = launch.call.in("ids"), &y = launch.call.out("y");
  if (y.count() == 0) return;
  const int64_t bytes = y.count() / ids.count() * int64_t(sizeOf(x.dtype));
  const int unit = unitOf({x.data, y.data}, {bytes});
  launch.run(named("gatherRows", unit), {blocksFor(ids.count() * (bytes / unit), kThreads)}, kThreads, 0, x.data,
             ids.data, y.data, ids.count(), bytes / unit, x.dims[0], reporterOf(launch));
}

void scatterRows(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg& y = call.out("y");
  launch.zero(y.data, size_t(y.count()) * sizeOf(y.dtype));
  sumRows(launch, y, call.integer("rows"), false);
}

void addRows(Launch& launch) {
  const TensorArg& y = launch.call.in("y");
  sumRows(launch, y, y.dims[0], true);
}

void concat(Launch& launch) {
  const TensorArg& y = launch.call.out("y");
  const int axis = int(launch.call.integer("axis"));
  const int64_t size = int64_t(sizeOf(y.dtype));
  int64_t pitch = 1;
  for (int d = axis; d < y.dims.rank(); ++d) pitch *= y.dims[d];
  int64_t offset = 0;
  for (const TensorArg& x : launch.call.list("x")) {
    int64_t run = 1;
    for (int d = axis; d < x.dims.rank(); ++d) run *= x.dims[d];
    char* to = y.as<char>() + offset * size;
    offset += run;
    if (x.count() == 0) continue;
    Walk walk = walkOf(x.dims, x.strides);
    const bool dense = isDense(walk);
    const int unit = dense ? unitOf({x.data, to}, {run * size, pitch * size}) : int(size);
    const int64_t bytes = x.count() * size;
    if (dense) walk = {1, 0, {bytes / unit}, {1}};
    launch.run(named("concat", unit), {blocksFor(bytes / unit, kThreads)}, kThreads, 0, x.data, static_cast<void*>(to),
               walk, bytes / unit, run * size / unit, pitch * size / unit);
  }
}

}  // namespace launchers
}  // namespace duo::cuda
