// Products of 16-bit matrices on the tensor cores, float32 accumulation.
//
// Work:   a block takes a tile of C and a range of k; its warps take 64 × 64 (small: 32 × 32) of it each. kStages
// slices
//         of k, kDepth long, are under way in shared memory (cp.async), and the fragments of the next 16 of k are read
//         (ldmatrix) while the tensor cores work on the last.
// Memory: a slice of an operand lies as it does in global memory, lines of k or lines of rows (columns), with its
//         16-byte chunks exchanged within 128 bytes so that neither copies nor ldmatrix meet in a bank; where k is not
//         the dense direction, ldmatrix transposes. What lies outside of the matrices arrives as zeros.
// Needs:  GemmOperand's alignment, and lines of whole 16-byte chunks: a chunk is read when its first element is inside.
#pragma once
#include "cuda/kernels/gemm_epilogue.cuh"
#include "cuda/kernels/mma.cuh"
#include "cuda/kernels/walk.cuh"

namespace duo::cuda {

template <int kM_, int kN_, int kDepth_, int kStages_, int kWarpsM_, int kWarpsN_>
struct TensorTile {
  static constexpr int kM = kM_, kN = kN_, kDepth = kDepth_, kStages = kStages_, kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kThreads = kWarpsM * kWarpsN * kWarp;
  static constexpr int kWarpM = kM / kWarpsM, kWarpN = kN / kWarpsN;
  static constexpr int kStageBytes = (kM + kN) * kDepth * 2;
};

// A slice of one operand: kExtent rows of A (columns of B) by kDepth of k. kDepthDense: lines run along k.
template <int kExtent, int kDepth, bool kDepthDense, int kThreads>
struct Slice {
  static constexpr int kLines = kDepthDense ? kExtent : kDepth;
  static constexpr int kLineBytes = (kDepthDense ? kDepth : kExtent) * 2, kChunks = kLineBytes / 16;
  static constexpr int kStep = kThreads / kChunks, kPasses = kLines / kStep;
  static_assert(kThreads % kChunks == 0 && kLines % kStep == 0 && kStep % 8 == 0);

  // Byte offset of a 16-byte chunk of a line. With lines of 64 bytes two of them share 128 bytes, of which each keeps
  // its half.
  __device__ static uint32_t offset(uint32_t line, uint32_t chunk) {
    static_assert(kLineBytes == 64 || kLineBytes % 128 == 0);
    const uint32_t pattern = kLineBytes == 64 ? (line >> 1) & 3 : line & 7;
    return line * kLineBytes + ((chunk ^ pattern) << 4);
  }

  const char* from;             // this thread's first chunk of the next slice
  int64_t lineStep, sliceStep;  // bytes
  uint32_t to;                  // its place in a stage
  int inside;  // how many of its passes lie inside, as far as lines or chunks outside of k are concerned
  int k;       // of its chunk or first line, in the next slice

  // The slices of rows (columns) from `first` on, of `extent`, and of k from `begin` on.
  __device__ Slice(const GemmOperand& operand, int64_t offsetOfMatrix, int64_t first, int64_t extent, int64_t begin) {
    const int line = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
    const int64_t lineAt = (kDepthDense ? first : begin) + line, elementAt = (kDepthDense ? begin : first) + chunk * 8;
    from = static_cast<const char*>(operand.data) + (offsetOfMatrix + lineAt * operand.line + elementAt) * 2;
    lineStep = operand.line * 2 * kStep;
    sliceStep = kDepthDense ? kDepth * 2 : operand.line * 2 * kDepth;
    to = offset(line, chunk);
    k = kDepthDense ? chunk * 8 : line;
    if (kDepthDense) {
      const int64_t lines = extent - lineAt;
      inside = lines <= 0 ? 0 : int(min(int64_t(kPasses), (lines + kStep - 1) / kStep));
    } else {
      inside = elementAt < extent ? kPasses : 0;
    }
  }

