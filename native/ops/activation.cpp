// Functions of one variable, and gated products act(gate) · linear.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {

void registerActivation(std::vector<OpDef>& ops) {
  const AttrSpec kind = {"kind",
                         AttrType::kEnum,
                         std::nullopt,
                         0,
                         0,
                         // In the order of Unary in native/cpu/activation.cpp.
                         {"neg", "abs", "square", "sqrt", "rsqrt", "exp", "log", "tanh", "sigmoid", "relu", "geluErf",
                          "geluTanh", "silu"}};
  // In the order of Gate.
  const AttrSpec gate = {"kind", AttrType::kEnum, std::nullopt, 0, 0, {"relu", "geluErf", "geluTanh", "silu"}};
  ops.push_back({
      .name = "unary",  // y = f(x)
      .inputs = {{"x", "..."}},
      .attrs = {kind},
      .outputs = {{"y", "...", "x"}},
      .cpu = cpu::unary,
      .cuda = cuda::unary,
  });
  ops.push_back({
      .name = "unaryBwd",  // dX = dY · f'; `at` is x, or y where f' is simpler in y: sqrt, rsqrt, exp, tanh, sigmoid
      .inputs = {{"at", "..."}, {"dY", "..."}},
      .attrs = {kind},
      .outputs = {{"dX", "...", "at"}},
      .cpu = cpu::unaryBwd,
      .cuda = cuda::unaryBwd,
  });
  ops.push_back({
      .name = "gated",  // y = act(gate) · linear
      .inputs = {{"gate", "...", Kind::kFloat, Layout::kRows}, {"linear", "...", Kind::kFloat, Layout::kRows}},
      .attrs = {gate},
      .outputs = {{"y", "...", "gate"}},
      .cpu = cpu::gated,
      .cuda = cuda::gated,
  });
  ops.push_back({
      .name = "gatedBwd",
      .inputs = {{"gate", "...", Kind::kFloat, Layout::kRows},
                 {"linear", "...", Kind::kFloat, Layout::kRows},
                 {"dY", "...", Kind::kFloat, Layout::kRows}},
      .attrs = {gate},
      .outputs = {{"dGate", "...", "gate"}, {"dLinear", "...", "linear"}},
      .cpu = cpu::gatedBwd,
      .cuda = cuda::gatedBwd,
  });
}

}  // namespace duo
