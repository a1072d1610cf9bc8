// Element types of the safetensors format, and the way from them to the library's own. int64 and float64 exist only
// here.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/dtype.h"

namespace duo {

struct StoredDType {
  std::string_view name;        // as the format spells it
  size_t size;                  // bytes of one element
  std::optional<DType> native;  // what it becomes unless another dtype is asked for; none: tensors of it are not read
};

// Null when the format has no such type.
const StoredDType* findStoredDType(std::string_view name);

// How the format stores elements of `dtype` as they are.
const StoredDType& storedDTypeOf(DType dtype);

// Whether elements of `from` may become `to`: floats become floats, integers integers.
bool isConvertible(const StoredDType& from, DType to);

// Converts `count` elements at `source`, at any alignment, to `target`. Floats are rounded to nearest even. Returns the
// index of the first integer that does not fit `to`, where it stopped; `count` when all did.
int64_t convertStored(const StoredDType& from, const char* source, DType to, void* target, int64_t count);

}  // namespace duo
