// The simulator's own tests: instructions against values that follow from the PTX ISA, and broken kernels that its
// checks must find.
#include "program.h"

int main() {
  using namespace gpusim::selftest;
  testInstructions();
  testControl();
  testMatrices();
  testMutations();
  std::printf("%d passed, %d failed\n", passed, failures);
  return failures == 0 ? 0 : 1;
}
