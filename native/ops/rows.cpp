// Moving rows by index: embeddings, gather, scatter; and concatenation.
#include "ops/rows.h"

#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

void checkEmbedding(const OpCall& call) {
  const auto tables = call.list("tables"), ids = call.list("ids");
  call.expect(!tables.empty() && tables.size() == ids.size(), ErrorCode::kShape, "as many ids as tables, at least one",
              std::to_string(tables.size()) + " tables and " + std::to_string(ids.size()) + " ids");
  call.expect(tables.size() <= kMaxEmbeddingTables, ErrorCode::kShape,
              "at most " + std::to_string(kMaxEmbeddingTables) + " tables", std::to_string(tables.size()));
  for (size_t i = 0; i < tables.size(); ++i) {
    const TensorArg& table = tables[i];
    call.expect(isFloat(table.dtype), ErrorCode::kDType, "tables of floats", nameOf(table.dtype));
    call.expect(table.dims.rank() == 2 && table.dims[1] == tables[0].dims.back(), ErrorCode::kShape,
                i == 0 ? "a table (V, E)" : "a table (V, " + std::to_string(tables[0].dims.back()) + ")",
                table.dims.text());
    call.expect(ids[i].dims == ids[0].dims, ErrorCode::kShape, "ids " + ids[0].dims.text(), ids[i].dims.text());
  }
}

std::vector<OutputShape> embeddingShapes(const OpCall& call) {
  Dims dims = call.in("ids").dims;
  dims.push(call.in("tables").dims[1]);
  return {{dims, call.in("tables").dtype}};
}

void checkGather(const OpCall& call) {
  call.expect(call.in("x").dims.rank() > 0, ErrorCode::kShape, "x with rows", "a scalar");
}

std::vector<OutputShape> gatherShapes(const OpCall& call) {
  const TensorArg& x = call.in("x");
  Dims dims = call.in("ids").dims;
  for (const int64_t size : x.dims.span().subspan(1)) dims.push(size);
  return {{dims, x.dtype}};
}

void checkScatter(const OpCall& call) {
  const Dims &x = call.in("x").dims, &ids = call.in("ids").dims;
  const bool fits = x.rank() >= ids.rank() && Dims(x.span().first(size_t(ids.rank()))) == ids;
  call.expect(fits, ErrorCode::kShape, "x with a row for each of the ids " + ids.text(), x.text());
}

std::vector<OutputShape> scatterShapes(const OpCall& call) {
  const TensorArg& x = call.in("x");
  Dims dims{call.integer("rows")};
  for (const int64_t size : x.dims.span().subspan(size_t(call.in("ids").dims.rank()))) dims.push(size);
  return {{dims, x.dtype}};
}

// Where each target's rows begin in the sorted order, then that order.
// Where each row's summands begin, and the order of these.
size_t sortBytes(const OpCall& call, int64_t rows) {
  return size_t(rows + 1 + call.in("ids").count()) * sizeof(int32_t);
}
size_t scatterBytes(const OpCall& call) { return sortBytes(call, call.integer("rows")); }
size_t addRowsBytes(const OpCall& call) { return sortBytes(call, call.in("y").dims[0]); }

void checkAddRows(const OpCall& call) {
  checkScatter(call);
  const Dims &y = call.in("y").dims, &x = call.in("x").dims;
  call.expect(y.rank() > 0, ErrorCode::kShape, "y with rows", "a scalar");
  Dims expected{y[0]};
  for (const int64_t size : x.span().subspan(size_t(call.in("ids").dims.rank()))) expected.push(size);
  call.expect(y == expected, ErrorCode::kShape, "y " + expected.text(), y.text());
  call.expect(call.in("y").strides == y.strides(), ErrorCode::kShape, "a dense y", "other strides");
}

