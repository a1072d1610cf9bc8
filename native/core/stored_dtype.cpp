#include "core/stored_dtype.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/half.h"

namespace duo {
namespace {

constexpr StoredDType kStoredDTypes[] = {
    {"F64", 8, DType::kFloat32},   {"F32", 4, DType::kFloat32},  {"F16", 2, DType::kFloat16},
    {"BF16", 2, DType::kBFloat16}, {"I64", 8, DType::kInt32},    {"I32", 4, DType::kInt32},
    {"I8", 1, DType::kInt8},       {"U8", 1, DType::kUint8},     {"BOOL", 1, DType::kUint8},
    {"I16", 2, std::nullopt},      {"U16", 2, std::nullopt},     {"U32", 4, std::nullopt},
    {"U64", 8, std::nullopt},      {"C64", 8, std::nullopt},     {"F8_E4M3", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},  {"F8_E8M0", 1, std::nullopt},
};

template <typename T>
T load(const char* source, int64_t i) {
  T value;
  std::memcpy(&value, source + i * int64_t(sizeof(T)), sizeof(T));
  return value;
}

template <typename From, typename Widen>
void convertFloats(const char* source, Widen widen, DType to, void* target, int64_t count) {
  const auto each = [&](auto* out, auto narrow) {
    for (int64_t i = 0; i < count; ++i) out[i] = narrow(widen(load<From>(source, i)));
  };
  if (to == DType::kFloat32) return each(static_cast<float*>(target), [](float x) { return x; });
  auto* halves = static_cast<uint16_t*>(target);
  return to == DType::kFloat16 ? each(halves, float16FromFloat) : each(halves, bfloat16FromFloat);
}

template <typename From, typename To>
int64_t narrowIntegers(const char* source, void* target, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const From value = load<From>(source, i);
    if (!std::in_range<To>(value)) return i;
    static_cast<To*>(target)[i] = To(value);
  }
  return count;
}

template <typename From>
int64_t convertIntegers(const char* source, DType to, void* target, int64_t count) {
  switch (to) {
    case DType::kInt32: return narrowIntegers<From, int32_t>(source, target, count);
    case DType::kUint8: return narrowIntegers<From, uint8_t>(source, target, count);
    default: return narrowIntegers<From, int8_t>(source, target, count);
  }
}

}  // namespace

const StoredDType* findStoredDType(std::string_view name) {
  for (const StoredDType& dtype : kStoredDTypes) {
    if (dtype.name == name) return &dtype;
  }
  return nullptr;
}

const StoredDType& storedDTypeOf(DType dtype) {
  return *std::ranges::find_if(kStoredDTypes, [dtype](const StoredDType& stored) {
    return stored.native == dtype && stored.size == sizeOf(dtype);
  });
}

bool isConvertible(const StoredDType& from, DType to) { return from.native && isFloat(*from.native) == isFloat(to); }

int64_t convertStored(const StoredDType& from, const char* source, DType to, void* target, int64_t count) {
  const std::string_view name = from.name;
  if (*from.native == to && from.size == sizeOf(to)) {
    std::memcpy(target, source, size_t(count) * from.size);
    return count;
  }
  if (name == "I64") return convertIntegers<int64_t>(source, to, target, count);
  if (name == "I32") return convertIntegers<int32_t>(source, to, target, count);
  if (name == "I8") return convertIntegers<int8_t>(source, to, target, count);
  if (name == "U8" || name == "BOOL") return convertIntegers<uint8_t>(source, to, target, count);
  if (name == "F64") {
    convertFloats<double>(
        source, [](double x) { return float(x); }, to, target, count);
  } else if (name == "F32") {
    convertFloats<float>(
        source, [](float x) { return x; }, to, target, count);
  } else if (name == "F16") {
    convertFloats<uint16_t>(source, floatFromFloat16, to, target, count);
  } else {
    convertFloats<uint16_t>(source, floatFromBFloat16, to, target, count);
  }
  return count;
}

}  // namespace duo
