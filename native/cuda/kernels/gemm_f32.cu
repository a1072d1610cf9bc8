// Products of float32 matrices: exact (fused multiply-adds in order of k), or by tensor cores with operands rounded to
// tf32.
//
// Work:   a block takes 128 × 128 of C and a range of k; each of its 8 warps takes 64 × 32, each thread of the exact
//         kernel 8 × 8 of that, as four 4 × 4 blocks whose operands are read 16 bytes at a time.
// Memory: slices of 16 of k lie as (k, row) in shared memory, three of them under way, copied 4 bytes at a time: so any
//         strides will do, and whichever direction is dense is the one along which a warp reads.
#include "cuda/kernels/gemm_epilogue.cuh"
#include "cuda/kernels/mma.cuh"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

constexpr int kExtent = 128, kDepth = 16, kStages = 3, kThreads = 256;
constexpr int kWarpM = 64, kWarpN = 32, kWarpsM = kExtent / kWarpM;

// Row stride of a slice, in floats, and how many lanes run along k where k is dense: both so that neither copies nor
// reads meet in a bank. 132: eight rows of k lie 4 banks apart, with 4 columns each; tf32 reads 8 columns of 4 rows.
struct ExactSlice {
  static constexpr int kStride = kExtent + 4, kLanesAlongK = 8;
};
struct Tf32Slice {
  static constexpr int kStride = kExtent + 8, kLanesAlongK = 4;
};

// Copies of the slices of one operand; `line` is its stride along k, `along` its stride along rows (columns).
template <typename Layout>
struct Source {
  const float* from;  // this thread's first element of the next slice
  int64_t strideK, strideExtent;
  uint32_t to;
  int k, inside;  // of that element: its place in the slice; how many rows (columns) from its own on are inside
  bool alongK;

  __device__ Source(const GemmOperand& operand, int64_t offsetOfMatrix, int64_t first, int64_t extent, int64_t begin)
      : strideK(operand.line), strideExtent(operand.along), alongK(operand.line == 1) {
    constexpr int kLanes = Layout::kLanesAlongK;
    k = alongK ? threadIdx.x % kLanes : threadIdx.x / kExtent;
    const int row = alongK ? threadIdx.x / kLanes : threadIdx.x % kExtent;
    from =
        static_cast<const float*>(operand.data) + offsetOfMatrix + (begin + k) * strideK + (first + row) * strideExtent;
    to = uint32_t(k * Layout::kStride + row) * 4;
    inside = int(min(extent - first - row, int64_t(kExtent)));
  }

  __device__ void copy(uint32_t stage, int left) {
    if (alongK) {
      constexpr int kLanes = Layout::kLanesAlongK, kRows = kThreads / kLanes;
#pragma unroll
      for (int r = 0; r < kExtent; r += kRows) {
#pragma unroll
        for (int kk = 0; kk < kDepth; kk += kLanes) {
          copyAsync4(stage + to + uint32_t(kk * Layout::kStride + r) * 4, from + r * strideExtent + kk,
                     r < inside && k + kk < left);
        }
      }
    } else {
      constexpr int kLines = kThreads / kExtent;
#pragma unroll
      for (int kk = 0; kk < kDepth; kk += kLines) {
        copyAsync4(stage + to + uint32_t(kk * Layout::kStride) * 4, from + kk * strideK, inside > 0 && k + kk < left);
      }
    }
    from += kDepth * strideK;
  }
};

// Calls slice(a, b) for each slice of k in turn, with its parts of A and B in shared memory.
template <typename Layout, typename Fn>
__device__ void forEachSlice(const GemmProblem& p, const TileIndex& tile, float* shared, const Fn& slice) {
  constexpr int kFloats = kDepth * Layout::kStride, kStageFloats = 2 * kFloats;
  const int64_t begin = tile.split * p.depth;
  int left = int(min(p.depth, p.k - begin));
  const int slices = (left + kDepth - 1) / kDepth;
  const bool small = p.batch < (int64_t(1) << 31);
  Source<Layout> a(p.a, offsetOf(p.a.batch, tile.batch, small), tile.m * kExtent, p.m, begin);
  Source<Layout> b(p.b, offsetOf(p.b.batch, tile.batch, small), tile.n * kExtent, p.n, begin);
  const auto copy = [&](int stage) {
    if (left > 0) {
      const uint32_t at = sharedAddress(shared + stage * kStageFloats);
      a.copy(at, left);
      b.copy(at + kFloats * 4, left);
      left -= kDepth;
    }
    commitCopies();
  };
  for (int s = 0; s < kStages - 1; ++s) copy(s);
  int reading = 0, writing = kStages - 1;
#pragma unroll 1
  for (int s = 0; s < slices; ++s) {
    waitForCopies<kStages - 2>();
    __syncthreads();  // also: everybody is done with the stage that is written next
    copy(writing);
    const float* at = shared + reading * kStageFloats;
    slice(at, at + kFloats);
    reading = reading + 1 == kStages ? 0 : reading + 1;
    writing = writing + 1 == kStages ? 0 : writing + 1;
  }
  waitForCopies<0>();
  __syncthreads();
}

