// What kernels report: the first index that lies outside its table, or row that the op cannot use. Shared by host and
// device code.
#pragma once
#include <cstdint>

namespace duo::cuda {

enum class Report : uint32_t {
  kIndex,  // `index` is not in [0, limit)
  kRow,    // row `index` is not as the op's OpDef::usableRows asks
};

struct ErrorWord {
  uint32_t state;  // 0: no error; else one was reported, and steps that change parameters do nothing
  Report kind;
  uint64_t call;  // number of the queued call that failed
  int64_t index, limit;
};

}  // namespace duo::cuda
