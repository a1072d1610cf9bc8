// attentionFwd on the tensor cores: O = softmax(scale·Q·Kᵀ + bias)·V, the softmax online.
// Dao 2023, FlashAttention-2, algorithm 1. arXiv:2307.08691
//
// Work:   a block of four warps takes 64·kTiles queries of a sequence and head, 16·kTiles rows a warp, and walks over
//         blocks of 64 keys. V arrives during Q·Kᵀ, the next K during the rest (cp.async).
// Memory: Q, one block of K and of V, and the bias of one tile: 34 KiB for rows of 64, 68 KiB for rows of 128, so that
// a
//         multiprocessor holds two blocks. Probabilities stay in registers.
// Bytes:  reads Q and writes O and lse once, reads K and V once for each block of queries.
#pragma once
#include "cuda/kernels/attention_tensor.cuh"

namespace duo::cuda {

// The sums of a thread's rows, in registers or, where these are needed for more, in a place of each thread's own in
// shared memory at `base`.
template <int kTiles, bool kShared>
struct RowTotals {
  float values[kTiles][2];

  __device__ void take(uint32_t base) {
    if constexpr (kShared) {
      const float4 q = loadQuad(base + uint32_t(threadAnew()) * 16);
      values[0][0] = q.x, values[0][1] = q.y, values[1][0] = q.z, values[1][1] = q.w;
    }
  }
  __device__ void put(uint32_t base) const {
    if constexpr (kShared) {
      const float q[4] = {values[0][0], values[0][1], values[1][0], values[1][1]};
      storeQuad(base + uint32_t(threadAnew()) * 16, q);
    }
  }
};

template <typename T, int kSize, int kTiles, ScoreMode kMode, bool kDropout>
__device__ void attentionFwdTensor(const AttentionParams& p, T* o, float* lse) {
  constexpr bool kBias = kMode == ScoreMode::kTable, kGeneral = kMode == ScoreMode::kGeneral;
  constexpr int kRuns = 2, kKeys = 32 * kRuns, kQueries = 16 * kTiles * kAttentionWarps;
  constexpr int kBytes = SharedRows<kSize>::kBytes;
  using Quads = BiasQuads<kTiles>;
  using QuadCopies = typename Quads::Copies;
  extern __shared__ __align__(256) unsigned char shared[];
  unsigned char* const tileBytes = shared + BlockTask::kBytes;
  const uint32_t tileQ = sharedAddress(tileBytes), tileK = tileQ + kQueries * kBytes, tileV = tileK + kKeys * kBytes;
  const uint32_t tileBias = tileV + kKeys * kBytes;

  const BlockTask& task = blockTask(p, shared);
  const AttentionSequence& s = task.s;
  // Sums of two tiles of wide rows leave no registers around the loop for anything that can be made anew.
  constexpr bool kAnew = kSize * kTiles > 128;
  const auto thread = [] { return kAnew ? threadAnew() : int(threadIdx.x); };
  // This thread's first row of its warp's tile and first column of a run.
  const auto warpRow = [&] { return thread() / kWarp * 16 * kTiles; };
  const auto firstRow = [&] { return warpRow() + 2 * kTiles * (thread() % kWarp / 4); };
  const auto firstColumn = [&] { return 8 * (thread() % 4); };
  const auto findEnd = [&] { return keysEnd(p, s, min(task.first + kQueries, s.queries) - 1); };
  const int keptEnd = findEnd();
  const auto end = [&] { return kAnew ? findEnd() : keptEnd; };

  RowChunk<kSize> keys(p.k, s.firstKey, task.head, 0, p.size, int(threadIdx.x));
  RowChunk<kSize> values(p.v, s.firstKey, task.head, 0, p.size, int(threadIdx.x));
  const auto copy = [&](RowChunk<kSize>& mine, const AttentionRows& rows, int key, uint32_t to) {
    if constexpr (kAnew)
      copyRows<kSize, kKeys, ColumnPattern>(rows, s.firstKey, task.head, key, end(), p.size, to);
    else
      mine.template copy<kKeys, ColumnPattern>(rows.row, end() - key, to);
  };
  // All of the warp's queries see the keys before `seen`.
  const int seen = p.causal ? min(s.keys, task.first + warpRow() + s.causalOffset + 1) : s.keys;
  const auto hidesSome = [&](int key) {
    if constexpr (kAnew)
      return key + kKeys > s.keys || (p.causal && key + kKeys - 1 > task.first + warpRow() + s.causalOffset);
    else
      return key + kKeys > seen;
  };
  // Of the first key.
  const int distance = -task.first - s.causalOffset;
  const QuadCopies quads(p, task.head, distance, kQueries, kKeys, int(threadIdx.x));
  const auto copyK = [&](int key) {
    copy(keys, p.k, key, tileK);
    if constexpr (kBias && kAnew) {
      const int now = key - task.first - s.causalOffset;
      QuadCopies(p, task.head, now, kQueries, kKeys, threadAnew()).copy(now, tileBias);
    } else if constexpr (kBias) {
      quads.copy(distance + key, tileBias);
    }
  };

  // Scores are still to be scaled where nothing but the table was added to them.
  const float unit = kGeneral ? 1.f : p.scale, toLog2 = kGeneral ? kLog2E : p.scaleLog2;
  RowSums<kTiles, kSize> out = {};
  float highest[kTiles][2];
  RowTotals<kTiles, kAnew> totals;
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) highest[i][h] = kLowest, totals.values[i][h] = 0.f;
  }
  totals.put(tileBias + Quads::kBytes);

  if (keptEnd > 0) {
    copyRows<kSize, kQueries, RowPattern<kTiles>>(p.q, s.firstQuery, task.head, task.first, s.queries, p.size, tileQ);
    copyK(0);
  }
  commitCopies();
