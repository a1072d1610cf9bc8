// Functions of one variable and gated products, memory-bound: 16 bytes at a time where operands are dense and aligned.
#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/columns.cuh"
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

// In the order of the op's attribute.
enum class Unary { kNeg, kAbs, kSquare, kSqrt, kRsqrt, kExp, kLog, kTanh, kSigmoid, kRelu, kGeluErf, kGeluTanh, kSilu };

__device__ float apply(Unary kind, float x) {
  switch (kind) {
    case Unary::kNeg: return -x;
    case Unary::kAbs: return fabsf(x);
    case Unary::kSquare: return x * x;
    case Unary::kSqrt: return sqrtf(x);
    case Unary::kRsqrt: return 1.f / sqrtf(x);
    case Unary::kExp: return expf(x);
    case Unary::kLog: return logf(x);
    case Unary::kTanh: return tanhf(x);
    case Unary::kSigmoid: return sigmoid(x);
    case Unary::kRelu: return relu(x);
    case Unary::kGeluErf: return geluErf(x);
    case Unary::kGeluTanh: return geluTanh(x);
    default: return silu(x);
  }
}

// dX from dY and `at`, which is x, or y for sqrt, rsqrt, exp, tanh and sigmoid.
__device__ float applyGrad(Unary kind, float at, float d) {
  switch (kind) {
    case Unary::kNeg: return -d;
    case Unary::kAbs: return at > 0.f ? d : (at < 0.f ? -d : d * at);
    case Unary::kSquare: return d * (at + at);
    case Unary::kSqrt: return d / (at + at);
    case Unary::kRsqrt: return d * (at * at * at * -0.5f);
    case Unary::kExp: return d * at;
    case Unary::kLog: return d / at;
    // (1 − y)(1 + y) loses nothing near ±1, where 1 − y² would.
    case Unary::kTanh: return d * ((1.f - at) * (1.f + at));
    case Unary::kSigmoid: return d * (at * (1.f - at));
    case Unary::kRelu: return d * reluGrad(at);
    case Unary::kGeluErf: return d * geluErfGrad(at);
    case Unary::kGeluTanh: return d * geluTanhGrad(at);
    default: return d * siluGrad(at);
  }
}

// fn(i, n): elements i … i + n − 1, in vectors or one by one.
template <typename T, typename Fn>
__device__ void eachVector(int64_t count, bool vectors, const Fn& fn) {
  constexpr int kCount = Vec<T>::kCount;
  for (int64_t i = globalThread() * kCount; i < count; i += globalThreads() * kCount) {
    const bool whole = vectors && i + kCount <= count;
    fn(i, whole ? kCount : int(count - i < kCount ? count - i : kCount), whole);
  }
}

template <typename T>
__device__ Vec<T> loadSome(const T* p, int n, bool whole) {
  if (whole) return Vec<T>::load(p);
  Vec<T> v;
  for (int j = 0; j < Vec<T>::kCount; ++j) v[j] = j < n ? p[j] : fromFloat<T>(0.f);
  return v;
}
template <typename T>
__device__ void storeSome(const Vec<T>& v, T* p, int n, bool whole) {
  if (whole) return v.store(p);
  for (int j = 0; j < Vec<T>::kCount; ++j) {
    if (j < n) p[j] = v[j];
  }
}

template <typename T>
__device__ void unary(const T* x, T* y, int64_t count, bool vectors, Unary kind) {
  eachVector<T>(count, vectors, [&](int64_t i, int n, bool whole) {
    auto v = loadSome(x + i, n, whole);
    for (int j = 0; j < Vec<T>::kCount; ++j) v[j] = fromFloat<T>(apply(kind, toFloat(v[j])));
    storeSome(v, y + i, n, whole);
  });
}

