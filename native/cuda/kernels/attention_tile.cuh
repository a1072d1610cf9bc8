// Products of 64 × 64 tiles of float32 in shared memory, by blocks of 256 threads. Thread (y, x) of 16 × 16 has rows
// 4y … 4y + 3 and columns 4x … 4x + 3 of a result.
#pragma once
#include "cuda/kernels/attention_params.h"
#include "cuda/kernels/common.cuh"

namespace duo::cuda {

constexpr int kTile = 64, kTileThreads = 256, kTileFloats = kTile * kTile;

struct TileThread {
  const int x = int(threadIdx.x) % 16, y = int(threadIdx.x) / 16;
};

using Micro = float[4][4];  // [row][column]

// Where four columns of a row lie: their 16-byte groups are exchanged, so that neither eight rows, four apart, nor the
// groups of one row meet in a bank.
__device__ inline int tileAt(int row, int group) { return row * kTile + ((group ^ ((row >> 2) & 7)) << 2); }

__device__ inline float4 tileGroup(const float* tile, int row, int group) {
  return *reinterpret_cast<const float4*>(tile + tileAt(row, group));
}

// Rows first … first + 63 of `rows`, columns column … column + 63 of `columns`; zeros for what is outside.
template <typename T>
__device__ inline void loadTile(float* tile, const AttentionRows& from, int64_t base, int head, int first, int rows,
                                int column, int columns, bool vectors) {
  const int group = int(threadIdx.x) % 16, at = column + group * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = int(threadIdx.x) / 16 + i * 16;
    float4 x = make_float4(0.f, 0.f, 0.f, 0.f);
    if (first + row < rows && at < columns) {
      const T* p = static_cast<const T*>(from.data) + (base + first + row) * from.row + head * from.head + at;
      if (vectors) {
        const auto v = Vec<T, 4>::load(p);
        x = make_float4(toFloat(v[0]), toFloat(v[1]), toFloat(v[2]), toFloat(v[3]));
      } else {
        x.x = toFloat(p[0]);
        if (at + 1 < columns) x.y = toFloat(p[1]);
        if (at + 2 < columns) x.z = toFloat(p[2]);
        if (at + 3 < columns) x.w = toFloat(p[3]);
      }
    }
    *reinterpret_cast<float4*>(tile + tileAt(row, group)) = x;
  }
}

__device__ inline void storeMicro(float* tile, const TileThread& at, const Micro& c) {
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    *reinterpret_cast<float4*>(tile + tileAt(4 * at.y + r, at.x)) = make_float4(c[r][0], c[r][1], c[r][2], c[r][3]);
  }
}

// c[row][column] += Σ a[row][i] · b[column][i]
__device__ inline void multiplyTransposed(Micro& c, const float* a, const float* b, const TileThread& at) {
#pragma unroll 4
  for (int i = 0; i < kTile / 4; ++i) {
    float4 x[4], y[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) x[r] = tileGroup(a, 4 * at.y + r, i), y[r] = tileGroup(b, 4 * at.x + r, i);
#pragma unroll
    for (int r = 0; r < 4; ++r) {
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        c[r][k] = fmaf(x[r].x, y[k].x, c[r][k]);
        c[r][k] = fmaf(x[r].y, y[k].y, c[r][k]);
        c[r][k] = fmaf(x[r].z, y[k].z, c[r][k]);
        c[r][k] = fmaf(x[r].w, y[k].w, c[r][k]);
      }
    }
  }
}

// c[row][column] += Σ a[row][i] · b[i][column]
__device__ inline void multiplyTile(Micro& c, const float* a, const float* b, const TileThread& at) {
#pragma unroll 4
  for (int i = 0; i < kTile / 4; ++i) {
    float4 x[4], y[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) x[r] = tileGroup(a, 4 * at.y + r, i), y[r] = tileGroup(b, 4 * i + r, at.x);
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const float factors[4] = {x[r].x, x[r].y, x[r].z, x[r].w};
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        c[r][0] = fmaf(factors[k], y[k].x, c[r][0]);
        c[r][1] = fmaf(factors[k], y[k].y, c[r][1]);
        c[r][2] = fmaf(factors[k], y[k].z, c[r][2]);
        c[r][3] = fmaf(factors[k], y[k].w, c[r][3]);
      }
    }
  }
}

// Writes this thread's part, scaled, to rows of a dense (N, H, D).
template <typename T>
__device__ inline void writeMicro(T* to, const Micro& c, const float (&scales)[4], int64_t base, int first, int rows,
                                  int heads, int head, int column, int columns, const TileThread& at) {
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const int row = first + 4 * at.y + r;
    if (row >= rows) break;
    T* p = to + ((base + row) * heads + head) * int64_t(columns);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int d = column + 4 * at.x + k;
      if (d < columns) p[d] = fromFloat<T>(c[r][k] * scales[r]);
    }
  }
}

}  // namespace duo::cuda
