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

// Where an element of a staged tile lies. Of the 32 bytes that each lane of a quarter-warp reads at a time, every other
// four lanes' halves are exchanged, so that all eight lie in different banks.
template <int kWidth>
__device__ inline int stagedAt(int row, int column) {
  const int exchanged = ((row * (kWidth / kColumns) + column / kColumns) >> 2) & 1;
  return row * kStagedStride<kWidth> + (column ^ (4 * exchanged));
}

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

// Whether finishColumns does no more than scale and write, 16 bytes at a time.
__device__ inline bool isPlain(const GemmEpilogue& e) {
  return e.vectors && !e.c && !e.bias && !e.z && !e.gate && !e.residual && !e.threshold && Act(e.act) == Act::kNone;
}

// Finishes the kRows × kWidth tile that a warp has staged, whose first element is (row, column) of matrix `batch`.
template <typename T, int kRows, int kWidth>
__device__ inline void drainTile(const float* staged, const GemmProblem& p, const GemmEpilogue& e, int64_t row,
                                 int64_t column, int64_t batch, int64_t split) {
  constexpr int kLanes = kWidth / kColumns, kStep = kWarp / kLanes;
  // A lane's rows are exchanged alike.
  static_assert(kRows % kStep == 0 && kStep * kLanes % 8 == 0);
  const int lane = threadIdx.x % kWarp, first = lane / kLanes, chunk = lane % kLanes;
  const int64_t myColumn = column + chunk * kColumns;
  if (myColumn >= p.n) return;
  const float* from = staged + stagedAt<kWidth>(first, chunk * kColumns);
  const float* fromSecond = staged + stagedAt<kWidth>(first, chunk * kColumns + 4);
  const int rows = int(min(int64_t(kRows), p.m - row));
  const auto eachRow = [&](const auto& fn) {
#pragma unroll 1
    for (int r = first; r < rows; r += kStep) {
      const auto low = Vec<float>::load(from), high = Vec<float>::load(fromSecond);
      from += kStep * kStagedStride<kWidth>, fromSecond += kStep * kStagedStride<kWidth>;
      float x[kColumns];
#pragma unroll
      for (int j = 0; j < 4; ++j) x[j] = low[j], x[j + 4] = high[j];
      fn(row + r, x);
    }
  };
  const int64_t firstRow = batch * p.m;
  if (e.sums) {
    eachRow([&](int64_t r, float(&x)[kColumns]) { writeSums(e, split, batch, r, myColumn, p.n, x); });
  } else if (isPlain(e)) {
    T* to = static_cast<T*>(e.y) + (firstRow + row + first) * p.n + myColumn;
    const int64_t step = kStep * p.n;
    eachRow([&](int64_t, float(&x)[kColumns]) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) x[j] *= e.alpha;
      storeColumns(to, true, kColumns, x);
      to += step;
    });
  } else {
    eachRow([&](int64_t r, float(&x)[kColumns]) { finishColumns<T>(e, firstRow + r, myColumn, p.n, x); });
  }
}

// Stages the accumulators of kTiles × kPairs mma tiles of a warp.
template <int kTiles, int kPairs>
__device__ inline void stageAccumulators(float* staged, const float (&c)[kTiles][kPairs][4]) {
  const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const uint32_t at = sharedAddress(staged);
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const int place = stagedAt<kPairs * 8>(i * 16 + g + 8 * h, j * 8 + 2 * t);
        storePair(at + uint32_t(place) * 4, c[i][j][2 * h], c[i][j][2 * h + 1]);
      }
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
