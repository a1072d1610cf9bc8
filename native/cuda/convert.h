// Copies of tensors on the device, dense and in another element type.
#pragma once
#include "ops/registry.h"

namespace duo::cuda {

class Launch;

// to = from, element by element in row-major order; `to` is dense. The same type keeps every bit.
void convert(Launch& launch, const TensorArg& from, void* to, DType type);

}  // namespace duo::cuda
