#include "core/dtype.h"

namespace duo {

size_t sizeOf(DType dtype) {
  constexpr size_t kSizes[kNumDTypes] = {4, 2, 2, 4, 1, 1};
  return kSizes[static_cast<int>(dtype)];
}

const char* nameOf(DType dtype) {
  constexpr const char* kNames[kNumDTypes] = {"float32", "float16", "bfloat16", "int32", "uint8", "int8"};
  return kNames[static_cast<int>(dtype)];
}

}  // namespace duo
