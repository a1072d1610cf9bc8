// The two kinds of device that ops run on.
#pragma once
#include <cstdint>

namespace duo {

enum class DeviceKind : uint8_t { kCpu, kCuda };

}  // namespace duo
