#include "cuda/launch.h"

#include <algorithm>

#include "cuda/stream.h"

namespace duo::cuda {

Launch::Launch(const OpCall& call, uint64_t callNumber, void* workspace, Stream& stream)
    : call(call),
      limits(stream.context().limits()),
      tf32(call.tf32),
      workspace(workspace),
      error(stream.errorWord()),
      callNumber(callNumber),
      stream_(stream) {}

void Launch::launch(const std::string& kernel, Dim3 grid, unsigned threads, size_t dynamicShared, void** parameters) {
  const CUfunction function = stream_.context().function(kernel, dynamicShared);
  stream_.launch(function, {grid.x, grid.y, grid.z}, threads, dynamicShared, parameters, kernel);
}

void Launch::uploadBytes(void* device, const void* host, size_t bytes) { stream_.write(device, host, bytes); }

void Launch::zero(void* device, size_t bytes) { stream_.zero(device, bytes); }

void Launch::copy(void* to, const void* from, size_t bytes) { stream_.copy(to, from, bytes); }

const char* suffix(DType dtype) {
  constexpr const char* kSuffixes[kNumDTypes] = {"f32", "f16", "bf16", "i32", "u8", "i8"};
  return kSuffixes[int(dtype)];
}

std::string kernelName(const char* name, DType dtype) { return std::string(name) + "_" + suffix(dtype); }

unsigned blocksFor(int64_t count, int64_t threads, unsigned most) {
  return unsigned(std::clamp<int64_t>((count + threads - 1) / threads, 1, most));
}

}  // namespace duo::cuda
