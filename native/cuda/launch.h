// What a launcher gets: the call with addresses of the device, and the ways to queue work on the call's stream.
#pragma once
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda/column.h"
#include "cuda/kernels/error_word.h"
#include "ops/registry.h"

namespace duo::cuda {

class Stream;

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

class Launch {
 public:
  Launch(const OpCall& call, uint64_t callNumber, void* workspace, Stream& stream);

  const OpCall& call;  // data pointers are device addresses; call.host(...) are host copies
  const Limits& limits;
  const bool tf32;            // float32 products may round their operands to tf32
  void* const workspace;      // aligned to 256 bytes, of column.workspace(call, limits) bytes, uninitialised
  ErrorWord* const error;     // on the device
  const uint64_t callNumber;  // what a report to the error word names

  template <typename T>
  T* scratch() const {
    return static_cast<T*>(workspace);
  }

  // Queues `kernel`. Arguments are passed by value, exactly in the types of the kernel's parameters.
  template <typename... Args>
  void run(const std::string& kernel, Dim3 grid, unsigned threads, size_t dynamicShared, const Args&... args) {
    static_assert((std::is_trivially_copyable_v<Args> && ...));
    void* parameters[] = {const_cast<void*>(static_cast<const void*>(&args))..., nullptr};
    launch(kernel, grid, threads, dynamicShared, parameters);
  }

  // Copies in the stream's order; `host` may go away when this returns.
  template <typename T>
  void upload(T* device, const std::vector<T>& host) {
    static_assert(std::is_trivially_copyable_v<T>);
    uploadBytes(device, host.data(), host.size() * sizeof(T));
  }
  void zero(void* device, size_t bytes);
  void copy(void* to, const void* from, size_t bytes);

 private:
  void launch(const std::string& kernel, Dim3 grid, unsigned threads, size_t dynamicShared, void** parameters);
  void uploadBytes(void* device, const void* host, size_t bytes);

  Stream& stream_;
};

const char* suffix(DType dtype);  // "f32", "f16", "bf16", "i32", "u8", "i8"
// "rmsNorm_bf16": how kernels of several element types are named.
std::string kernelName(const char* name, DType dtype);

// Blocks of `threads` that cover `count`, at most `most`: kernels walk on by the size of the grid.
unsigned blocksFor(int64_t count, int64_t threads, unsigned most = 65535);

}  // namespace duo::cuda
