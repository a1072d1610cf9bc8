// Reductions over any set of dimensions.
#include "cpu/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

std::vector<OutputShape> reduceShapes(const OpCall& call) {
  const TensorArg& x = call.in("x");
  const int64_t axes = call.integer("axes");
  if (axes >> x.dims.rank() != 0) {
    fail(ErrorCode::kShape, call.def.name, "axes below " + std::to_string(x.dims.rank()), "a higher one");
  }
  Dims dims;
  for (int i = 0; i < x.dims.rank(); ++i) {
    const bool reduced = axes >> i & 1;
    if (!reduced) dims.push(x.dims[i]);
    if (reduced && call.flag("keepDims")) dims.push(1);
    if (reduced && x.dims[i] == 0 && call.integer("kind") != 0) {
      fail(ErrorCode::kShape, call.def.name, "something to reduce", x.dims.text());
    }
  }
  return {{dims, x.dtype}};
}

}  // namespace

void registerReduce(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "reduce",  // y = sum, mean or max of x over the dimensions whose bits are set in axes
      .inputs = {{"x", "*", Kind::kFloat, Layout::kStrided}},
      .attrs = {{"kind", AttrType::kEnum, std::nullopt, 0, 0, {"sum", "mean", "max"}},
                {"axes", AttrType::kInt, std::nullopt, 0, 255},
                {"keepDims", AttrType::kBool, 0}},
      .outputs = {{"y"}},
      .shapes = reduceShapes,
      .cpu = cpu::reduce,
  });
}

}  // namespace duo
