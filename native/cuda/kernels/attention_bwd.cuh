// attentionBwd on the tensor cores, with P = exp(S − lse), dropout factors Z and dots = Σ dO·O of a row:
//   dS = P∘((dO·Vᵀ)∘Z − dots)     dQ = scale·dS·K     dK = scale·dSᵀ·Q     dV = (P∘Z)ᵀ·dO     dBias = dS
// Dao 2023, FlashAttention-2, algorithm 2. arXiv:2307.08691
//
// Work:   two kernels, so that every sum has one owner and needs no atomics: one owns queries (three products a
//         tile), one owns keys (four). Scores and dO·Vᵀ are made twice; in return P and dS stay in registers, as a
//         first factor of the next product. Four warps have 16·kTiles rows each; columns come in blocks, of which one
//         is worked on while the next arrives (cp.async), in halves of 32 so that their scores leave room for the sums.
// Memory: two operands of the columns twice; of the rows two (keys), or one beside one that is kept in registers
//         (queries): 64 and 48 KiB.
// Bytes:  the rows' operands once, the columns' once for each block of rows. 14·D FLOP a score.
#pragma once
#include "cuda/kernels/attention_tensor.cuh"

namespace duo::cuda {

// Columns are whole blocks, of which 32 are worked on at a time.
template <int kSize>
constexpr int kColumnsOfBlock = kSize == 64 ? 64 : 32;

// What both kernels have in shared memory, in this order: one tile of rows or two.
template <int kSize, int kTiles, int kTilesOfRows>
struct BackwardTiles {
  static constexpr int kRows = 16 * kTiles * kAttentionWarps, kColumns = kColumnsOfBlock<kSize>;
  static constexpr uint32_t kRowBytes = kRows * SharedRows<kSize>::kBytes;
  static constexpr uint32_t kColumnBytes = kColumns * SharedRows<kSize>::kBytes;
  uint32_t rows[kTilesOfRows];
  uint32_t columns[2];  // tiles of two operands; and once more kBuffer bytes on
  uint32_t bias;
  uint32_t rest;
  static constexpr uint32_t kBuffer = 2 * kColumnBytes;

  __device__ explicit BackwardTiles(uint32_t base)
      : columns{base + kTilesOfRows * kRowBytes, base + kTilesOfRows * kRowBytes + kColumnBytes},
        bias(columns[0] + 2 * kBuffer),
        rest(bias + 2 * BiasQuads<kTiles>::kBytes) {
#pragma unroll
    for (int i = 0; i < kTilesOfRows; ++i) rows[i] = base + uint32_t(i) * kRowBytes;
  }
};

// −lse, in the units of exp2; a row without keys has P = 0.
__device__ inline float shiftOf(const AttentionParams& p, const AttentionSequence& s, int head, int query) {
  if (query >= s.queries) return -INFINITY;
  const float lse = p.lse[head * p.nq + s.firstQuery + query];
  return lse == -INFINITY ? -INFINITY : -lse * kLog2E;
}
__device__ inline float dotsOf(const AttentionParams& p, const AttentionSequence& s, int head, int query) {
  return query < s.queries ? p.dots[head * p.nq + s.firstQuery + query] : 0.f;
}

__device__ inline float2 loadPair(uint32_t address) {
  float2 x;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];\n" : "=f"(x.x), "=f"(x.y) : "r"(address) : "memory");
  return x;
}

// The dropout words of two queries (columns 2·j and 2·j + 1 of a run), of the keys that this thread has as rows: with
// two row tiles a run of eight keys belongs to two lanes, each of which makes the words of one query and gives the
// other its half.
template <int kTiles>
__device__ inline void wordsOfKeys(const DropoutRows& dropout, int query, int key, int g,
                                   uint32_t (&words)[2][kTiles]) {
  if constexpr (kTiles == 2) {
    const bool upper = g & 1;
    const uint4 mine = dropout.words(query + upper, key);
    const uint32_t given[2] = {upper ? mine.x : mine.z, upper ? mine.y : mine.w};
    const uint32_t kept[2] = {upper ? mine.z : mine.x, upper ? mine.w : mine.y};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint32_t got = __shfl_xor_sync(kAllLanes, given[i], 4);
      words[0][i] = upper ? got : kept[i];
      words[1][i] = upper ? kept[i] : got;
    }
  } else {
#pragma unroll
    for (int e = 0; e < 2; ++e) words[e][0] = wordOf(dropout.words(query + e, key), g & 3);
  }
}

