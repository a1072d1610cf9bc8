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

// Scores of keys that a row does not see become −inf. `seen`: the last key that row (i, h) of this thread sees, counted
// from the thread's first column.
template <int kTiles, int kRuns>
__device__ inline void hideColumns(TileScores<kTiles, kRuns>& s, const int (&seen)[kTiles][2]) {
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int n = 0; n < 4 * kRuns; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if (n / 4 * 32 + n % 4 * 2 + e % 2 > seen[i][e / 2]) s[i][n][e] = -INFINITY;
      }
    }
  }
}

template <typename T, int kSize, int kTiles, bool kBias>
__device__ void attentionFwdTensor(const AttentionParams& p, T* o, float* lse) {
  constexpr int kRuns = 2, kKeys = 32 * kRuns, kQueries = 16 * kTiles * kAttentionWarps;
  constexpr int kBytes = SharedRows<kSize>::kBytes;
  extern __shared__ __align__(256) unsigned char shared[];
  const uint32_t tileQ = sharedAddress(shared), tileK = tileQ + kQueries * kBytes, tileV = tileK + kKeys * kBytes;
  const uint32_t tileBias = tileV + kKeys * kBytes;

  const AttentionTile tile = p.tiles[blockIdx.x / p.heads];
  const AttentionRule<T> rule(p, tile.sequence, int(blockIdx.x) % p.heads);
  const AttentionSequence& s = rule.s;
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
  const int warpRow = warp * 16 * kTiles, firstQuery = tile.first + warpRow;
  const int end = rule.keysEnd(min(tile.first + kQueries, s.queries) - 1);

  RowCopies<kSize, kQueries, RowPattern<kTiles>> copyQ(p.q, s.firstQuery, rule.head, tile.first, s.queries, p.size);
  RowCopies<kSize, kKeys, ColumnPattern> copyK(p.k, s.firstKey, rule.head, 0, s.keys, p.size);
  RowCopies<kSize, kKeys, ColumnPattern> copyV(p.v, s.firstKey, rule.head, 0, s.keys, p.size);
  const int distance = -tile.first - s.causalOffset;  // of the first key
  const BiasQuads quads(p, rule.head, tileBias, distance, 128, kKeys);
  uint32_t quadsAt[2] = {};
  if (kBias) BiasQuads::addresses<kTiles>(tileBias, warpRow, quadsAt);
  const LaneAddress<kSize, kTiles> address;
  const uint32_t rows = address.ofRows(tileQ, warpRow), columns = address.ofColumns(tileK);
  const uint32_t summed = address.ofSummedColumns(tileV);
  const DropoutRows dropout(p, rule.head, s.firstQuery + firstQuery + 2 * kTiles * g);

  const float toLog2 = p.scale * kLog2E;
  RowSums<kTiles, kSize> out = {};
  float highest[kTiles][2], totals[kTiles][2];
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int h = 0; h < 2; ++h) highest[i][h] = kLowest, totals[i][h] = 0.f;
  }

  if (end > 0) {
    copyQ.copy(tileQ);
    copyK.copy(tileK);
    if (kBias) quads.copy(distance, 0);
  }
  commitCopies();
#pragma unroll 1
  for (int key = 0; key < end; key += kKeys) {
    waitForCopies<0>();
    __syncthreads();
    copyV.copy(tileV);
    commitCopies();
    TileScores<kTiles, kRuns> x;
    tileProducts<T, kSize, kTiles, kRuns, kBias>(x, rows, columns, quadsAt);
    waitForCopies<0>();
    __syncthreads();
    if (key + kKeys < end) {
      copyK.copy(tileK);
      if (kBias) quads.copy(distance + key + kKeys, 0);
    }
    commitCopies();

    if (key + kKeys > s.keys || (p.causal && key + kKeys - 1 > firstQuery + s.causalOffset)) {
      int seen[kTiles][2];
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const int query = firstQuery + 2 * kTiles * g + 2 * i + h;
          seen[i][h] = (p.causal ? min(s.keys - 1, query + s.causalOffset) : s.keys - 1) - key - 8 * t;
        }
      }
      hideColumns<kTiles, kRuns>(x, seen);
    }

#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float most = highest[i][h];
#pragma unroll
        for (int n = 0; n < 4 * kRuns; ++n) most = fmaxf(fmaxf(most, x[i][n][2 * h]), x[i][n][2 * h + 1]);
        most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
        most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
        const float shift = most * toLog2, factor = exp2Approximately((highest[i][h] - most) * toLog2);
        highest[i][h] = most;
        float total = totals[i][h] * factor;
#pragma unroll
        for (int n = 0; n < 4 * kRuns; ++n) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float& y = x[i][n][2 * h + e];
            y = exp2Approximately(fmaf(y, toLog2, -shift));
            total += y;
          }
        }
        totals[i][h] = total;
#pragma unroll
        for (int c = 0; c < kSize / 8; ++c) out[i][c][2 * h] *= factor, out[i][c][2 * h + 1] *= factor;
      }
    }

    if (p.threshold) {
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
    addWeightedRows<T, kSize, kTiles, kRuns>(out, x, summed);
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
      scales[i][h] = total == 0.f ? 0.f : (p.threshold ? p.keepScale : 1.f) / total;
      const int query = firstQuery + 2 * kTiles * g + 2 * i + h;
      if (t == 0 && query < s.queries) {
        lse[rule.head * p.nq + s.firstQuery + query] =
            total == 0.f ? -INFINITY : fmaf(highest[i][h], p.scale, logf(total));
      }
    }
  }
  // Every warp has read its own queries for the last time; nobody else reads them.
  writeRows<T, kSize, kTiles>(o, out, scales, shared, warpRow, s.firstQuery, tile.first, s.queries, p, rule.head);
}

}  // namespace duo::cuda

#define DUO_ATTENTION_FWD(T)                                             \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)     \
      attentionFwd_##T##_d64(AttentionParams p, T* o, float* lse) {      \
    attentionFwdTensor<T, 64, 2, false>(p, o, lse);                      \
  }                                                                      \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)     \
      attentionFwdBias_##T##_d64(AttentionParams p, T* o, float* lse) {  \
    attentionFwdTensor<T, 64, 2, true>(p, o, lse);                       \
  }                                                                      \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)     \
      attentionFwd_##T##_d128(AttentionParams p, T* o, float* lse) {     \
    attentionFwdTensor<T, 128, 1, false>(p, o, lse);                     \
  }                                                                      \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads, 2)     \
      attentionFwdBias_##T##_d128(AttentionParams p, T* o, float* lse) { \
    attentionFwdTensor<T, 128, 1, true>(p, o, lse);                      \
  }
