// dropout: each element of x is zeroed with probability dropoutP, the others scaled so that the mean stays.
#include "ops/dropout.h"

#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {

void registerDropout(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "dropout",  // its own backward: the same call on dY
      .inputs = {{"x", "*", Kind::kFloat, Layout::kRows}},
      .attrs = withDropout({}),
      .outputs = {{"y"}},
      .shapes = [](const OpCall& call) -> std::vector<OutputShape> {
        return {{call.in("x").dims, call.in("x").dtype}};
      },
      .cpu = cpu::dropout,
      .cuda = cuda::dropout,
  });
}

}  // namespace duo
