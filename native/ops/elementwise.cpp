// Element-wise ops: arithmetic with broadcasting, in-place fill and accumulation, conversion between dtypes.
#include <algorithm>
#include <limits>

#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Right-aligned broadcasting: dimensions are equal, or one of them is 1.
std::vector<OutputShape> broadcastShapes(const OpCall& call) {
  const TensorArg &a = call.in("a"), &b = call.in("b");
  const int rank = std::max(a.dims.rank(), b.dims.rank());
  Dims dims;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - rank + a.dims.rank(), ib = i - rank + b.dims.rank();
    const int64_t da = ia < 0 ? 1 : a.dims[ia], db = ib < 0 ? 1 : b.dims[ib];
    if (da != db && da != 1 && db != 1) {
      fail(ErrorCode::kShape, call.def.name, "b to broadcast with a " + a.dims.text(), b.dims.text());
    }
    dims.push(da == 1 ? db : da);
  }
  return {{dims, a.dtype}};
}

std::vector<OutputShape> sameShape(const OpCall& call) { return {{call.in("x").dims, call.in("x").dtype}}; }

std::vector<OutputShape> castShapes(const OpCall& call) { return {{call.in("x").dims, DType(call.integer("dtype"))}}; }

void checkSameShape(const OpCall& call) { call.expectShape("y", call.in("x").dims); }

}  // namespace

void registerElementwise(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "binary",  // y = a <op> b
      .inputs = {{"a", "*", Kind::kFloat, Layout::kStrided}, {"b", "*", Kind::kFloat, Layout::kStrided}},
      .attrs = {{"op", AttrType::kEnum, std::nullopt, 0, 0, {"add", "sub", "mul", "div"}}},
      .outputs = {{"y"}},
      .shapes = broadcastShapes,
      .cpu = cpu::binary,
      .cuda = cuda::binary,
  });
  ops.push_back({
      .name = "affine",  // y = scale · x + shift
      .inputs = {{"x", "*"}},
      .attrs = {{"scale", AttrType::kFloat, 1, -kInfinity, kInfinity},
                {"shift", AttrType::kFloat, 0, -kInfinity, kInfinity}},
      .outputs = {{"y"}},
      .shapes = sameShape,
      .cpu = cpu::affine,
      .cuda = cuda::affine,
  });
  ops.push_back({
      .name = "fill",  // x = value
      .inputs = {{.name = "x", .dims = "*", .kind = Kind::kAny, .layout = Layout::kStrided, .mutated = true}},
      .attrs = {{"value", AttrType::kFloat, std::nullopt, -kInfinity, kInfinity}},
      .cpu = cpu::fill,
      .cuda = cuda::fill,
  });
  ops.push_back({
      .name = "accumulate",  // x += y, for gradients: float32 whatever y is
      .inputs = {{.name = "x", .dims = "*", .kind = Kind::kFloat32, .layout = Layout::kStrided, .mutated = true},
                 {"y", "*", Kind::kFloat, Layout::kStrided}},
      .check = checkSameShape,
      .cpu = cpu::accumulate,
      .cuda = cuda::accumulate,
  });
  ops.push_back({
      .name = "scale",  // x *= factor: a gradient that forward computed, by the one that arrives
      .inputs = {{.name = "x", .dims = "*", .kind = Kind::kFloat32, .layout = Layout::kStrided, .mutated = true},
                 {"factor", ""}},
      .cpu = cpu::scale,
      .cuda = cuda::scale,
  });
  ops.push_back({
      .name = "cast",  // y = x in another dtype; floats round to nearest even, to integers they truncate and saturate
      .inputs = {{"x", "*", Kind::kAny, Layout::kStrided}},
      .attrs = {{"dtype",
                 AttrType::kEnum,
                 std::nullopt,
                 0,
                 0,
                 {"float32", "float16", "bfloat16", "int32", "uint8", "int8"}}},
      .outputs = {{"y"}},
      .shapes = castShapes,
      .cpu = cpu::cast,
      .cuda = cuda::cast,
  });
}

}  // namespace duo
