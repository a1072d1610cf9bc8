// What the tensor kernels of attention share: 16-bit floats, rows of up to 64 or 128.
//
// Which score a thread holds is free to choose: the rows and columns of a product may be dealt out in any order, if its
// operands are read in that order. Here a thread (lane 4·g + t) has, of its warp's tile of scores,
//   rows     2·kTiles·g + 2·i + h,       i < kTiles, h < 2: neighbours
//   columns  32·a + 8·t + 2·j + e,       a < kRuns, j < 4, e < 2: runs of eight
// so that a call of Philox gives the dropout of a run, and the distances within a run are few.
#pragma once
#include "cuda/kernels/attention_rule.cuh"
#include "cuda/kernels/mma.cuh"

namespace duo::cuda {

constexpr int kAttentionWarps = 4, kAttentionThreads = kAttentionWarps * kWarp;
constexpr float kLog2E = 1.4426950408889634f;
// A finite start of row maxima: hidden scores are −inf, and e^(−inf − kLowest) is 0 without a special case.
constexpr float kLowest = -1e30f;

__device__ inline float exp2Approximately(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

// threadIdx.x, read anew: what is computed from it stays where it is, instead of occupying registers around a loop.
__device__ inline int threadAnew() {
  int x;
  asm volatile("mov.u32 %0, %%tid.x;\n" : "=r"(x));
  return x;
}

template <typename T>
__device__ inline uint32_t pack(float low, float high);
template <>
__device__ inline uint32_t pack<bf16>(float low, float high) {
  const __nv_bfloat162 x = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&x);
}
template <>
__device__ inline uint32_t pack<f16>(float low, float high) {
  const __half2 x = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&x);
}

// What a block works on. It lies before the tiles in shared memory: in registers it would stand in the way of the sums.
struct BlockTask {
  static constexpr int kBytes = 256;  // tiles begin at a multiple of that
  AttentionSequence s;
  int first, head;
  int sequence;
};

// Blocks (x) take the heads of one tile after the other.
__device__ inline const BlockTask& blockTask(const AttentionParams& p, unsigned char* shared) {
  BlockTask& task = *reinterpret_cast<BlockTask*>(shared);
  if (threadIdx.x == 0) {
    const AttentionTile tile = p.tiles[blockIdx.x / p.heads];
    task = {p.sequences[tile.sequence], tile.first, int(blockIdx.x) % p.heads, tile.sequence};
  }
  __syncthreads();
  return task;
}

// What is added to products: nothing; the bias table, which sums start from (BiasQuads); or, score by score, whatever
// an AttentionRule knows of: positions, a table, a dense bias, any scale.
enum class ScoreMode { kPlain, kTable, kGeneral };

// Scores of a warp's tile: [i][4·a + j][2·h + e].
template <int kTiles, int kRuns>
using TileScores = float[kTiles][4 * kRuns][4];
// Sums over a tile's columns, for each row: [i][column / 8][2·h + e].
template <int kTiles, int kSize>
using RowSums = float[kTiles][kSize / 8][4];

// Rows of kSize 16-bit elements in shared memory. Their 16-byte chunks are exchanged by a pattern of the row: the eight
// rows that ldmatrix reads at a time, which are not neighbours, all have different ones.
template <int kSize>
struct SharedRows {
  static constexpr int kBytes = kSize * 2, kChunks = kBytes / 16;
  static constexpr int kStep = kAttentionThreads / kChunks;  // rows that all threads copy at a time

  __device__ static uint32_t offset(int row, int chunk, uint32_t pattern) {
    return uint32_t(row) * kBytes + ((uint32_t(chunk) ^ pattern) << 4);
  }
};

// Of rows of scores, and of columns.
template <int kTiles>
struct RowPattern {
  __device__ uint32_t operator()(int row) const { return uint32_t(row / (2 * kTiles)) & 7; }
};
struct ColumnPattern {
  __device__ uint32_t operator()(int row) const { return (uint32_t(row) & 1) | ((uint32_t(row) >> 3) & 3) << 1; }
};

// This thread's part of copies of rows of one operand: a 16-byte chunk of every kStep-th row.
template <int kSize>
struct RowChunk {
  using Rows = SharedRows<kSize>;
  const uint16_t* from;  // in its first row of the next block
  int row, chunk;        // in the tile
  bool inside;           // of the operand's rows

  __device__ RowChunk(const AttentionRows& rows, int64_t base, int head, int first, int size, int thread)
      : row(thread / Rows::kChunks), chunk(thread % Rows::kChunks), inside(chunk * 8 < size) {
    from = static_cast<const uint16_t*>(rows.data) + (base + first + row) * rows.row + head * rows.head + chunk * 8;
  }

