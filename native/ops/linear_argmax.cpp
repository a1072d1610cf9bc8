// The best token of each row of hidden states, where logits are not asked for. Most of a decoder's step for one text is
// reading the output matrix. A copy of it in 8 bits, with a bound of how far that is from each of its rows, tells which
// few tokens can be the best; their logits alone are computed from the matrix itself.
#include <limits>

#include "cpu/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

void checkArgmax(const OpCall& call) {
  call.expect(call.dim("V") > 0, ErrorCode::kShape, "at least one row of the weight", call.in("weight").dims.text());
  const DType dtype = call.in("codes").dtype;
  call.expect(dtype == DType::kInt8, ErrorCode::kDType, "codes of int8", nameOf(dtype));
}

double argmaxFlops(const OpCall& call) { return 2. * double(call.dim("R") * call.dim("V") * call.dim("K")); }

}  // namespace

void registerLinearArgmax(std::vector<OpDef>& ops) {
  ops.push_back({
      .name =
          "linearArgmax",  // id of each row's largest x·wᵀ, banned tokens counting as -inf; of equal ones the lowest
      .inputs = {{"x", "R K"},
                 {"weight", "V K", Kind::kStored},
                 {"codes", "V K", Kind::kAny},
                 {"scales", "V", Kind::kFloat32},
                 {"bounds", "V", Kind::kFloat32},
                 {.name = "banned", .dims = "B", .kind = Kind::kInt32, .optional = true}},
      .outputs = {{.name = "ids", .dims = "R", .dtype = DType::kInt32}},
      .check = checkArgmax,
      .workspace = cpu::linearArgmaxBytes,
      .usableRows = "logits without NaN",
      .flops = argmaxFlops,
      .cpu = cpu::linearArgmax,
  });
  ops.push_back({
      .name = "screenWeight",  // codes·scale ≈ weight, and for each row how far a product may be off: |x|·bound
      .inputs = {{"weight", "V K", Kind::kStored}},
      .outputs = {{.name = "codes", .dims = "V K", .dtype = DType::kInt8},
                  {.name = "scales", .dims = "V"},
                  {.name = "bounds", .dims = "V"}},
      .cpu = cpu::screenWeight,
  });
}

}  // namespace duo