template <typename T>
__device__ void unaryBwd(const T* at, const T* dY, T* dX, int64_t count, bool vectors, Unary kind) {
  eachVector<T>(count, vectors, [&](int64_t i, int n, bool whole) {
    const auto a = loadSome(at + i, n, whole);
    auto v = loadSome(dY + i, n, whole);
    for (int j = 0; j < Vec<T>::kCount; ++j) v[j] = fromFloat<T>(applyGrad(kind, toFloat(a[j]), toFloat(v[j])));
    storeSome(v, dX + i, n, whole);
  });
}

// fn(i, n, whole): elements i … i + n − 1, which lie one after another: eight (`eights`, and fewer at the end), or one.
template <typename Fn>
__device__ void eachGroup(int64_t count, bool eights, const Fn& fn) {
  const int each = eights ? kColumns : 1;
  for (int64_t i = globalThread() * each; i < count; i += globalThreads() * each) {
    const int n = int(count - i < each ? count - i : each);
    fn(i, n, n == kColumns);
  }
}

// y = act(gate) · linear; results are dense
template <typename T>
__device__ void gated(const T* gate, const T* linear, T* y, const Walk& gateWalk, const Walk& linearWalk, int64_t count,
                      bool eights, Act act) {
  const bool small = count < (int64_t(1) << 31);
  eachGroup(count, eights, [&](int64_t i, int n, bool whole) {
    float g[kColumns], l[kColumns];
    loadColumns(gate + offsetOf(gateWalk, i, small), whole, n, g);
    loadColumns(linear + offsetOf(linearWalk, i, small), whole, n, l);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      if (j < n) g[j] = activate(act, g[j]) * l[j];
    }
    storeColumns(y + i, whole, n, g);
  });
}

template <typename T>
__device__ void gatedBwd(const T* gate, const T* linear, const T* dY, T* dGate, T* dLinear, const Walk& gateWalk,
                         const Walk& linearWalk, const Walk& dYWalk, int64_t count, bool eights, Act act) {
  const bool small = count < (int64_t(1) << 31);
  eachGroup(count, eights, [&](int64_t i, int n, bool whole) {
    float g[kColumns], l[kColumns], d[kColumns];
    loadColumns(gate + offsetOf(gateWalk, i, small), whole, n, g);
    loadColumns(linear + offsetOf(linearWalk, i, small), whole, n, l);
    loadColumns(dY + offsetOf(dYWalk, i, small), whole, n, d);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      if (j >= n) continue;
      l[j] = d[j] * l[j] * activateGrad(act, g[j]);
      d[j] *= activate(act, g[j]);
    }
    storeColumns(dGate + i, whole, n, l);
    storeColumns(dLinear + i, whole, n, d);
  });
}

}  // namespace

#define DUO_ACTIVATION(T)                                                                                           \
  extern "C" __global__ void unary_##T(const T* x, T* y, int64_t count, bool vectors, int kind) {                   \
    unary(x, y, count, vectors, Unary(kind));                                                                       \
  }                                                                                                                 \
  extern "C" __global__ void unaryBwd_##T(const T* at, const T* dY, T* dX, int64_t count, bool vectors, int kind) { \
    unaryBwd(at, dY, dX, count, vectors, Unary(kind));                                                              \
  }                                                                                                                 \
  extern "C" __global__ void gated_##T(const T* gate, const T* linear, T* y, Walk gateWalk, Walk linearWalk,        \
                                       int64_t count, bool eights, Act act) {                                       \
    gated(gate, linear, y, gateWalk, linearWalk, count, eights, act);                                               \
  }                                                                                                                 \
  extern "C" __global__ void gatedBwd_##T(const T* gate, const T* linear, const T* dY, T* dGate, T* dLinear,        \
                                          Walk gateWalk, Walk linearWalk, Walk dYWalk, int64_t count, bool eights,  \
                                          Act act) {                                                                \
    gatedBwd(gate, linear, dY, dGate, dLinear, gateWalk, linearWalk, dYWalk, count, eights, act);                   \
  }

DUO_ACTIVATION(f32)
DUO_ACTIVATION(f16)
DUO_ACTIVATION(bf16)