  // The next kRows rows, `stride` elements apart, of which `left` are there, to the tile at `to`, and zeros for others.
  template <int kRows, typename Pattern>
  __device__ void copy(int64_t stride, int left, uint32_t to) {
    left = inside ? left - row : 0;
#pragma unroll
    for (int i = 0; i < kRows / Rows::kStep; ++i) {
      const int r = row + i * Rows::kStep;
      copyAsync16(to + Rows::offset(r, chunk, Pattern()(r)), from, i * Rows::kStep < left);
      from += stride * Rows::kStep;
    }
  }
};

// A block of rows from `first` on, of `count`; keeps nothing in registers from one block to the next.
template <int kSize, int kRows, typename Pattern>
__device__ inline void copyRows(const AttentionRows& rows, int64_t base, int head, int first, int count, int size,
                                uint32_t to) {
  RowChunk<kSize>(rows, base, head, first, size, threadAnew())
      .template copy<kRows, Pattern>(rows.row, count - first, to);
}

// Where a lane reads fragments of a tile at `base` (a multiple of 256) by ldmatrix. Chunk c (even) of its address lies
// at address ^ 16·c.
template <int kSize, int kTiles>
struct LaneAddress {
  static constexpr int kBytes = SharedRows<kSize>::kBytes;
  const int n, matrix;

  __device__ explicit LaneAddress(int thread) : n(thread % 8), matrix(thread % kWarp / 8) {}

  // A, rows from `first` on: first h, then the halves of 16 columns. Row tile i lies 2·i rows on.
  __device__ uint32_t ofRows(uint32_t base, int first) const {
    return base + uint32_t(first + 2 * kTiles * n + matrix % 2) * kBytes + (uint32_t(n ^ (matrix / 2)) << 4);
  }
  // B, a row for each column of the product: first the halves of 16, then two neighbouring j. (a, j) lies 32·a + 2·j
  // rows on.
  __device__ uint32_t ofColumns(uint32_t base) const {
    return base + uint32_t(8 * (n / 2) + n % 2 + 2 * (matrix / 2)) * kBytes + (uint32_t(n ^ (matrix % 2)) << 4);
  }
  // B, summed over those rows (transposed): first two neighbouring j, then neighbouring chunks.
  __device__ uint32_t ofSummedColumns(uint32_t base) const {
    return base + uint32_t(8 * (n / 2) + n % 2 + 2 * (matrix % 2)) * kBytes + (uint32_t(n ^ (matrix / 2)) << 4);
  }
};

// The bias along relative positions, in the four values b[y], b[y + 1], b[y − 1], b[y] from which the sums of an mma
// tile start: (H, 4, quadLength / 4) quads, those of y at [y % 4][y / 4], divided by the scale. y = quadCenter + column
// − row, counted from the same beginning. A tile's distances are clamped to where the bias is constant.
template <int kTiles>
struct BiasQuads {
  // Of a tile, y − y of its first pair: multiples of 4 from −124 on, and multiples of 4 from −126 on.
  static constexpr int kEach = 48;
  static constexpr int kBytes = 100 * 16;
  // What a lane keeps to find its quads by offsets that are known when it is compiled.
  static constexpr int kAddresses = kTiles == 1 ? 4 : 2;

  // Where number `i` of a class lies, in quads: so that the eight lanes that are served together, of two neighbouring
  // g, meet in no bank. With two row tiles these are of one class, t numbers 2·t and one less: neighbours lie side by
  // side, and the second class begins at another bank. With one they are of both classes, with numbers of one parity or
  // of both: classes lie side by side, and odd numbers half of the banks after even ones.
  __device__ static int place(int second, int i) {
    return kTiles == 1 ? (i & 1) * 52 + (i & ~1) + second : second * (kEach + 1) + i;
  }

  // The quad that this thread copies of each tile of up to `rows` × `columns` (at most 128 and 64). `distance`: column
  // − row of a tile's first pair; from one tile to the next it changes by multiples of four.
  struct Copies {
    const char* from;  // its quad where the distance is 0, or would be
    int low, high;     // what distances are clamped to, with their remainder by four
    uint32_t to;       // in a tile's quads
    bool copies;

    __device__ Copies(const AttentionParams& p, int head, int distance, int rows, int columns, int thread)
        : copies(thread < 2 * kEach) {
      const int second = kTiles == 1 ? thread & 1 : thread >= kEach;
      const int i = kTiles == 1 ? thread / 2 : thread - second * kEach;
      low = -p.reach - columns, high = p.reach + rows;
      low -= (low - distance) & 3, high += (distance - high) & 3;
      const int y = p.quadCenter + distance + 4 * i - 124 - 2 * second;
      from = reinterpret_cast<const char*>(p.quads) +
             (int64_t(head) * p.quadLength + (y & 3) * (p.quadLength / 4) + (y >> 2)) * 16 - int64_t(distance) * 4;
      to = uint32_t(place(second, i)) * 16;
    }
    __device__ void copy(int distance, uint32_t quads) const {
      copyAsync16Where(copies, quads + to, from + int64_t(min(max(distance, low), high)) * 4);
    }
  };

