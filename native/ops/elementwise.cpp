// Element-wise ops: binary arithmetic with broadcasting.
#include <algorithm>

#include "cpu/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

// Right-aligned broadcasting: dimensions are equal, or one of them is 1.
std::vector<OutputShape> broadcastShapes(const OpCall& call) {
  const TensorArg &a = call.in("a"), &b = call.in("b");
  const int rank = std::max(a.dims.rank(), b.dims.rank());
  Dims dims;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - rank + a.dims.rank(), ib = i - rank + b.dims.rank();
    const int64_t da = ia < 0 ? 1 : a.dims[ia], db = ib < 0 ? 1 : b.dims[ib];
    call.expect(da == db || da == 1 || db == 1, ErrorCode::kShape, "b to broadcast with a " + a.dims.text(),
                b.dims.text());
    dims.push(da == 1 ? db : da);
  }
  return {{dims, a.dtype}};
}

}  // namespace

void registerElementwise(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "binary",  // y = a <op> b
      .inputs = {{"a", "*", Kind::kFloat, Layout::kStrided}, {"b", "*", Kind::kFloat, Layout::kStrided}},
      .attrs = {{"op", AttrType::kEnum, std::nullopt, 0, 0, {"add", "sub", "mul", "div"}}},
      .outputs = {{"y"}},
      .shapes = broadcastShapes,
      .cpu = cpu::binary,
  });
}

}  // namespace duo