template <typename T, int kSize, int kTiles, ScoreMode kMode>
__device__ void attentionBwdKeysTensor(const AttentionParams& p, T* dK, T* dV) {
  constexpr bool kBias = kMode == ScoreMode::kTable, kGeneral = kMode == ScoreMode::kGeneral;
  using Tiles = BackwardTiles<kSize, kTiles, 2>;
  using Quads = BiasQuads<kTiles>;
  using Rows = RowsInShared<kSize, kTiles>;
  constexpr int kRows = Tiles::kRows, kColumns = Tiles::kColumns;
  extern __shared__ __align__(256) unsigned char shared[];
  unsigned char* const tileBytes = shared + BlockTask::kBytes;
  const Tiles tiles(sharedAddress(tileBytes));
  // Of each query of two blocks: −lse, then dots.
  float* const ofQueries = reinterpret_cast<float*>(tileBytes + (tiles.rest - sharedAddress(tileBytes)));

  const BlockTask& task = blockTask(p, shared);
  const AttentionSequence& s = task.s;
  const int thread = int(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp, g = lane / 4, t = lane % 4;
  const int warpRow = warp * 16 * kTiles;
  const int begin = queriesBegin(p, s, task.first) / kColumns * kColumns;

  const auto distance = [&](int query) { return query + s.causalOffset - task.first; };
  uint32_t quadsAt[Quads::kAddresses] = {};
  if (kBias) Quads::addresses(thread, tiles.bias, warpRow, quadsAt);
  const uint32_t rows = LaneAddress<kSize, kTiles>(thread).ofRows(tiles.rows[0], warpRow);

  // Two tiles of rows leave no registers for where copies are.
  constexpr bool kAnew = kTiles > 1;
  RowChunk<kSize> queries(p.q, s.firstQuery, task.head, begin, p.size, thread);
  RowChunk<kSize> gradients(p.dO, s.firstQuery, task.head, begin, p.size, thread);
  const auto copyBlock = [&](int query, uint32_t buffer) {
    const auto copy = [&](RowChunk<kSize>& mine, const AttentionRows& rows, uint32_t to) {
      if constexpr (kAnew)
        copyRows<kSize, kColumns, ColumnPattern>(rows, s.firstQuery, task.head, query, s.queries, p.size,
                                                 to + buffer * Tiles::kBuffer);
      else
        mine.template copy<kColumns, ColumnPattern>(rows.row, s.queries - query, to + buffer * Tiles::kBuffer);
    };
    copy(queries, p.q, tiles.columns[0]);
    copy(gradients, p.dO, tiles.columns[1]);
    if (kBias) {
      typename Quads::Copies(p, task.head, distance(query), kRows, kColumns, threadAnew())
          .copy(distance(query), tiles.bias + buffer * Quads::kBytes);
    }
    const int now = threadAnew(), i = now % kColumns, which = now / kColumns;
    if (which < 2) {
      ofQueries[(2 * buffer + which) * kColumns + i] =
          which == 0 ? shiftOf(p, s, task.head, query + i) : dotsOf(p, s, task.head, query + i);
    }
  };

  const float toLog2 = kGeneral ? kLog2E : p.scaleLog2;
  RowSums<kTiles, kSize> outK = {}, outV = {};
  copyRows<kSize, kRows, RowPattern<kTiles>>(p.k, s.firstKey, task.head, task.first, s.keys, p.size, tiles.rows[0]);
  copyRows<kSize, kRows, RowPattern<kTiles>>(p.v, s.firstKey, task.head, task.first, s.keys, p.size, tiles.rows[1]);
  if (begin < s.queries) copyBlock(begin, 0);
  commitCopies();
  uint32_t buffer = 0;
#pragma unroll 1
  for (int query = begin; query < s.queries; query += kColumns, buffer ^= 1) {
    waitForCopies<0>();
    __syncthreads();
    if (query + kColumns < s.queries) copyBlock(query + kColumns, buffer ^ 1);
    commitCopies();
#pragma unroll 1
    for (int run = 0; run < kColumns / 32; ++run) {
      const uint32_t tile = tiles.columns[0] + buffer * Tiles::kBuffer + uint32_t(run) * 32 * SharedRows<kSize>::kBytes;
      const LaneAddress<kSize, kTiles> address(thread);
      const uint32_t columns = address.ofColumns(tile), summed = address.ofSummedColumns(tile);
      const uint32_t toQuads = buffer * Quads::kBytes + uint32_t(run) * 128;
      uint32_t quadsNow[Quads::kAddresses];
#pragma unroll
      for (int m = 0; m < Quads::kAddresses; ++m) quadsNow[m] = quadsAt[m] + toQuads;
      const int mine = 32 * run + 8 * t;  // first query of this thread in the block
      const int firstKey = task.first + warpRow + 2 * kTiles * g;
      // dO·Vᵀ and its dropout come first, when no scores are in registers yet.
      TileScores<kTiles, 1> x, y;
      tileProducts<T, kSize, kTiles, 1, false>(y, Rows{rows, Tiles::kRowBytes}, columns, Tiles::kColumnBytes, quadsNow);
      // One bit for each of the thread's scores, so that what they become without dropout needs no second copy.
      uint32_t dropped = 0;
      if (kGeneral && p.threshold) {
        const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
              float z[2];
              rule.factors(query + mine + 2 * n + e, firstKey + 2 * i, z);
#pragma unroll
              for (int h = 0; h < 2; ++h) {
                if (z[h] == 0.f) dropped |= 1u << (16 * i + 4 * n + 2 * h + e);
                y[i][n][2 * h + e] = z[h] == 0.f ? 0.f : y[i][n][2 * h + e] * z[h];
              }
            }
          }
        }
      } else if (p.threshold) {
        const DropoutRows dropout(p, task.head, s.firstQuery);
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          uint32_t words[2][kTiles];
          wordsOfKeys<kTiles>(dropout, query + mine + 2 * n, firstKey, g, words);
#pragma unroll
          for (int i = 0; i < kTiles; ++i) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              const uint32_t word = words[e % 2][i];
              const bool drops = e / 2 ? dropout.dropsHigh(word) : dropout.dropsLow(word);
              if (drops) dropped |= 1u << (16 * i + 4 * n + e);
              y[i][n][e] = drops ? 0.f : y[i][n][e] * p.keepScale;
            }
          }
        }
      }
      tileProducts<T, kSize, kTiles, 1, kBias>(x, Rows{rows, 0}, columns, 0, quadsNow);
      if constexpr (kGeneral) {
        const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              x[i][n][e] = rule.score(x[i][n][e], query + mine + 2 * n + e % 2, firstKey + 2 * i + e / 2);
            }
          }
        }
      } else if (p.causal && firstKey - 2 * kTiles * g + 16 * kTiles - 1 > query + 32 * run + s.causalOffset) {
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              if (firstKey + 2 * i + e / 2 > query + mine + 2 * n + e % 2 + s.causalOffset) x[i][n][e] = -INFINITY;
            }
          }
        }
      }
      const uint32_t numbers = sharedAddress(ofQueries) + uint32_t(2 * int(buffer) * kColumns + mine) * 4;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const float2 shifts = loadPair(numbers + n * 8);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            x[i][n][e] = exp2Approximately(fmaf(x[i][n][e], toLog2, e % 2 ? shifts.y : shifts.x));
          }
        }
      }
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const float2 dots = loadPair(numbers + kColumns * 4 + n * 8);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int e = 0; e < 4; ++e) y[i][n][e] = x[i][n][e] * (y[i][n][e] - (e % 2 ? dots.y : dots.x));
        }
      }
      if (p.threshold) {
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              if (dropped >> (16 * i + 4 * n + e) & 1) x[i][n][e] = 0.f;
            }
          }
        }
      }
      addWeightedRows<T, kSize, kTiles, 1>(outV, x, summed, Tiles::kColumnBytes);
      addWeightedRows<T, kSize, kTiles, 1>(outK, y, summed, 0);
    }
  }
  waitForCopies<0>();
  __syncthreads();

  float ofV[kTiles][2], scales[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) ofV[i][h] = p.threshold ? p.keepScale : 1.f, scales[i][h] = p.scale;
  }
  writeRows<T, kSize, kTiles>(dK, outK, scales, tileBytes, warpRow, s.firstKey, task.first, s.keys, p, task.head);
  writeRows<T, kSize, kTiles>(dV, outV, ofV, tileBytes + Tiles::kRowBytes, warpRow, s.firstKey, task.first, s.keys, p,
                              task.head);
}

