// Instruction sets that kernels are compiled for. Each kernel file is compiled once per set, with DUO_ISA naming the
// namespace its code lives in: the linker then cannot merge helpers that were built with other flags.
#pragma once

namespace duo::cpu {

enum class Isa { kScalar, kAvx2, kAvx512, kNeon };
constexpr int kNumIsas = 4;

const char* nameOf(Isa isa);
// Chosen once, when first asked: DUOFORMER_ISA (throws a config error when this machine cannot run it), else the best
// set that the op suite has run on.
Isa activeIsa();

}  // namespace duo::cpu
