// Runs PTX texts on the machine, for its own tests.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

#include "../machine.h"

namespace gpusim::selftest {

inline int failures = 0, passed = 0;

inline void expect(bool right, const std::string& what) {
  ++(right ? passed : failures);
  if (!right) std::printf("FAILED: %s\n", what.c_str());
}

struct Device {
  GlobalMemory memory{size_t(1) << 24, true};
  Settings settings;
  Counters counters;

  uint64_t put(const std::vector<uint8_t>& bytes) {
    const uint64_t address = memory.take(bytes.size());
    std::memcpy(reinterpret_cast<void*>(address), bytes.data(), bytes.size());
    memory.markWritten(address, bytes.size());
    return address;
  }

  // Runs the text's first kernel, whose parameters are all of 8 bytes. Returns what went wrong, or nothing.
  std::string run(const std::string& text, const std::vector<uint64_t>& arguments, uint32_t threads,
                  uint32_t blocks = 1, size_t dynamicShared = 0) {
    try {
      auto module = std::make_shared<const Module>(parse(text));
      const auto kernel = decode(module, module->functions.at(0), Places{});
      Launch launch{
          *kernel, {blocks, 1, 1}, {threads, 1, 1}, dynamicShared, std::vector<uint8_t>(kernel->parameterBytes)};
      std::memcpy(launch.parameters.data(), arguments.data(), launch.parameters.size());
      counters = gpusim::run(launch, memory, settings);
      return "";
    } catch (const std::exception& error) {
      return error.what();
    }
  }
};

void testInstructions();
void testControl();
void testMutations();
void testMatrices();

}  // namespace gpusim::selftest
