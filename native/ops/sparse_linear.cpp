// A linear layer whose input is zero in many places, as after ReLU: what the zeros would multiply is not read.
#include "cpu/kernels.h"
#include "ops/families.h"

namespace duo {

void registerSparseLinear(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "sparseLinear",  // y = x·b + residual; a zero of x counts as nothing, whatever it would multiply
      .inputs = {{"x", "R K", Kind::kFloat32},
                 {"b", "K N", Kind::kFloat32},
                 {.name = "residual", .dims = "R N", .kind = Kind::kFloat32, .optional = true}},
      .outputs = {{.name = "y", .dims = "R N"}},
      .workspace = cpu::sparseLinearBytes,
      .flops = [](const OpCall& call) { return 2. * double(call.dim("R") * call.dim("K") * call.dim("N")); },
      .cpu = cpu::sparseLinear,
  });
}

}  // namespace duo