void checkConcat(const OpCall& call) {
  const auto xs = call.list("x");
  call.expect(!xs.empty(), ErrorCode::kShape, "at least one tensor", "none");
  const int64_t axis = call.integer("axis");
  call.expect(axis < xs[0].dims.rank(), ErrorCode::kShape, "an axis below " + std::to_string(xs[0].dims.rank()),
              std::to_string(axis));
  for (const TensorArg& x : xs) {
    call.expect(x.dtype == xs[0].dtype, ErrorCode::kDType, nameOf(xs[0].dtype), nameOf(x.dtype));
    Dims expected = xs[0].dims;
    if (x.dims.rank() == expected.rank()) expected[int(axis)] = x.dims[int(axis)];
    call.expect(x.dims == expected, ErrorCode::kShape, expected.text(), x.dims.text());
  }
}

std::vector<OutputShape> concatShapes(const OpCall& call) {
  Dims dims = call.in("x").dims;
  const int axis = int(call.integer("axis"));
  dims[axis] = 0;
  for (const TensorArg& x : call.list("x")) dims[axis] += x.dims[axis];
  return {{dims, call.in("x").dtype}};
}

}  // namespace

void registerRows(std::vector<OpDef>& ops) {
  constexpr double kMaxRows = 2147483647.0;
  ops.push_back({
      .name = "embedding",  // y = Σ of the tables' rows that their ids name; 16-bit tables are read as they are
      .inputs = {{.name = "tables", .dims = "*", .kind = Kind::kAny, .layout = Layout::kRows, .list = true},
                 {.name = "ids", .dims = "*", .kind = Kind::kInt32, .list = true}},
      .outputs = {{"y"}},
      .check = checkEmbedding,
      .shapes = embeddingShapes,
      .cpu = cpu::embedding,
      .cuda = cuda::embedding,
  });
  ops.push_back({
      .name = "gatherRows",  // y[i] = x[ids[i]], rows being what follows the first dimension
      .inputs = {{"x", "*", Kind::kAny}, {"ids", "*", Kind::kInt32}},
      .outputs = {{"y"}},
      .check = checkGather,
      .shapes = gatherShapes,
      .cpu = cpu::gatherRows,
      .cuda = cuda::gatherRows,
  });
  ops.push_back({
      .name = "scatterRows",  // y[r] = Σ of x[i] with ids[i] = r, in the order of i; `skip` is an id that adds nothing
      .inputs = {{"x", "*"}, {"ids", "*", Kind::kInt32}},
      .attrs = {{"rows", AttrType::kInt, std::nullopt, 0, kMaxRows}, {"skip", AttrType::kInt, -1, -1, kMaxRows}},
      .outputs = {{"y"}},
      .check = checkScatter,
      .shapes = scatterShapes,
      .workspace = scatterBytes,
      .cpu = cpu::scatterRows,
      .cuda = cuda::scatterRows,
  });
  ops.push_back({
      .name = "addRows",  // y[r] += Σ of x[i] with ids[i] = r, the sum as scatterRows has it; `skip` likewise
      .inputs = {{.name = "y", .dims = "*", .kind = Kind::kFloat32, .layout = Layout::kStrided, .mutated = true},
                 {"x", "*"},
                 {"ids", "*", Kind::kInt32}},
      .attrs = {{"skip", AttrType::kInt, -1, -1, kMaxRows}},
      .check = checkAddRows,
      .workspace = addRowsBytes,
      .cpu = cpu::addRows,
      .cuda = cuda::addRows,
  });
  ops.push_back({
      .name = "concat",  // tensors one after the other along `axis`
      .inputs = {{.name = "x", .dims = "*", .kind = Kind::kAny, .layout = Layout::kRows, .list = true}},
      .attrs = {{"axis", AttrType::kInt, std::nullopt, 0, kMaxRank - 1}},
      .outputs = {{"y"}},
      .check = checkConcat,
      .shapes = concatShapes,
      .cpu = cpu::concat,
      .cuda = cuda::concat,
  });
}

}  // namespace duo