  // Queues the copies of the next slice, of which `left` of k are inside.
  __device__ void copy(uint32_t stage, int left) {
    // For lines of k, how many passes begin before the end.
    const int inK = kDepthDense ? (k < left ? kPasses : 0) : (left - k + kStep - 1) / kStep;
    const int passes = min(inside, inK);
    const char* p = from;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      copyAsync16(stage + to + i * kStep * kLineBytes, p, i < passes);
      p += lineStep;
    }
    from += sliceStep;
  }
};

// Where this lane reads fragments of a slice: of 16 rows of A (kOfA), or of 16 columns of B, and 16 of k at a time.
template <typename Slice, bool kDepthDense, bool kOfA>
struct Fragments {
  uint32_t line, chunk;  // of the lane's address in the warp's first 16 × 16

  __device__ explicit Fragments(int first) {
    const int lane = threadIdx.x % kWarp, row = lane % 8, matrix = lane / 8;
    // Matrices 0 … 3 in the order of a register's fragment: A goes down the rows first, B along k.
    const int outer = kOfA ? matrix % 2 : matrix / 2, inner = kOfA ? matrix / 2 : matrix % 2;
    line = kDepthDense ? uint32_t(first + outer * 8 + row) : uint32_t(inner * 8 + row);
    chunk = kDepthDense ? uint32_t(inner) : uint32_t(first / 8 + outer);
  }

  // Sixteen number `i` (of rows or columns), step `kk` of k.
  __device__ void load(uint32_t (&r)[4], uint32_t stage, int i, int kk) const {
    if constexpr (kDepthDense) {
      loadMatrices(r, stage + Slice::offset(line, chunk ^ uint32_t(kk * 2)) + uint32_t(i * 16 * Slice::kLineBytes));
    } else {
      loadMatricesTransposed(
          r, stage + Slice::offset(line, chunk ^ uint32_t(i * 2)) + uint32_t(kk * 16 * Slice::kLineBytes));
    }
  }
};

template <typename T, typename Tile, bool kDenseA, bool kDenseB>
__device__ void gemmTensor(const GemmProblem& p, const GemmEpilogue& e) {
  using SliceA = Slice<Tile::kM, Tile::kDepth, kDenseA, Tile::kThreads>;
  using SliceB = Slice<Tile::kN, Tile::kDepth, kDenseB, Tile::kThreads>;
  constexpr int kTiles = Tile::kWarpM / 16, kPairs = Tile::kWarpN / 8, kSteps = Tile::kDepth / 16;
  constexpr int kStages = Tile::kStages, kStageBytes = Tile::kStageBytes, kBytesOfA = Tile::kM * Tile::kDepth * 2;
  static_assert(kSteps % 2 == 0 && kTiles * 16 == Tile::kWarpM && kPairs * 8 == Tile::kWarpN);
  extern __shared__ __align__(128) unsigned char shared[];
  const uint32_t ring = sharedAddress(shared);
  const int warp = threadIdx.x / kWarp, warpM = warp % Tile::kWarpsM, warpN = warp / Tile::kWarpsM;

  const TileIndex tile = tileOf(p);
  const int64_t begin = tile.split * p.depth;
  const int depth = int(min(p.depth, p.k - begin)), slices = (depth + Tile::kDepth - 1) / Tile::kDepth;
  const bool small = p.batch < (int64_t(1) << 31);
  SliceA a(p.a, offsetOf(p.a.batch, tile.batch, small), tile.m * Tile::kM, p.m, begin);
  SliceB b(p.b, offsetOf(p.b.batch, tile.batch, small), tile.n * Tile::kN, p.n, begin);
  const Fragments<SliceA, kDenseA, true> fragmentsA(warpM * Tile::kWarpM);
  const Fragments<SliceB, kDenseB, false> fragmentsB(warpN * Tile::kWarpN);

  float c[kTiles][kPairs][4] = {};
  uint32_t af[2][kTiles][4], bf[2][kPairs / 2][4];
  const auto load = [&](int buffer, uint32_t stage, int kk) {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) fragmentsA.load(af[buffer][i], stage, i, kk);
#pragma unroll
    for (int j = 0; j < kPairs / 2; ++j) fragmentsB.load(bf[buffer][j], stage + kBytesOfA, j, kk);
  };

  int left = depth;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < slices) {
      a.copy(ring + s * kStageBytes, left);
      b.copy(ring + s * kStageBytes + kBytesOfA, left);
      left -= Tile::kDepth;
    }
    commitCopies();
  }
  waitForCopies<kStages - 2>();
  __syncthreads();
  uint32_t reading = ring, writing = ring + (kStages - 1) * kStageBytes;
  const uint32_t end = ring + kStages * kStageBytes;
  if (slices > 0) load(0, reading, 0);

