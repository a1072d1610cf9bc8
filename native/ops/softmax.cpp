// softmax and its logarithm over the last dimension.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {

void registerSoftmax(std::vector<OpDef>& ops) {
  const AttrSpec log = {"log", AttrType::kBool, 0};
  ops.push_back({
      .name = "softmax",  // y = e^x / Σ e^x, or its logarithm; a row of −inf alone gives 0 (−inf)
      .inputs = {{"x", "... V", Kind::kFloat, Layout::kRows}},
      .attrs = {log},
      .outputs = {{"y", "... V", "x"}},
      .cpu = cpu::softmax,
      .cuda = cuda::softmax,
  });
  ops.push_back({
      .name = "softmaxBwd",
      .inputs = {{"y", "... V", Kind::kFloat, Layout::kRows}, {"dY", "... V", Kind::kFloat, Layout::kRows}},
      .attrs = {log},
      .outputs = {{"dX", "... V", "y"}},
      .cpu = cpu::softmaxBwd,
      .cuda = cuda::softmaxBwd,
  });
}

}  // namespace duo
