// A CUDA device as a backend.
#pragma once
#include <memory>
#include <string>

#include "ops/backend.h"

namespace duo::cuda {

// Throws a device error that names what is missing.
std::unique_ptr<Backend> makeBackend(int ordinal);

struct DeviceDescription {
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0;
  size_t memory = 0;
};
// Throws likewise, also for a device that is there but too old.
DeviceDescription describeDevice(int ordinal);
int deviceCount();  // throws likewise
const char* buildDescription();

}  // namespace duo::cuda