#pragma unroll 1
  for (int s = 0; s < slices; ++s) {
#pragma unroll
    for (int kk = 0; kk < kSteps; ++kk) {
      const int now = kk % 2;
      if (kk == kSteps - 1) {
        // The next slice has arrived, and everybody has read the last fragments of the one before this.
        waitForCopies<kStages - 2>();
        __syncthreads();
        reading += kStageBytes;
        if (reading == end) reading = ring;
        if (s + 1 < slices) load(1 - now, reading, 0);
      } else {
        load(1 - now, reading, kk + 1);
      }
      if (kk == 0) {
        if (left > 0) {
          a.copy(writing, left);
          b.copy(writing + kBytesOfA, left);
          left -= Tile::kDepth;
        }
        commitCopies();  // also where there is nothing left, so that the counts agree
        writing += kStageBytes;
        if (writing == end) writing = ring;
      }
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int jj = 0; jj < kPairs; ++jj) {
          const int j = i % 2 ? kPairs - 1 - jj : jj;  // back and forth: the registers of b just used are used again
          multiplyAdd<T>(c[i][j], af[now][i], bf[now][j / 2][j % 2 * 2], bf[now][j / 2][j % 2 * 2 + 1]);
        }
      }
    }
  }

  // The last barrier of the loop came after the last read of the ring.
  float* staged = reinterpret_cast<float*>(shared) + warp * Tile::kWarpM * kStagedStride<Tile::kWarpN>;
  stageAccumulators(staged, c);
  __syncwarp();
  drainTile<T, Tile::kWarpM, Tile::kWarpN>(staged, p, e, tile.m * Tile::kM + warpM * Tile::kWarpM,
                                           tile.n * Tile::kN + warpN * Tile::kWarpN, tile.batch, tile.split);
}

// Shared memory: tensorShared in tuning.h says the same.
using WideTile = TensorTile<128, 256, 64, 3, 2, 4>;
using StandardTile = TensorTile<128, 128, 32, 4, 2, 2>;
using SmallTile = TensorTile<64, 64, 64, 4, 2, 2>;

}  // namespace duo::cuda

// Names: gemm<tile><layout>_<dtype>, layout by BLAS's habit: N where A's k (B's columns) are dense, else T.
#define DUO_GEMM(tile, name, T)                                                                                    \
  extern "C" __global__ void __launch_bounds__(tile::kThreads) gemm##name##NN_##T(GemmProblem p, GemmEpilogue e) { \
    gemmTensor<T, tile, true, false>(p, e);                                                                        \
  }                                                                                                                \
  extern "C" __global__ void __launch_bounds__(tile::kThreads) gemm##name##NT_##T(GemmProblem p, GemmEpilogue e) { \
    gemmTensor<T, tile, true, true>(p, e);                                                                         \
  }                                                                                                                \
  extern "C" __global__ void __launch_bounds__(tile::kThreads) gemm##name##TN_##T(GemmProblem p, GemmEpilogue e) { \
    gemmTensor<T, tile, false, false>(p, e);                                                                       \
  }                                                                                                                \
  extern "C" __global__ void __launch_bounds__(tile::kThreads) gemm##name##TT_##T(GemmProblem p, GemmEpilogue e) { \
    gemmTensor<T, tile, false, true>(p, e);                                                                        \
  }
