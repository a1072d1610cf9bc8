// An op's CUDA column: what queues its kernels on a stream, and how the operands must come.
#pragma once
#include <cstddef>

namespace duo {
class OpCall;
}

namespace duo::cuda {

class Launch;

// What a device can do, as far as choices of tiles depend on it.
struct Limits {
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  size_t sharedPerBlock = 0;  // bytes, with the opt-in for large shared memory
};

using Launcher = void (*)(Launch&);
// Bytes of scratch memory; depends on shapes, dtypes, host copies and limits alone.
using WorkspaceRule = size_t (*)(const OpCall&, const Limits&);

enum class Operands {
  // As on the CPU: 16-bit Kind::kFloat inputs arrive as float32 and outputs are converted back, by kernels of their
  // own.
  kFloat32,
  // The kernel takes float32, float16 and bfloat16 itself. All Kind::kFloat inputs then have one dtype; where they
  // differ, all come as float32.
  kNative,
};

struct Column {
  Launcher launch = nullptr;
  WorkspaceRule workspace = nullptr;  // null: none
  Operands operands = Operands::kFloat32;
  bool present() const { return launch != nullptr; }
};

}  // namespace duo::cuda
