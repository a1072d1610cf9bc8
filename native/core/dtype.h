// Element types of tensors. int64 exists only at the JavaScript border, where ids are narrowed to int32.
#pragma once
#include <cstddef>
#include <cstdint>

namespace duo {

enum class DType : uint8_t { kFloat32, kFloat16, kBFloat16, kInt32, kUint8, kInt8 };
constexpr int kNumDTypes = 6;

size_t sizeOf(DType dtype);
const char* nameOf(DType dtype);  // "float32", as JavaScript spells it

constexpr bool isFloat(DType t) { return t == DType::kFloat32 || t == DType::kFloat16 || t == DType::kBFloat16; }

}  // namespace duo
