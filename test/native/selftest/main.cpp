// A self-test without Node: the main kernels through Device and OpCall, forward and backward, against plain loops in
// double. It shows that the kernels of an instruction set run where the op suite cannot (NEON under user-mode
// emulation).
//   selftest [OP]   with OP the expected values of that op are altered: its checks must then fail
#include <cstdio>
#include <exception>

#include "harness.h"

using namespace duo;
using namespace duo::selftest;

namespace {

struct Group {
  const char* name;
  void (*check)(Harness&);
};

constexpr Group kGroups[] = {
    {"elementwise", checkElementwise}, {"gemm", checkGemm}, {"rows", checkRows}, {"attention", checkAttention}};

int runAll(const char* altered) {
  std::printf("instruction set: %s\n", cpuRuntime().isa);
  Harness harness(altered);
  for (const Group& group : kGroups) {
    try {
      group.check(harness);
    } catch (const std::exception& error) {
      harness.fails(group.name, error.what());
    }
  }
  std::printf("%d checks, %d failed\n", harness.checks(), harness.failures());
  return harness.failures() > 0;
}

}  // namespace

int main(int count, char** arguments) {
  // Line by line: what was printed is there whatever ends the process.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    return runAll(count > 1 ? arguments[1] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