#pragma unroll 1
  for (int key = 0; key < end(); key += kKeys) {
    waitForCopies<0>();
    __syncthreads();
    copy(values, p.v, key, tileV);
    commitCopies();
    TileScores<kTiles, kRuns> x;
    {
      const LaneAddress<kSize, kTiles> address(thread());
      uint32_t quadsAt[Quads::kAddresses] = {};
      if (kBias) Quads::addresses(thread(), tileBias, warpRow(), quadsAt);
      const RowsInShared<kSize, kTiles> queries{address.ofRows(tileQ, warpRow()), 0};
      tileProducts<T, kSize, kTiles, kRuns, kBias>(x, queries, address.ofColumns(tileK), 0, quadsAt);
    }
    waitForCopies<0>();
    __syncthreads();
    copyK(key + kKeys);
    commitCopies();

    if constexpr (kGeneral) {
      const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int n = 0; n < 4 * kRuns; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            x[i][n][e] = rule.score(x[i][n][e], task.first + firstRow() + 2 * i + e / 2,
                                    key + firstColumn() + n / 4 * 32 + n % 4 * 2 + e % 2);
          }
        }
      }
    } else if (hidesSome(key)) {
      hideKeys<kTiles, kRuns>(x, p, s, task.first + firstRow(), key + firstColumn());
    }

    totals.take(tileBias + Quads::kBytes);
    // Row by row only what must be: shuffles are not moved past one another.
    float most[kTiles][2];
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        most[i][h] = highest[i][h];
#pragma unroll
        for (int n = 0; n < 4 * kRuns; ++n) {
          most[i][h] = fmaxf(most[i][h], fmaxf(x[i][n][2 * h], x[i][n][2 * h + 1]));
        }
      }
    }
#pragma unroll
    for (int lanes = 1; lanes < 4; lanes *= 2) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int h = 0; h < 2; ++h) most[i][h] = fmaxf(most[i][h], __shfl_xor_sync(kAllLanes, most[i][h], lanes));
      }
    }
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const float shift = most[i][h] * toLog2, factor = exp2Approximately((highest[i][h] - most[i][h]) * toLog2);
        highest[i][h] = most[i][h];
        // Two sums, so that neither waits for the other.
        float total[2] = {totals.values[i][h] * factor, 0.f};
