// What surrounds the products: operands brought into lines that the tensor kernels read, sums of ranges of k, and the
// backward of the epilogue.
#include "cuda/kernels/gemm_epilogue.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

// to (lines, stride) = the `count` elements of `walk`, as lines of `width`, the rest of each line zeros.
extern "C" __global__ void gemmLines(const uint16_t* from, uint16_t* to, Walk walk, int64_t lines, int64_t width,
                                     int64_t stride) {
  const int64_t count = lines * stride;
  const bool small = count < (int64_t(1) << 31);
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int64_t line = small ? uint32_t(i) / uint32_t(stride) : i / stride, column = i - line * stride;
    to[i] = column < width ? from[offsetOf(walk, line * width + column, small)] : uint16_t(0);
  }
}

namespace {

// Adds up the sums of all ranges of k, in their order, and finishes them. A thread takes eight columns of a row.
// Bytes: 4·splits + 2 (bf16) an element, besides the epilogue's operands.
template <typename T>
__device__ void reduceSplits(const GemmProblem& p, const GemmEpilogue& e, int splits) {
  const int64_t groups = (p.n + kColumns - 1) / kColumns, rows = p.batch * p.m;
  for (int64_t i = globalThread(); i < rows * groups; i += globalThreads()) {
    const int64_t row = i / groups, column = i % groups * kColumns;
    const int count = int(min(p.n - column, int64_t(kColumns)));
    const float* from = e.sums + row * p.n + column;
    float x[kColumns] = {};
    for (int s = 0; s < splits; ++s) {
      float part[kColumns] = {};
      loadColumns(from + s * e.splitStride, e.vectors, count, part);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) x[j] += part[j];
    }
    finishColumns<T>(e, row, column, p.n, x);
  }
}

// d = dropout(dy);  dGate = d ⊙ act(z);  dz = d ⊙ gate ⊙ act'(z);  partial sums of dz over the rows of a chunk.
// A thread takes eight columns and the rows of one chunk; absent operands are null, and z is there where it is needed.
// Bytes: those of dy, z, gate, dz and dGate, once each.
template <typename T>
__device__ void epilogueBackward(const T* dy, const T* z, const T* gate, T* dz, T* dGate, float* sums, int64_t rows,
                                 int64_t n, int64_t height, const GemmEpilogue& e) {
  const int64_t column = globalThread() * kColumns;
  if (column >= n) return;
  const int count = int(min(n - column, int64_t(kColumns)));
  const bool vectors = e.vectors;
  const Act act = Act(e.act);
  float total[kColumns] = {};
  const int64_t begin = int64_t(blockIdx.y) * height, end = min(begin + height, rows);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row * n + column;
    float d[kColumns] = {}, x[kColumns] = {}, other[kColumns] = {};
    loadColumns(dy + at, vectors, count, d);
    if (z) loadColumns(z + at, vectors, count, x);
    if (e.threshold) {
      const uint4 words = dropoutWords(e, row, column, n);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) d[j] = draw(words, j) < e.threshold ? 0.f : d[j] * e.scale;
    }
    if (dGate) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) other[j] = x[j];
      activateColumns(act, other);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) other[j] *= d[j];
      storeColumns(dGate + at, vectors, count, other);
    }
    if (gate) {
      loadColumns(gate + at, vectors, count, other);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) d[j] *= other[j];
    }
    if (act != Act::kNone) {
      activateGradColumns(act, x);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) d[j] *= x[j];
    }
    if (dz) storeColumns(dz + at, vectors, count, d);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) total[j] += d[j];
  }
  if (sums) storeColumns(sums + int64_t(blockIdx.y) * n + column, vectors, count, total);
}

}  // namespace

// y (n) = Σ over `chunks` of sums (chunks, n), in order
extern "C" __global__ void columnSums(const float* sums, float* y, int64_t chunks, int64_t n) {
  for (int64_t j = globalThread(); j < n; j += globalThreads()) {
    float total = 0;
    for (int64_t i = 0; i < chunks; ++i) total += sums[i * n + j];
    y[j] = total;
  }
}

#define DUO_GEMM_SUPPORT(T)                                                                                     \
  extern "C" __global__ void __launch_bounds__(128) gemmReduce_##T(GemmProblem p, GemmEpilogue e, int splits) { \
    reduceSplits<T>(p, e, splits);                                                                              \
  }                                                                                                             \
  extern "C" __global__ void __launch_bounds__(128)                                                             \
      gemmEpilogueBwd_##T(const T* dy, const T* z, const T* gate, T* dz, T* dGate, float* sums, int64_t rows,   \
                          int64_t n, int64_t height, GemmEpilogue e) {                                          \
    epilogueBackward<T>(dy, z, gate, dz, dGate, sums, rows, n, height, e);                                      \
  }

DUO_GEMM_SUPPORT(f32)
DUO_GEMM_SUPPORT(f16)
DUO_GEMM_SUPPORT(bf16)