// The gradient of the bias table, of a warp: every lane has sums of its own for each bucket, so that lanes neither wait
// for each other nor meet in a bank.
template <int kTiles>
struct BucketSums {
  static constexpr int kDistances = 128 + 64;  // of a block: row 127 to column 63
  static constexpr uint32_t kBytes = kDistances * 4;
  static constexpr int kRowsOfThread = 2 * kTiles, kDiagonals = 8 + kRowsOfThread - 1;

  // Buckets of a block's distances from `distance` − 128 on, `distance` being of its first pair.
  __device__ static void copy(const AttentionParams& p, int distance, uint32_t to) {
    for (int i = threadAnew(); i < kDistances; i += kAttentionThreads) {
      const int of = min(max(distance - 128 + i, -p.reach), p.reach) + p.reach;
      copyAsync4(to + uint32_t(i) * 4, p.buckets + of, true);
    }
  }

  // Adds a run's gradients, of a thread's neighbouring rows and eight columns. `buckets`: of the distance of its first
  // pair minus the number of its rows, in shared memory; `sums`: this lane's, a warp's width apart.
  __device__ static void add(const TileScores<kTiles, 1>& x, uint32_t buckets, float* sums) {
    float diagonals[kDiagonals] = {};
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int n = 0; n < 4; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) diagonals[2 * n + e % 2 - 2 * i - e / 2 + kRowsOfThread - 1] += x[i][n][e];
      }
    }
    int of[8 + kRowsOfThread];
