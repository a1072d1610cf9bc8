// The end of a product: a warp's tile goes through shared memory, from where lanes take eight columns of a row each,
// finish them, and write 16 bytes (or 32 of float32) at a time.
#pragma once
#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/columns.cuh"
#include "cuda/kernels/gemm_params.h"
#include "cuda/kernels/mma.cuh"
#include "cuda/kernels/philox.cuh"

namespace duo::cuda {

// Floats between rows of a staged tile: with 8 more than a multiple of 32, the rows that a half-warp writes two columns
// of lie in different banks.
template <int kWidth>
constexpr int kStagedStride = kWidth + 8;

__device__ inline uint4 dropoutWords(const GemmEpilogue& e, int64_t row, int64_t column, int64_t columns) {
  return drawWords({e.seed, e.site, e.step}, (dropoutRowStart(row, columns) + uint64_t(column)) / kColumns);
}

template <typename Fn>
__device__ inline void eachColumn(float (&x)[kColumns], const Fn& fn) {
#pragma unroll
  for (int j = 0; j < kColumns; ++j) x[j] = fn(x[j]);
}

// The activation of eight values, and its derivative: one branch for all of them.
__device__ inline void activateColumns(Act act, float (&x)[kColumns]) {
  switch (act) {
    case Act::kNone: break;
    case Act::kRelu: eachColumn(x, [](float v) { return relu(v); }); break;
    case Act::kGeluErf: eachColumn(x, [](float v) { return geluErf(v); }); break;
    case Act::kGeluTanh: eachColumn(x, [](float v) { return geluTanh(v); }); break;
    case Act::kSilu: eachColumn(x, [](float v) { return silu(v); }); break;
  }
}
__device__ inline void activateGradColumns(Act act, float (&x)[kColumns]) {
  switch (act) {
    case Act::kNone: eachColumn(x, [](float) { return 1.f; }); break;
    case Act::kRelu: eachColumn(x, [](float v) { return reluGrad(v); }); break;
    case Act::kGeluErf: eachColumn(x, [](float v) { return geluErfGrad(v); }); break;
    case Act::kGeluTanh: eachColumn(x, [](float v) { return geluTanhGrad(v); }); break;
    case Act::kSilu: eachColumn(x, [](float v) { return siluGrad(v); }); break;
  }
}

// Columns column … column + 7 (a multiple of 8, below n) of a row of the whole batch, from their sums.
template <typename T>
__device__ inline void finishColumns(const GemmEpilogue& e, int64_t row, int64_t column, int64_t n,
                                     float (&x)[kColumns]) {
  const int count = int(n - column < kColumns ? n - column : kColumns);
  const bool vectors = e.vectors;
  const int64_t at = row * n + column;
  float other[kColumns] = {};
#pragma unroll
  for (int j = 0; j < kColumns; ++j) x[j] *= e.alpha;
  if (e.c) {
    loadColumns(static_cast<const T*>(e.c) + at, vectors, count, other);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) x[j] = fmaf(e.beta, other[j], x[j]);
  }
  if (e.bias) {
    loadColumns(static_cast<const T*>(e.bias) + column, vectors, count, other);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) x[j] += other[j];
  }
  if (e.z) storeColumns(static_cast<T*>(e.z) + at, vectors, count, x);
  activateColumns(Act(e.act), x);
  if (e.gate) {
    loadColumns(static_cast<const T*>(e.gate) + at, vectors, count, other);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) x[j] *= other[j];
  }
  if (e.threshold) {
    const uint4 words = dropoutWords(e, row, column, n);
    // What is dropped is 0 whatever it was, inf and NaN included.
#pragma unroll
    for (int j = 0; j < kColumns; ++j) x[j] = draw(words, j) < e.threshold ? 0.f : x[j] * e.scale;
  }
  if (e.residual) {
    loadColumns(static_cast<const T*>(e.residual) + at, vectors, count, other);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) x[j] += other[j];
  }
  storeColumns(static_cast<T*>(e.y) + at, vectors, count, x);
}

// Likewise the sums themselves, in float32.
__device__ inline void writeSums(const GemmEpilogue& e, int64_t split, int64_t batch, int64_t row, int64_t column,
                                 int64_t n, float (&x)[kColumns]) {
  const int count = int(n - column < kColumns ? n - column : kColumns);
  // Lines of sums may be longer than n: whole vectors then need no more than the room of the line.
  const bool vectors = e.vectors && count == kColumns;
  float* p = e.sums + split * e.splitStride + batch * e.batchStride + row * e.line + column;
  if (e.add) {
    float before[kColumns] = {};
    loadColumns(p, vectors, count, before);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) x[j] += before[j];
  }
  storeColumns(p, vectors, count, x);
}

// Finishes the kRows × kWidth tile that a warp has staged, whose first element is (row, column) of matrix `batch`.
template <typename T, int kRows, int kWidth>
__device__ inline void drainTile(const float* staged, const GemmProblem& p, const GemmEpilogue& e, int64_t row,
                                 int64_t column, int64_t batch, int64_t split) {
  constexpr int kLanes = kWidth / kColumns, kStep = kWarp / kLanes, kStride = kStagedStride<kWidth>;
  static_assert(kRows % kStep == 0);
  const int lane = threadIdx.x % kWarp, chunk = lane % kLanes;
  const int64_t myColumn = column + chunk * kColumns;
  // Every other quarter-warp's lanes read the second half of their 32 bytes first: all eight lie in different banks.
  const int swap = (lane >> 2) & 1;
  if (myColumn >= p.n) return;
#pragma unroll 1
  for (int r = lane / kLanes; r < kRows; r += kStep) {
    if (row + r >= p.m) break;
    const float* from = staged + r * kStride + chunk * kColumns;
    const auto first = Vec<float>::load(from + 4 * swap), second = Vec<float>::load(from + 4 * (1 - swap));
    float x[kColumns];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      x[j] = swap ? second[j] : first[j];
      x[j + 4] = swap ? first[j] : second[j];
    }
    if (e.sums) {
      writeSums(e, split, batch, row + r, myColumn, p.n, x);
    } else {
      finishColumns<T>(e, batch * p.m + row + r, myColumn, p.n, x);
    }
  }
}

// Stages the accumulators of kTiles × kPairs mma tiles of a warp.
template <int kTiles, int kPairs>
__device__ inline void stageAccumulators(float* staged, const float (&c)[kTiles][kPairs][4]) {
  constexpr int kStride = kStagedStride<kPairs * 8>;
  const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const uint32_t at = sharedAddress(staged + g * kStride + 2 * t);
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const uint32_t to = at + uint32_t(i * 16 * kStride + j * 8) * 4;
      storePair(to, c[i][j][0], c[i][j][1]);
      storePair(to + 8 * kStride * 4, c[i][j][2], c[i][j][3]);
    }
  }
}

// Which tile a block takes: down the rows within groups of eight columns of tiles, so that neighbours share what they
// read while it is in the second-level cache. Blocks (x) are tiles of one matrix of the batch after the other, (y)
// ranges of k.
struct TileIndex {
  int64_t m, n, batch, split;
};
__device__ inline TileIndex tileOf(const GemmProblem& p) {
  constexpr int kGroup = 8;
  const int tiles = p.tilesM * p.tilesN, batch = int(blockIdx.x) / tiles;
  const int id = int(blockIdx.x) % tiles, inGroup = kGroup * p.tilesM;
  const int first = id / inGroup * kGroup, width = min(p.tilesN - first, kGroup), rest = id % inGroup;
  return {rest / width, first + rest % width, batch, blockIdx.y};
}

}  // namespace duo::cuda