#pragma unroll
        for (int n = 0; n < 4 * kRuns; ++n) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float& y = x[i][n][2 * h + e];
            y = exp2Approximately(fmaf(y, toLog2, -shift));
            total[e] += y;
          }
        }
        totals.values[i][h] = total[0] + total[1];
#pragma unroll
        for (int c = 0; c < kSize / 8; ++c) out[i][c][2 * h] *= factor, out[i][c][2 * h + 1] *= factor;
      }
    }

    if (kGeneral && p.threshold) {
      // Positions of neighbouring keys need not share a call of Philox.
      const AttentionRule<T> rule(p, s, task.sequence, task.head);
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int n = 0; n < 4 * kRuns; n += 2) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            float z[4];
            rule.factors(task.first + firstRow() + 2 * i + h, key + firstColumn() + n / 4 * 32 + n % 4 * 2, z);
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              if (z[e] == 0.f) x[i][n + e / 2][2 * h + e % 2] = 0.f;
            }
          }
        }
      }
    }
    if constexpr (kDropout) {
      const DropoutRows dropout(p, task.head, s.firstQuery + task.first + firstRow());
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
#pragma unroll
          for (int a = 0; a < kRuns; ++a) {
            const uint4 words = dropout.words(2 * i + h, key + 32 * a + firstColumn());
#pragma unroll
            for (int j = 0; j < 4; ++j) {
              const uint32_t word = wordOf(words, j);
              if (dropout.dropsLow(word)) x[i][4 * a + j][2 * h] = 0.f;
              if (dropout.dropsHigh(word)) x[i][4 * a + j][2 * h + 1] = 0.f;
            }
          }
        }
      }
    }
    const LaneAddress<kSize, kTiles> address(thread());
    addWeightedRows<T, kSize, kTiles, kRuns>(out, x, address.ofSummedColumns(tileV), 0);
    totals.put(tileBias + Quads::kBytes);
  }

  totals.take(tileBias + Quads::kBytes);
  float scales[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float total = totals.values[i][h];
      total += __shfl_xor_sync(kAllLanes, total, 1);
      total += __shfl_xor_sync(kAllLanes, total, 2);
      // A row without keys has the sum 0; NaN goes on.
      scales[i][h] = total == 0.f ? 0.f : (kDropout || (kGeneral && p.threshold) ? p.keepScale : 1.f) / total;
      const int query = task.first + firstRow() + 2 * i + h;
      if (firstColumn() == 0 && query < s.queries) {
        lse[task.head * p.nq + s.firstQuery + query] =
            total == 0.f ? -INFINITY : fmaf(highest[i][h], unit, logf(total));
      }
    }
  }
  // Every warp has read its own queries for the last time; nobody else reads them.
  writeRows<T, kSize, kTiles>(o, out, scales, tileBytes, warpRow(), s.firstQuery, task.first, s.queries, p, task.head);
}

}  // namespace duo::cuda

#define DUO_ATTENTION_FWD_KERNEL(T, name, size, tiles, mode, dropout)           \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)            \
      attentionFwd##name##_##T##_d##size(AttentionParams p, T* o, float* lse) { \
    attentionFwdTensor<T, size, tiles, ScoreMode::mode, dropout>(p, o, lse);    \
  }
// Tiles of rows of a warp, as attentionForwardBlock in tuning.h has them; `dropping`: with dropout.
#define DUO_ATTENTION_FWD_KERNELS(T, size, dropping)                     \
  DUO_ATTENTION_FWD_KERNEL(T, , size, 2, kPlain, false)                  \
  DUO_ATTENTION_FWD_KERNEL(T, Dropout, size, dropping, kPlain, true)     \
  DUO_ATTENTION_FWD_KERNEL(T, Bias, size, 2, kTable, false)              \
  DUO_ATTENTION_FWD_KERNEL(T, BiasDropout, size, dropping, kTable, true) \
  DUO_ATTENTION_FWD_KERNEL(T, General, size, 1, kGeneral, false)
#define DUO_ATTENTION_FWD(T)          \
  DUO_ATTENTION_FWD_KERNELS(T, 64, 2) \
  DUO_ATTENTION_FWD_KERNELS(T, 128, 1)
