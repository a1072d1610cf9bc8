// What kernels report: the first index that lies outside its table. Shared by host and device code.
#pragma once
#include <cstdint>

namespace duo::cuda {

struct ErrorWord {
  uint32_t state;  // 0: no error; else one was reported, and steps that change parameters do nothing
  uint32_t reserved;
  uint64_t call;  // number of the queued call that failed
  int64_t index, limit;
};

}  // namespace duo::cuda
