// What kernels share: element types, 16-byte accesses, reductions in a fixed order, reports of bad indices.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "cuda/kernels/error_word.h"

namespace duo::cuda {

using f32 = float;
using f16 = __half;
using bf16 = __nv_bfloat16;

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline float toFloat(f32 x) { return x; }
__device__ inline float toFloat(f16 x) { return __half2float(x); }
__device__ inline float toFloat(bf16 x) { return __bfloat162float(x); }

// Round to nearest, ties to even.
template <typename T>
__device__ inline T fromFloat(float x);
template <>
__device__ inline f32 fromFloat<f32>(float x) {
  return x;
}
template <>
__device__ inline f16 fromFloat<f16>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ inline bf16 fromFloat<bf16>(float x) {
  return __float2bfloat16_rn(x);
}

// N elements that are read, and written to the device's memory, at once; 16 bytes by default.
template <typename T, int N = 16 / int(sizeof(T))>
struct alignas(N * sizeof(T)) Vec {
  static constexpr int kCount = N;
  T values[N];

  __device__ T& operator[](int i) { return values[i]; }
  __device__ const T& operator[](int i) const { return values[i]; }
  __device__ static Vec load(const T* p) { return *reinterpret_cast<const Vec*>(p); }
  __device__ void store(T* p) const {
    // Left to the compiler, elements that are made one by one may also be written one by one.
    if constexpr (sizeof(Vec) == 16) {
      uint32_t words[4];
      memcpy(words, values, sizeof(words));
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};\n" ::"l"(__cvta_generic_to_global(p)), "r"(words[0]),
                   "r"(words[1]), "r"(words[2]), "r"(words[3])
                   : "memory");
    } else if constexpr (sizeof(Vec) == 8) {
      uint32_t words[2];
      memcpy(words, values, sizeof(words));
      asm volatile("st.global.v2.b32 [%0], {%1, %2};\n" ::"l"(__cvta_generic_to_global(p)), "r"(words[0]), "r"(words[1])
                   : "memory");
    } else {
      *reinterpret_cast<Vec*>(p) = *this;
    }
  }
};

template <typename T>
__device__ inline bool isAligned(const T* p, int bytes = 16) {
  return (reinterpret_cast<uintptr_t>(p) & uintptr_t(bytes - 1)) == 0;
}

__device__ inline int64_t globalThread() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t globalThreads() { return int64_t(gridDim.x) * blockDim.x; }

struct Sum {
  static constexpr float kStart = 0.f;
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  static constexpr float kStart = -INFINITY;
  __device__ float operator()(float a, float b) const { return a < b || b != b ? b : a; }  // NaN wins
};

// The same value in every lane: a butterfly adds each pair in either order, which is the same sum.
template <typename Op, typename T>
__device__ inline T warpReduce(T x, Op op) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x = op(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
}

// Over all threads of a block of whole warps, the same value in every thread. `scratch`: 32 values in shared memory;
// the block may use it again after its next barrier.
template <typename Op, typename T>
__device__ inline T blockReduce(T x, Op op, T* scratch) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  x = warpReduce(x, op);
  if (warps == 1) return x;
  __syncthreads();
  if (lane == 0) scratch[warp] = x;
  __syncthreads();
  x = lane < warps ? scratch[lane] : T(Op::kStart);
  return warpReduce(x, op);
}

__device__ inline float warpSum(float x) { return warpReduce(x, Sum()); }
__device__ inline float warpMax(float x) { return warpReduce(x, Max()); }
__device__ inline float blockSum(float x, float* scratch) { return blockReduce(x, Sum(), scratch); }
__device__ inline float blockMax(float x, float* scratch) { return blockReduce(x, Max(), scratch); }

// The first report stays; the kernel then takes the row as zeros.
__device__ inline void report(ErrorWord* error, Report kind, uint64_t call, int64_t index, int64_t limit) {
  if (atomicCAS(&error->state, 0u, 1u) != 0u) return;
  error->kind = kind;
  error->call = call;
  error->index = index;
  error->limit = limit;
}
__device__ inline void reportIndex(ErrorWord* error, uint64_t call, int64_t index, int64_t limit) {
  report(error, Report::kIndex, call, index, limit);
}
__device__ inline void reportRow(ErrorWord* error, uint64_t call, int64_t row) {
  report(error, Report::kRow, call, row, 0);
}

}  // namespace duo::cuda
