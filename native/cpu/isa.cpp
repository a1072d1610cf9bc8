#include "cpu/isa.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"

namespace duo::cpu {
namespace {

constexpr const char* kNames[kNumIsas] = {"scalar", "avx2", "avx512", "neon"};

bool available(Isa isa) {
  switch (isa) {
    case Isa::kScalar: return true;
#if defined(__x86_64__)
    case Isa::kAvx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#elif defined(__aarch64__)
    case Isa::kNeon: return true;  // part of the architecture
#endif
    default: return false;
  }
}

Isa chooseIsa() {
  if (const char* wanted = std::getenv("DUOFORMER_ISA")) {
    std::string choices;
    for (int i = 0; i < kNumIsas; ++i) {
      if (!available(Isa(i))) continue;
      if (std::string_view(wanted) == kNames[i]) return Isa(i);
      choices += choices.empty() ? kNames[i] : std::string(" or ") + kNames[i];
    }
    fail(ErrorCode::kConfig, "DUOFORMER_ISA", choices, wanted);
  }
  // NEON is compiled, but the op suite has never run on it: only when asked for.
  if (available(Isa::kAvx512)) return Isa::kAvx512;
  return available(Isa::kAvx2) ? Isa::kAvx2 : Isa::kScalar;
}

}  // namespace

const char* nameOf(Isa isa) { return kNames[int(isa)]; }

Isa activeIsa() {
  static const Isa isa = chooseIsa();
  return isa;
}

}  // namespace duo::cpu
