// Reductions over any set of dimensions.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
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

// Room for partial sums, whichever way they are cut: at most one for each 128 elements.
size_t partialBytes(const OpCall& call) {
  const int64_t outputs = reduceShapes(call)[0].dims.count(), count = outputs ? call.in("x").count() / outputs : 0;
  return size_t(outputs * (count / 128 + 1)) * sizeof(float);
}

void checkMaxBwd(const OpCall& call) {
  const int64_t outputs = call.in("y").count();
  call.expect(call.in("dY").count() == outputs, ErrorCode::kShape, "dY " + call.in("y").dims.text(),
              call.in("dY").dims.text());
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
      .workspace = partialBytes,
      .cpu = cpu::reduce,
      .cuda = cuda::reduce,
  });
  ops.push_back({
      .name = "maxBwd",  // dX = dY at the first of the maxima that y holds, else 0
      .inputs = {{"x", "..."}, {"y", "*"}, {"dY", "*"}},
      .attrs = {{"axes", AttrType::kInt, std::nullopt, 0, 255}},
      .outputs = {{"dX", "...", "x"}},
      .check = checkMaxBwd,
      .cpu = cpu::maxBwd,
      .cuda = cuda::maxBwd,
  });
}

}  // namespace duo