#pragma unroll
    for (int i = 0; i < 8 + kRowsOfThread; i += kRowsOfThread) {
      if constexpr (kRowsOfThread == 4) {
        const float4 v = loadQuad(buckets + uint32_t(i) * 4);
        of[i] = __float_as_int(v.x), of[i + 1] = __float_as_int(v.y);
        of[i + 2] = __float_as_int(v.z), of[i + 3] = __float_as_int(v.w);
      } else {
        const float2 v = loadPair(buckets + uint32_t(i) * 4);
        of[i] = __float_as_int(v.x), of[i + 1] = __float_as_int(v.y);
      }
    }
#pragma unroll
    for (int i = 0; i < kDiagonals; ++i) sums[of[i + 1] * kWarp] += diagonals[i];
  }
};

template <int kTiles>
__device__ inline float sumOf(const TileScores<kTiles, 1>& x) {
  float totals[4] = {};
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int n = 0; n < 4; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) totals[e] += x[i][n][e];
    }
  }
  return (totals[0] + totals[1]) + (totals[2] + totals[3]);
}

// `sums`: null, or this block's share of the table's gradient, (tiles, numBuckets, H).
template <typename T, int kSize, int kTiles, ScoreMode kMode>
__device__ void attentionBwdQueriesTensor(const AttentionParams& p, T* dQ, float* sums) {
  constexpr bool kBias = kMode == ScoreMode::kTable, kGeneral = kMode == ScoreMode::kGeneral;
  using Tiles = BackwardTiles<kSize, kTiles, 1>;
  using Quads = BiasQuads<kTiles>;
  using Rows = RowsInShared<kSize, kTiles>;
  using Buckets = BucketSums<kTiles>;
  constexpr int kRows = Tiles::kRows, kColumns = Tiles::kColumns;
  extern __shared__ __align__(256) unsigned char shared[];
  unsigned char* const tileBytes = shared + BlockTask::kBytes;
  const Tiles tiles(sharedAddress(tileBytes));
  const uint32_t buckets = tiles.rest;  // of two blocks
  float* const bucketSums =
      reinterpret_cast<float*>(tileBytes + (buckets - sharedAddress(tileBytes)) + 2 * Buckets::kBytes);

  const BlockTask& task = blockTask(p, shared);
  const AttentionSequence& s = task.s;
  const int thread = int(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp, g = lane / 4, t = lane % 4;
  const int warpRow = warp * 16 * kTiles, firstQuery = task.first + warpRow + 2 * kTiles * g;
  const int end = keysEnd(p, s, min(task.first + kRows, s.queries) - 1);
  const bool summing = kMode != ScoreMode::kPlain && sums != nullptr;
  float* const mySums = bucketSums + warp * p.numBuckets * kWarp + lane;
  float farBefore = 0.f, farAfter = 0.f;
  if (summing) {
    for (int i = 0; i < p.numBuckets; ++i) mySums[i * kWarp] = 0.f;
  }

  // All of the warp's queries see the keys before this one.
  const int seen = p.causal ? min(s.keys, task.first + warpRow + s.causalOffset + 1) : s.keys;
  const int distance = -task.first - s.causalOffset;  // of the first key
  uint32_t quadsAt[Quads::kAddresses] = {};
  if (kBias) Quads::addresses(thread, tiles.bias, warpRow, quadsAt);
  const LaneAddress<kSize, kTiles> lanes(thread);
  const Rows queries{lanes.ofRows(tiles.rows[0], warpRow), 0};

  RowChunk<kSize> keys(p.k, s.firstKey, task.head, 0, p.size, thread);
  RowChunk<kSize> values(p.v, s.firstKey, task.head, 0, p.size, thread);
  const typename Quads::Copies quads(p, task.head, distance, kRows, kColumns, thread);
  const auto copyBlock = [&](int key, uint32_t buffer) {
    const auto copy = [&](RowChunk<kSize>& mine, const AttentionRows& from, uint32_t to) {
      mine.template copy<kColumns, ColumnPattern>(from.row, s.keys - key, to + buffer * Tiles::kBuffer);
    };
    copy(keys, p.k, tiles.columns[0]);
    copy(values, p.v, tiles.columns[1]);
    if (kBias) quads.copy(distance + key, tiles.bias + buffer * Quads::kBytes);
    if (kBias && summing) Buckets::copy(p, distance + key, buckets + buffer * Buckets::kBytes);
  };

  float shifts[kTiles][2], dots[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      shifts[i][h] = shiftOf(p, s, task.head, firstQuery + 2 * i + h);
      dots[i][h] = dotsOf(p, s, task.head, firstQuery + 2 * i + h);
    }
  }
  const float toLog2 = kGeneral ? kLog2E : p.scaleLog2;
  RowSums<kTiles, kSize> out = {};
  const auto copyTile = [&](const AttentionRows& from, uint32_t to) {
    copyRows<kSize, kRows, RowPattern<kTiles>>(from, s.firstQuery, task.head, task.first, s.queries, p.size, to);
  };
  copyTile(p.q, tiles.rows[0]);
  // dO goes to registers by way of the second buffer, which is free until the loop begins: what this leaves of shared
  // memory lets a multiprocessor hold two blocks, whose sums of the bias table's gradient hide each other's waiting.
  static_assert(Tiles::kRowBytes <= Tiles::kBuffer);
  const uint32_t tileOfDO = tiles.columns[0] + Tiles::kBuffer;
  copyTile(p.dO, tileOfDO);
  if (end > 0) copyBlock(0, 0);
  commitCopies();
  waitForCopies<0>();
  __syncthreads();
  const RowsInRegisters<kSize, kTiles> dO(Rows{lanes.ofRows(tileOfDO, warpRow), 0});
  uint32_t buffer = 0;
#pragma unroll 1
  for (int key = 0; key < end; key += kColumns, buffer ^= 1) {
    waitForCopies<0>();
    __syncthreads();
    if (key + kColumns < end) copyBlock(key + kColumns, buffer ^ 1);
    commitCopies();
#pragma unroll 1
    for (int run = 0; run < kColumns / 32; ++run) {
      const uint32_t tile = tiles.columns[0] + buffer * Tiles::kBuffer + uint32_t(run) * 32 * SharedRows<kSize>::kBytes;
      const LaneAddress<kSize, kTiles> address(thread);
      const uint32_t columns = address.ofColumns(tile), summed = address.ofSummedColumns(tile);
      const uint32_t toQuads = buffer * Quads::kBytes + uint32_t(run) * 128;
      uint32_t quadsNow[Quads::kAddresses];
#pragma unroll
      for (int m = 0; m < Quads::kAddresses; ++m) quadsNow[m] = quadsAt[m] + toQuads;
      const int firstKey = key + 32 * run;
      TileScores<kTiles, 1> x, y;
      tileProducts<T, kSize, kTiles, 1, kBias>(x, queries, columns, 0, quadsNow);
      if constexpr (kGeneral) {
        const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              x[i][n][e] = rule.score(x[i][n][e], firstQuery + 2 * i + e / 2, firstKey + 8 * t + 2 * n + e % 2);
            }
          }
        }
      } else if (firstKey + 32 > seen) {
        hideKeys<kTiles, 1>(x, p, s, firstQuery, firstKey + 8 * t);
      }
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int n = 0; n < 4; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            x[i][n][e] = exp2Approximately(fmaf(x[i][n][e], toLog2, shifts[i][e / 2]));
          }
        }
      }
      tileProducts<T, kSize, kTiles, 1, false>(y, dO, columns, Tiles::kColumnBytes, quadsNow);
      if (kGeneral && p.threshold) {
        const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            float z[8];
            rule.factors(firstQuery + 2 * i + h, firstKey + 8 * t, z);
#pragma unroll
            for (int c = 0; c < 8; ++c) {
              float& d = y[i][c / 2][2 * h + c % 2];
              d = z[c] == 0.f ? 0.f : d * z[c];
            }
          }
        }
      } else if (p.threshold) {
        const DropoutRows dropout(p, task.head, s.firstQuery + firstQuery);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            const uint4 words = dropout.words(2 * i + h, firstKey + 8 * t);
#pragma unroll
            for (int n = 0; n < 4; ++n) {
              const uint32_t word = wordOf(words, n);
              y[i][n][2 * h] = dropout.dropsLow(word) ? 0.f : y[i][n][2 * h] * p.keepScale;
              y[i][n][2 * h + 1] = dropout.dropsHigh(word) ? 0.f : y[i][n][2 * h + 1] * p.keepScale;
            }
          }
        }
      }
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int n = 0; n < 4; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) y[i][n][e] = x[i][n][e] * (y[i][n][e] - dots[i][e / 2]);
        }
      }
      if (kGeneral && summing) {
        const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              const int mine = min(firstQuery + 2 * i + e / 2, s.queries - 1);
              const int j = min(firstKey + 8 * t + 2 * n + e % 2, s.keys - 1);
              mySums[p.buckets[rule.windowIndex(rule.relative(mine, j))] * kWarp] += y[i][n][e];
            }
          }
        }
      } else if (summing) {
        // Far from the diagonal all distances have one bucket.
        const int first = distance + firstKey - warpRow;  // of the warp's first pair
        if (first + 31 <= -p.reach) {
          farBefore += sumOf<kTiles>(y);
        } else if (first - (16 * kTiles - 1) >= p.reach) {
          farAfter += sumOf<kTiles>(y);
        } else {
          const int at = 128 + 32 * run + 8 * t - warpRow - 2 * kTiles * g - Buckets::kRowsOfThread;
          Buckets::add(y, buckets + buffer * Buckets::kBytes + uint32_t(at) * 4, mySums);
        }
      }
      addWeightedRows<T, kSize, kTiles, 1>(out, y, summed, 0);
    }
  }
  waitForCopies<0>();
  __syncthreads();

  float scales[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) scales[i][0] = scales[i][1] = p.scale;
  writeRows<T, kSize, kTiles>(dQ, out, scales, tileBytes, warpRow, s.firstQuery, task.first, s.queries, p, task.head);
  if (!summing) return;
  mySums[p.buckets[0] * kWarp] += farBefore;
  mySums[p.buckets[2 * p.reach] * kWarp] += farAfter;
  __syncthreads();
  for (int bucket = warp; bucket < p.numBuckets; bucket += kAttentionWarps) {
    float total = 0.f;
    for (int w = 0; w < kAttentionWarps; ++w) total += bucketSums[(w * p.numBuckets + bucket) * kWarp + lane];
    total = warpSum(total);
    if (lane == 0) sums[(int64_t(blockIdx.x / p.heads) * p.numBuckets + bucket) * p.heads + task.head] = total;
  }
}

}  // namespace duo::cuda

#define DUO_ATTENTION_BWD_KERNELS(T, name, size, tiles, mode)                            \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)                     \
      attentionBwdKeys##name##_##T##_d##size(AttentionParams p, T* dK, T* dV) {          \
    attentionBwdKeysTensor<T, size, tiles, ScoreMode::mode>(p, dK, dV);                  \
  }                                                                                      \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)                     \
      attentionBwdQueries##name##_##T##_d##size(AttentionParams p, T* dQ, float* sums) { \
    attentionBwdQueriesTensor<T, size, tiles, ScoreMode::mode>(p, dQ, sums);             \
  }
#define DUO_ATTENTION_BWD(T)                         \
  DUO_ATTENTION_BWD_KERNELS(T, , 64, 2, kPlain)      \
  DUO_ATTENTION_BWD_KERNELS(T, Bias, 64, 2, kTable)  \
  DUO_ATTENTION_BWD_KERNELS(T, , 128, 1, kPlain)     \
  DUO_ATTENTION_BWD_KERNELS(T, Bias, 128, 1, kTable) \
  DUO_ATTENTION_BWD_KERNELS(T, General, 64, 1, kGeneral)