  __device__ static void addresses(int thread, uint32_t shared, int firstRow, uint32_t (&at)[kAddresses]) {
    const int lane = thread % kWarp, z = 8 * (lane % 4) - 2 * kTiles * (lane / 4) - firstRow;
#pragma unroll
    for (int m = 0; m < kAddresses; ++m) {
      const int y = z + 2 * m, second = (y & 3) != 0;
      at[m] = shared + uint32_t(place(second, (y + 124 + 2 * second) / 4)) * 16;
    }
  }
  // Those of m = j − i of run `r`.
  __device__ static uint32_t address(const uint32_t (&at)[kAddresses], int r, int m) {
    const int kept = m & (kAddresses - 1);
    return at[kept] + uint32_t((8 * r + (m - kept) / 2) * 16);
  }
};

__device__ inline float4 loadQuad(uint32_t address) {
  float4 q;
  asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];\n"
               : "=f"(q.x), "=f"(q.y), "=f"(q.z), "=f"(q.w)
               : "r"(address)
               : "memory");
  return q;
}

// The rows of a product, 16 columns at a time: a LaneAddress's, of a tile that lies `of` bytes further, so that tiles
// share what a lane keeps;
template <int kSize, int kTiles>
struct RowsInShared {
  uint32_t address, of;
  __device__ void load(uint32_t (&a)[kTiles][4], int kk) const {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      loadMatrices(a[i], (address ^ uint32_t(kk * 32)) + of + uint32_t(i * 2 * SharedRows<kSize>::kBytes));
    }
  }
};
// or read once and kept.
template <int kSize, int kTiles>
struct RowsInRegisters {
  uint32_t fragments[kSize / 16][kTiles][4];
  __device__ explicit RowsInRegisters(const RowsInShared<kSize, kTiles>& rows) {
#pragma unroll
    for (int kk = 0; kk < kSize / 16; ++kk) rows.load(fragments[kk], kk);
  }
  __device__ void load(uint32_t (&a)[kTiles][4], int kk) const {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) a[i][j] = fragments[kk][i][j];
    }
  }
};

// s = rows·columnsᵀ, from the bias on where quads are given. `columns`: a LaneAddress's, of a tile that lies
// `ofColumns` bytes further.
template <typename T, int kSize, int kTiles, int kRuns, bool kBias, typename Rows>
__device__ inline void tileProducts(TileScores<kTiles, kRuns>& s, const Rows& rows, uint32_t columns,
                                    uint32_t ofColumns, const uint32_t (&quads)[BiasQuads<kTiles>::kAddresses]) {
  constexpr int kBytes = SharedRows<kSize>::kBytes;
#pragma unroll
  for (int kk = 0; kk < kSize / 16; ++kk) {
    uint32_t a[kTiles][4];
    rows.load(a, kk);
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
      if (kk == 0) {
        float4 q[kTiles + 3] = {};
        if (kBias) {
#pragma unroll
          for (int m = 1 - kTiles; m < 4; ++m) q[m + kTiles - 1] = loadQuad(BiasQuads<kTiles>::address(quads, r, m));
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
#pragma unroll
          for (int i = 0; i < kTiles; ++i) {
            const float4 c = q[j - i + kTiles - 1];
            s[i][4 * r + j][0] = c.x, s[i][4 * r + j][1] = c.y, s[i][4 * r + j][2] = c.z, s[i][4 * r + j][3] = c.w;
          }
        }
      }
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        uint32_t b[4];
        loadMatrices(b, (columns ^ uint32_t(kk * 32)) + ofColumns + uint32_t((32 * r + 2 * j) * kBytes));
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
          multiplyAdd<T>(s[i][4 * r + j], a[i], b[0], b[1]);
          multiplyAdd<T>(s[i][4 * r + j + 1], a[i], b[2], b[3]);
        }
      }
    }
  }
}

// sums += s·(rows of the columns), s rounded to T.
template <typename T, int kSize, int kTiles, int kRuns>
__device__ inline void addWeightedRows(RowSums<kTiles, kSize>& sums, const TileScores<kTiles, kRuns>& s,
                                       uint32_t summed, uint32_t ofSummed) {
  constexpr int kBytes = SharedRows<kSize>::kBytes;
#pragma unroll
  for (int step = 0; step < 2 * kRuns; ++step) {
    uint32_t a[kTiles][4];
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int half = 0; half < 4; ++half) {
        const float(&x)[4] = s[i][2 * step + half / 2];
        a[i][half] = pack<T>(x[half % 2 * 2], x[half % 2 * 2 + 1]);
      }
    }
