// attentionFwd on the tensor cores: O = softmax(scale·Q·Kᵀ + bias)·V, the softmax online.
// Dao 2023, FlashAttention-2, algorithm 1. arXiv:2307.08691
//
// Work:   a block of four warps takes 64·kTiles queries of a sequence and head, 16·kTiles rows a warp, and walks over
//         blocks of 64 keys. V arrives during Q·Kᵀ, the next K during the rest (cp.async).
// Memory: Q, one block of K and of V, and the bias of one tile: 33 KiB for rows of 64. Probabilities stay in registers.
// Bytes:  reads Q and writes O and lse once, reads K and V once for each block of queries.
#pragma once
#include "cuda/kernels/attention_tensor.cuh"

namespace duo::cuda {

template <typename T, int kSize, int kTiles, ScoreMode kMode, bool kDropout>
__device__ void attentionFwdTensor(const AttentionParams& p, T* o, float* lse) {
  constexpr bool kBias = kMode == ScoreMode::kTable, kGeneral = kMode == ScoreMode::kGeneral;
  constexpr int kRuns = 2, kKeys = 32 * kRuns, kQueries = 16 * kTiles * kAttentionWarps;
  constexpr int kBytes = SharedRows<kSize>::kBytes;
  extern __shared__ __align__(256) unsigned char shared[];
  unsigned char* const tileBytes = shared + BlockTask::kBytes;
  const uint32_t tileQ = sharedAddress(tileBytes), tileK = tileQ + kQueries * kBytes, tileV = tileK + kKeys * kBytes;
  const uint32_t tileBias = tileV + kKeys * kBytes;

  const BlockTask& task = blockTask(p, shared);
  const AttentionSequence& s = task.s;
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
  const int warpRow = warp * 16 * kTiles, firstQuery = task.first + warpRow;
  const int end = keysEnd(p, s, min(task.first + kQueries, s.queries) - 1);

  const int distance = -task.first - s.causalOffset;  // of the first key
  RowChunk<kSize> keys(p.k, s.firstKey, task.head, 0, p.size, int(threadIdx.x));
  RowChunk<kSize> values(p.v, s.firstKey, task.head, 0, p.size, int(threadIdx.x));
  const auto copyK = [&](int key) {
    keys.template copy<kKeys, ColumnPattern>(p.k.row, end - key, tileK);
    if (kBias) BiasQuads::copy<false>(p, task.head, distance + key, kQueries, kKeys, tileBias);
  };
  uint32_t quadsAt[2] = {};
  if (kBias) BiasQuads::addresses<kTiles>(tileBias, warpRow, quadsAt);
  const LaneAddress<kSize, kTiles> address(int(threadIdx.x));
  const uint32_t rows = address.ofRows(tileQ, warpRow), columns = address.ofColumns(tileK);
  const uint32_t summed = address.ofSummedColumns(tileV);

  // Scores are still to be scaled where nothing but the table was added to them.
  const float unit = kGeneral ? 1.f : p.scale, toLog2 = kGeneral ? kLog2E : p.scaleLog2;
  RowSums<kTiles, kSize> out = {};
  float highest[kTiles][2], totals[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) highest[i][h] = kLowest, totals[i][h] = 0.f;
  }

  if (end > 0) {
    copyRows<kSize, kQueries, RowPattern<kTiles>>(p.q, s.firstQuery, task.head, task.first, s.queries, p.size, tileQ);
    copyK(0);
  }
  commitCopies();
#pragma unroll 1
  for (int key = 0; key < end; key += kKeys) {
    waitForCopies<0>();
    __syncthreads();
    values.template copy<kKeys, ColumnPattern>(p.v.row, end - key, tileV);
    commitCopies();
    TileScores<kTiles, kRuns> x;
    tileProducts<T, kSize, kTiles, kRuns, kBias>(x, rows, 0, columns, 0, quadsAt);
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
            x[i][n][e] = rule.score(x[i][n][e], firstQuery + 2 * kTiles * g + 2 * i + e / 2,
                                    key + 8 * t + n / 4 * 32 + n % 4 * 2 + e % 2);
          }
        }
      }
    } else if (key + kKeys > s.keys || (p.causal && key + kKeys - 1 > firstQuery + s.causalOffset)) {
      hideKeys<kTiles, kRuns>(x, p, s, firstQuery + 2 * kTiles * g, key + 8 * t);
    }

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
        float total[2] = {totals[i][h] * factor, 0.f};
#pragma unroll
        for (int n = 0; n < 4 * kRuns; ++n) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float& y = x[i][n][2 * h + e];
            y = exp2Approximately(fmaf(y, toLog2, -shift));
            total[e] += y;
          }
        }
        totals[i][h] = total[0] + total[1];
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
            rule.factors(firstQuery + 2 * kTiles * g + 2 * i + h, key + 8 * t + n / 4 * 32 + n % 4 * 2, z);
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              if (z[e] == 0.f) x[i][n + e / 2][2 * h + e % 2] = 0.f;
            }
          }
        }
      }
    }
    if constexpr (kDropout) {
      const DropoutRows dropout(p, task.head, s.firstQuery + firstQuery + 2 * kTiles * g);
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
#pragma unroll
          for (int a = 0; a < kRuns; ++a) {
            const uint4 words = dropout.words(2 * i + h, key + 32 * a + 8 * t);
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
    addWeightedRows<T, kSize, kTiles, kRuns>(out, x, summed, 0);
  }

  float scales[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float total = totals[i][h];
      total += __shfl_xor_sync(kAllLanes, total, 1);
      total += __shfl_xor_sync(kAllLanes, total, 2);
      // A row without keys has the sum 0; NaN goes on.
      scales[i][h] = total == 0.f ? 0.f : (kDropout || (kGeneral && p.threshold) ? p.keepScale : 1.f) / total;
      const int query = firstQuery + 2 * kTiles * g + 2 * i + h;
      if (t == 0 && query < s.queries) {
        lse[task.head * p.nq + s.firstQuery + query] =
            total == 0.f ? -INFINITY : fmaf(highest[i][h], unit, logf(total));
      }
    }
  }
  // Every warp has read its own queries for the last time; nobody else reads them.
  writeRows<T, kSize, kTiles>(o, out, scales, tileBytes, warpRow, s.firstQuery, task.first, s.queries, p, task.head);
}

}  // namespace duo::cuda

#define DUO_ATTENTION_FWD_KERNEL(T, name, size, tiles, mode, dropout)           \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)            \
      attentionFwd##name##_##T##_d##size(AttentionParams p, T* o, float* lse) { \
    attentionFwdTensor<T, size, tiles, ScoreMode::mode, dropout>(p, o, lse);    \
  }
#define DUO_ATTENTION_FWD_KERNELS(T, size, tiles)                     \
  DUO_ATTENTION_FWD_KERNEL(T, , size, tiles, kPlain, false)           \
  DUO_ATTENTION_FWD_KERNEL(T, Dropout, size, tiles, kPlain, true)     \
  DUO_ATTENTION_FWD_KERNEL(T, Bias, size, tiles, kTable, false)       \
  DUO_ATTENTION_FWD_KERNEL(T, BiasDropout, size, tiles, kTable, true) \
  DUO_ATTENTION_FWD_KERNEL(T, General, size, 1, kGeneral, false)
#define DUO_ATTENTION_FWD(T)          \
  DUO_ATTENTION_FWD_KERNELS(T, 64, 2) \
  DUO_ATTENTION_FWD_KERNELS(T, 128, 1)