// Four values in a row
struct Quad {
  float x[4];
  __device__ static Quad load(const float* p) {
    const auto v = Vec<float>::load(p);
    return {{v[0], v[1], v[2], v[3]}};
  }
};

}  // namespace

#define DUO_SHARED extern __shared__ __align__(128) unsigned char shared[]

// A thread's rows are 4·(lane / 4) … + 3 and those 32 further of its warp's tile, its columns 4·(lane % 4) … + 3 and
// those 16 further.
extern "C" __global__ void __launch_bounds__(kThreads, 2) gemm_f32(GemmProblem p, GemmEpilogue e) {
  DUO_SHARED;
  float* memory = reinterpret_cast<float*>(shared);
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int row = warp % kWarpsM * kWarpM, column = warp / kWarpsM * kWarpN;  // of the warp's tile
  const int myRow = 4 * (lane / 4), myColumn = 4 * (lane % 4);
  const TileIndex tile = tileOf(p);
  float c[2][4][2][4] = {};
  forEachSlice<ExactSlice>(p, tile, memory, [&](const float* a, const float* b) {
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      const float *lineA = a + k * ExactSlice::kStride + row + myRow,
                  *lineB = b + k * ExactSlice::kStride + column + myColumn;
      const Quad as[2] = {Quad::load(lineA), Quad::load(lineA + 32)};
      const Quad bs[2] = {Quad::load(lineB), Quad::load(lineB + 16)};
#pragma unroll
      for (int i = 0; i < 8; ++i) {
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          float& sum = c[i / 4][i % 4][j / 4][j % 4];
          sum = fmaf(as[i / 4].x[i % 4], bs[j / 4].x[j % 4], sum);
        }
      }
    }
  });
  constexpr int kStride = kStagedStride<kWarpN>;
  float* staged = memory + warp * kWarpM * kStride;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int place = stagedAt<kWarpN>(myRow + i / 4 * 32 + i % 4, myColumn + 16 * h);
      storeQuad(sharedAddress(staged + place), c[i / 4][i % 4][h]);
    }
  }
  __syncwarp();
  drainTile<f32, kWarpM, kWarpN>(staged, p, e, tile.m * kExtent + row, tile.n * kExtent + column, tile.batch,
                                 tile.split);
}

extern "C" __global__ void __launch_bounds__(kThreads, 2) gemm_tf32(GemmProblem p, GemmEpilogue e) {
  DUO_SHARED;
  constexpr int kTiles = kWarpM / 16, kPairs = kWarpN / 8, kStride = Tf32Slice::kStride;
  float* memory = reinterpret_cast<float*>(shared);
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  const int row = warp % kWarpsM * kWarpM, column = warp / kWarpsM * kWarpN;
  const TileIndex tile = tileOf(p);
  float c[kTiles][kPairs][4] = {};
  forEachSlice<Tf32Slice>(p, tile, memory, [&](const float* a, const float* b) {
#pragma unroll 1  // two steps' operands at a time would not fit the registers
    for (int k = 0; k < kDepth; k += 8) {
      const float *lineA = a + (k + t) * kStride + row + g, *lineB = b + (k + t) * kStride + column + g;
      uint32_t as[kTiles][4], bs[kPairs][2];
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        const float* from = lineA + i * 16;
        as[i][0] = toTf32(from[0]), as[i][1] = toTf32(from[8]);
        as[i][2] = toTf32(from[4 * kStride]), as[i][3] = toTf32(from[4 * kStride + 8]);
      }
#pragma unroll
      for (int j = 0; j < kPairs; ++j) {
        const float* from = lineB + j * 8;
        bs[j][0] = toTf32(from[0]), bs[j][1] = toTf32(from[4 * kStride]);
      }
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int j = 0; j < kPairs; ++j) multiplyAddTf32(c[i][j], as[i], bs[j]);
      }
    }
  });
  float* staged = memory + warp * kWarpM * kStagedStride<kWarpN>;
  stageAccumulators(staged, c);
  __syncwarp();
  drainTile<f32, kWarpM, kWarpN>(staged, p, e, tile.m * kExtent + row, tile.n * kExtent + column, tile.batch,
                                 tile.split);
}