#pragma unroll
    for (int c = 0; c < kSize / 16; ++c) {
      uint32_t b[4];
      loadMatricesTransposed(
          b, (summed ^ uint32_t(c * 32)) + ofSummed + uint32_t((step / 2 * 32 + step % 2 * 4) * kBytes));
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        multiplyAdd<T>(sums[i][2 * c], a[i], b[0], b[1]);
        multiplyAdd<T>(sums[i][2 * c + 1], a[i], b[2], b[3]);
      }
    }
  }
}

// Scores of keys that a query does not see become −inf. `query` and `key`: this thread's first.
template <int kTiles, int kRuns>
__device__ inline void hideKeys(TileScores<kTiles, kRuns>& x, const AttentionParams& p, const AttentionSequence& s,
                                int query, int key) {
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int last = p.causal ? min(s.keys - 1, query + 2 * i + h + s.causalOffset) : s.keys - 1;
#pragma unroll
      for (int n = 0; n < 4 * kRuns; ++n) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          if (n / 4 * 32 + n % 4 * 2 + e > last - key) x[i][n][2 * h + e] = -INFINITY;
        }
      }
    }
  }
}

// Dropout of rows of scores: keep(i, h, words of the eight columns of run a).
struct DropoutRows {
  RandomSite at;
  static constexpr int kGroupBits = kKeyPositionBits - 3;  // of eight keys
  uint64_t first;                                          // group of this thread's first row, (head, packed query row)
  uint32_t last;                                           // draws up to this one, in the upper half of a word, drop

  __device__ DropoutRows(const AttentionParams& p, int head, int64_t row)
      : at{p.seed, p.site, p.step},
        first((uint64_t(head) * uint64_t(p.nq) + uint64_t(row)) << kGroupBits),
        last(p.threshold * 65536u - 1) {}

  // Words of columns key … key + 7 (a multiple of 8).
  __device__ uint4 words(int row, int key) const {
    return drawWords(at, first + ((uint64_t(row) << kGroupBits) + (uint32_t(key) >> 3)));
  }
  __device__ bool dropsLow(uint32_t word) const { return word << 16 <= last; }
  __device__ bool dropsHigh(uint32_t word) const { return word <= last; }
};

__device__ inline uint32_t wordOf(const uint4& words, int j) {
  return j < 2 ? (j == 0 ? words.x : words.y) : (j == 2 ? words.z : words.w);
}

// Writes a warp's rows of sums, each times its scale, to rows of a dense (N, H, D): through the warp's own rows
// [first, first + 16·kTiles) of a tile in shared memory, 16 bytes at a time.
template <typename T, int kSize, int kTiles>
__device__ inline void writeRows(T* to, const RowSums<kTiles, kSize>& sums, const float (&scales)[kTiles][2],
                                 unsigned char* tile, int firstRow, int64_t base, int first, int count,
                                 const AttentionParams& p, int head) {
  using Rows = SharedRows<kSize>;
  const int lane = threadAnew() % kWarp, g = lane / 4, t = lane % 4;
  __syncwarp();
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = firstRow + 2 * kTiles * g + 2 * i + h;
#pragma unroll
      for (int c = 0; c < kSize / 8; ++c) {
        const uint32_t at = Rows::offset(row, c, RowPattern<kTiles>()(row)) + uint32_t(t) * 4;
        *reinterpret_cast<uint32_t*>(tile + at) =
            pack<T>(sums[i][c][2 * h] * scales[i][h], sums[i][c][2 * h + 1] * scales[i][h]);
      }
    }
  }
  __syncwarp();
  const int chunk = lane % Rows::kChunks;
  constexpr int kStep = kWarp / Rows::kChunks;
#pragma unroll 1
  for (int r = lane / Rows::kChunks; r < 16 * kTiles; r += kStep) {
    const int row = firstRow + r;
    if (first + row >= count || chunk * 8 >= p.size) continue;
    const auto x = Vec<T>::load(reinterpret_cast<const T*>(tile + Rows::offset(row, chunk, RowPattern<kTiles>()(row))));
    T* target = to + ((base + first + row) * p.heads + head) * int64_t(p.size) + chunk * 8;
    if (p.size % 8 == 0) {
      x.store(target);
    } else {
#pragma unroll
      for (int d = 0; d < 8; ++d) {
        if (chunk * 8 + d < p.size) target[d] = x[d];
      }
    }
  }
}

}  // namespace duo::cuda
