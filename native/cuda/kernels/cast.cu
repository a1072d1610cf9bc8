// Conversion between element types, from strided to dense: the op `cast`, and operands that a kernel wants otherwise.
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

using i32 = int32_t;
using u8 = uint8_t;
using i8 = int8_t;

__device__ float widen(f32 x) { return x; }
__device__ float widen(f16 x) { return toFloat(x); }
__device__ float widen(bf16 x) { return toFloat(x); }
__device__ float widen(i32 x) { return float(x); }
__device__ float widen(u8 x) { return float(x); }
__device__ float widen(i8 x) { return float(x); }

// Truncates like C, but saturates; NaN becomes 0. The bounds are exact in double.
template <typename T>
__device__ T toInteger(float x, double least, double most) {
  if (x != x) return T(0);
  return T(fmin(fmax(double(x), least), most));
}

template <typename To>
struct Narrow {
  __device__ static To from(float x) { return fromFloat<To>(x); }
};
template <>
struct Narrow<i32> {
  __device__ static i32 from(float x) { return toInteger<i32>(x, -2147483648.0, 2147483647.0); }
};
template <>
struct Narrow<u8> {
  __device__ static u8 from(float x) { return toInteger<u8>(x, 0.0, 255.0); }
};
template <>
struct Narrow<i8> {
  __device__ static i8 from(float x) { return toInteger<i8>(x, -128.0, 127.0); }
};

// y[i] = fn(x at i), eight elements a thread where they lie one after another (`eights`).
template <typename From, typename To, typename Fn>
__device__ void mapStrided(const From* x, To* y, const Walk& walk, int64_t count, bool eights, const Fn& fn) {
  constexpr int kEach = 8;
  const bool small = count < (int64_t(1) << 31);
  if (!eights) {
    for (int64_t i = globalThread(); i < count; i += globalThreads()) y[i] = fn(x[offsetOf(walk, i, small)]);
    return;
  }
  for (int64_t i = globalThread() * kEach; i < count; i += globalThreads() * kEach) {
    const From* from = x + offsetOf(walk, i, small);
    if (i + kEach <= count) {
      constexpr int kIn = sizeof(From) == 1 ? kEach : Vec<From>::kCount,
                    kOut = sizeof(To) == 1 ? kEach : Vec<To>::kCount;
      To out[kEach];
#pragma unroll
      for (int j = 0; j < kEach; j += kIn) {
        const auto v = Vec<From, kIn>::load(from + j);
#pragma unroll
        for (int k = 0; k < kIn; ++k) out[j + k] = fn(v[k]);
      }
#pragma unroll
      for (int j = 0; j < kEach; j += kOut) {
        Vec<To, kOut> v;
#pragma unroll
        for (int k = 0; k < kOut; ++k) v[k] = out[j + k];
        v.store(y + i + j);
      }
    } else {
      for (int j = 0; i + j < count; ++j) y[i + j] = fn(from[j]);
    }
  }
}

}  // namespace

#define DUO_CAST(From, To)                                                                                     \
  extern "C" __global__ void cast_##From##_##To(const From* x, To* y, Walk walk, int64_t count, bool eights) { \
    mapStrided(x, y, walk, count, eights, [](From v) { return Narrow<To>::from(widen(v)); });                  \
  }
DUO_CAST(f32, f16)
DUO_CAST(f32, bf16)
DUO_CAST(f32, i32)
DUO_CAST(f32, u8)
DUO_CAST(f32, i8)
DUO_CAST(f16, f32)
DUO_CAST(f16, bf16)
DUO_CAST(f16, i32)
DUO_CAST(f16, u8)
DUO_CAST(f16, i8)
DUO_CAST(bf16, f32)
DUO_CAST(bf16, f16)
DUO_CAST(bf16, i32)
DUO_CAST(bf16, u8)
DUO_CAST(bf16, i8)
DUO_CAST(i32, f32)
DUO_CAST(i32, f16)
DUO_CAST(i32, bf16)
DUO_CAST(i32, u8)
DUO_CAST(i32, i8)
DUO_CAST(u8, f32)
DUO_CAST(u8, f16)
DUO_CAST(u8, bf16)
DUO_CAST(u8, i32)
DUO_CAST(u8, i8)
DUO_CAST(i8, f32)
DUO_CAST(i8, f16)
DUO_CAST(i8, bf16)
DUO_CAST(i8, i32)
DUO_CAST(i8, u8)

// The same type: bits stay, whatever they say. By size of an element.
extern "C" __global__ void copy_4(const uint32_t* x, uint32_t* y, Walk walk, int64_t count, bool eights) {
  mapStrided(x, y, walk, count, eights, [](uint32_t v) { return v; });
}
extern "C" __global__ void copy_2(const uint16_t* x, uint16_t* y, Walk walk, int64_t count, bool eights) {
  mapStrided(x, y, walk, count, eights, [](uint16_t v) { return v; });
}
extern "C" __global__ void copy_1(const uint8_t* x, uint8_t* y, Walk walk, int64_t count, bool eights) {
  mapStrided(x, y, walk, count, eights, [](uint8_t v) { return v; });
}
