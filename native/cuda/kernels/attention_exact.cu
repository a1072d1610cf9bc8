// Attention by fused multiply-adds in float32, for operands of any element type, any head size, positions and biases:
// what float32 takes, and 16-bit floats where the tensor kernels do not go.
//
// Work:   blocks of 256 threads take 64 queries (or keys) of a sequence and head, and up to 64·kParts columns of the
//         result; they walk over the tiles of 64 keys (queries). Rows longer than 64 go through shared memory in
//         pieces.
// Memory: three or four tiles of 16 KiB in shared memory, nothing of the size of the scores anywhere. 4·D FLOP a score
//         forward, 14·D backward: scores and their gradients are made twice, so that every sum has one owner and one
//         order.
// Dao 2023, FlashAttention-2. arXiv:2307.08691
#include "cuda/kernels/attention_rule.cuh"
#include "cuda/kernels/attention_tile.cuh"

using namespace duo::cuda;

namespace {

// All tiles of a block that walks over pairs.
template <typename T>
struct TileWalk {
  const AttentionParams& p;
  const AttentionRule<T> rule;
  const TileThread at;
  const int first;  // query (key)
  float *a, *b;     // operands

  __device__ TileWalk(const AttentionParams& p, float* shared, int sequence, int head, int first = 0)
      : p(p), rule(p, sequence, head), first(first), a(shared), b(shared + kTileFloats) {}
  // Blocks (x) take the heads of one tile after the other.
  __device__ TileWalk(const AttentionParams& p, float* shared)
      : TileWalk(p, shared, p.tiles[blockIdx.x / p.heads].sequence, int(blockIdx.x) % p.heads,
                 p.tiles[blockIdx.x / p.heads].first) {}

  __device__ void loadQueries(float* tile, const AttentionRows& rows, int query, int column) const {
    loadTile<T>(tile, rows, rule.s.firstQuery, rule.head, query, rule.s.queries, column, p.size, p.vectors);
  }
  __device__ void loadKeys(float* tile, const AttentionRows& rows, int key, int column) const {
    loadTile<T>(tile, rows, rule.s.firstKey, rule.head, key, rule.s.keys, column, p.size, p.vectors);
  }

  // c = products of whole rows, between barriers. `rowsAreKeys`: c is [key][query], else [query][key].
  template <bool kRowsAreKeys>
  __device__ void products(Micro& c, const AttentionRows& ofQueries, const AttentionRows& ofKeys, int query,
                           int key) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
#pragma unroll
      for (int k = 0; k < 4; ++k) c[r][k] = 0.f;
    }
    for (int column = 0; column < p.size; column += kTile) {
      __syncthreads();
      loadQueries(kRowsAreKeys ? b : a, ofQueries, query, column);
      loadKeys(kRowsAreKeys ? a : b, ofKeys, key, column);
      __syncthreads();
      multiplyTransposed(c, a, b, at);
    }
  }

  // Of a row and its lse; a row without keys has P = 0.
  __device__ float lseOf(int query) const {
    if (query >= rule.s.queries) return INFINITY;
    const float lse = p.lse[rule.head * p.nq + rule.s.firstQuery + query];
    return lse == -INFINITY ? INFINITY : lse;
  }
  __device__ float dotsOf(int query) const {
    return query < rule.s.queries ? p.dots[rule.head * p.nq + rule.s.firstQuery + query] : 0.f;
  }
};

template <typename Op>
__device__ float halfWarpReduce(float x, Op op) {
#pragma unroll
  for (int offset = 8; offset > 0; offset /= 2) x = op(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
}

template <typename T, int kParts>
__device__ void attentionFwd(const AttentionParams& p, T* o, float* lse) {
  __shared__ __align__(16) float shared[3 * kTileFloats];
  const TileWalk<T> walk(p, shared);
  const AttentionRule<T>& rule = walk.rule;
  const TileThread& at = walk.at;
  float* probabilities = shared + 2 * kTileFloats;
  const int firstColumn = int(blockIdx.y) * kTile * kParts;

  Micro out[kParts] = {};
  float highest[4], totals[4];
#pragma unroll
  for (int r = 0; r < 4; ++r) highest[r] = -INFINITY, totals[r] = 0.f;

  const int end = rule.keysEnd(min(walk.first + kTile, rule.s.queries) - 1);
  for (int key = 0; key < end; key += kTile) {
    Micro c;
    walk.template products<false>(c, p.q, p.k, walk.first, key);
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const int query = walk.first + 4 * at.y + r;
      float most = -INFINITY;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        c[r][k] = rule.score(c[r][k], query, key + 4 * at.x + k);
        most = Max()(most, c[r][k]);
      }
      const float now = Max()(highest[r], halfWarpReduce(most, Max()));
      // While a row has seen no key its maximum is −inf, from which nothing may be subtracted.
      const float shift = now == -INFINITY ? 0.f : now, factor = expf(highest[r] - shift);
      highest[r] = now;
      float total = 0.f;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        c[r][k] = expf(c[r][k] - shift);
        total += c[r][k];
      }
      totals[r] = totals[r] * factor + halfWarpReduce(total, Sum());
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
#pragma unroll
        for (int k = 0; k < 4; ++k) out[part][r][k] *= factor;
      }
      if (p.threshold) {
        float z[4];
        rule.factors(query, key + 4 * at.x, z);
#pragma unroll
        for (int k = 0; k < 4; ++k) c[r][k] *= z[k];
      }
    }
    storeMicro(probabilities, at, c);
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const int column = firstColumn + part * kTile;
      if (column >= p.size) break;
      __syncthreads();
      walk.loadKeys(walk.b, p.v, key, column);
      __syncthreads();
      multiplyTile(out[part], probabilities, walk.b, at);
    }
  }

  float scales[4];
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    // A row without keys has the sum 0; NaN goes on.
    scales[r] = totals[r] == 0.f ? 0.f : 1.f / totals[r];
    const int query = walk.first + 4 * at.y + r;
    if (at.x == 0 && blockIdx.y == 0 && query < rule.s.queries) {
      lse[rule.head * p.nq + rule.s.firstQuery + query] = totals[r] == 0.f ? -INFINITY : highest[r] + logf(totals[r]);
    }
  }
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    writeMicro(o, out[part], scales, rule.s.firstQuery, walk.first, rule.s.queries, p.heads, rule.head,
               firstColumn + part * kTile, p.size, at);
  }
}

// dK and dV of 64 keys. With P = exp(S − lse), dropout factors Z and dS = P∘((dO·Vᵀ)∘Z − dots):
//   dV = (P∘Z)ᵀ·dO     dK = scale·dSᵀ·Q
template <typename T, int kParts>
__device__ void attentionBwdKeys(const AttentionParams& p, T* dK, T* dV) {
  extern __shared__ __align__(16) float shared[];
  const TileWalk<T> walk(p, shared);
  const AttentionRule<T>& rule = walk.rule;
  const TileThread& at = walk.at;
  float *probabilities = shared + 2 * kTileFloats, *gradients = shared + 3 * kTileFloats;
  const int firstColumn = int(blockIdx.y) * kTile * kParts;

  Micro outK[kParts] = {}, outV[kParts] = {};
  for (int query = rule.queriesBegin(walk.first) / kTile * kTile; query < rule.s.queries; query += kTile) {
    Micro c, d;
    walk.template products<true>(c, p.q, p.k, query, walk.first);
    walk.template products<true>(d, p.dO, p.v, query, walk.first);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int mine = query + 4 * at.x + k;
      const float lse = walk.lseOf(mine), dots = walk.dotsOf(mine);
      float z[4] = {1.f, 1.f, 1.f, 1.f};
      if (p.threshold) rule.factors(mine, walk.first + 4 * at.y, z);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const float probability = expf(rule.score(c[r][k], mine, walk.first + 4 * at.y + r) - lse);
        c[r][k] = probability * z[r];
        d[r][k] = probability * (d[r][k] * z[r] - dots);
      }
    }
    storeMicro(probabilities, at, c);
    storeMicro(gradients, at, d);
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const int column = firstColumn + part * kTile;
      if (column >= p.size) break;
      __syncthreads();
      walk.loadQueries(walk.a, p.dO, query, column);
      walk.loadQueries(walk.b, p.q, query, column);
      __syncthreads();
      multiplyTile(outV[part], probabilities, walk.a, at);
      multiplyTile(outK[part], gradients, walk.b, at);
    }
  }
  const float one[4] = {1.f, 1.f, 1.f, 1.f}, scales[4] = {p.scale, p.scale, p.scale, p.scale};
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const int column = firstColumn + part * kTile;
    writeMicro(dV, outV[part], one, rule.s.firstKey, walk.first, rule.s.keys, p.heads, rule.head, column, p.size, at);
    writeMicro(dK, outK[part], scales, rule.s.firstKey, walk.first, rule.s.keys, p.heads, rule.head, column, p.size,
               at);
  }
}

// c = dS of a tile, [query][key].
template <typename T>
__device__ void scoreGradients(const TileWalk<T>& walk, Micro& c, int query, int key) {
  const AttentionRule<T>& rule = walk.rule;
  Micro d;
  walk.template products<false>(c, walk.p.q, walk.p.k, query, key);
  walk.template products<false>(d, walk.p.dO, walk.p.v, query, key);
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const int mine = query + 4 * walk.at.y + r, first = key + 4 * walk.at.x;
    const float lse = walk.lseOf(mine), dots = walk.dotsOf(mine);
    float z[4] = {1.f, 1.f, 1.f, 1.f};
    if (walk.p.threshold) rule.factors(mine, first, z);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      c[r][k] = expf(rule.score(c[r][k], mine, first + k) - lse) * (d[r][k] * z[k] - dots);
    }
  }
}

// A tile of dS into buckets: thread t sums what falls into buckets t % 32, t % 32 + 32, … of every eighth part of the
// tile, in order. sums: (8 parts, numBuckets, H) of this block.
template <typename T>
__device__ void sumBuckets(const TileWalk<T>& walk, const float* gradients, int32_t* bucketOf, int query, int key,
                           float* sums) {
  const AttentionRule<T>& rule = walk.rule;
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    int buckets[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int i = min(query + 4 * walk.at.y + r, rule.s.queries - 1);
      const int j = min(key + 4 * walk.at.x + k, rule.s.keys - 1);
      buckets[k] = walk.p.buckets[rule.windowIndex(rule.relative(i, j))];
    }
    *reinterpret_cast<int4*>(bucketOf + tileAt(4 * walk.at.y + r, walk.at.x)) =
        make_int4(buckets[0], buckets[1], buckets[2], buckets[3]);
  }
  __syncthreads();
  const int part = int(threadIdx.x) / kWarp;
  for (int bucket = int(threadIdx.x) % kWarp; bucket < walk.p.numBuckets; bucket += kWarp) {
    float total = 0.f;
    for (int i = part * kTileFloats / 8; i < (part + 1) * kTileFloats / 8; i += 4) {
      const float4 x = *reinterpret_cast<const float4*>(gradients + i);
      const int4 of = *reinterpret_cast<const int4*>(bucketOf + i);
      total += of.x == bucket ? x.x : 0.f;
      total += of.y == bucket ? x.y : 0.f;
      total += of.z == bucket ? x.z : 0.f;
      total += of.w == bucket ? x.w : 0.f;
    }
    sums[(int64_t(part) * walk.p.numBuckets + bucket) * walk.p.heads + rule.head] += total;
  }
}

// dQ = scale·dS·K of 64 queries, and, where `sums` is given, their share of the bias table's gradient:
// (tiles, 8, numBuckets, H).
template <typename T, int kParts>
__device__ void attentionBwdQueries(const AttentionParams& p, T* dQ, float* sums) {
  extern __shared__ __align__(16) float shared[];
  const TileWalk<T> walk(p, shared);
  const AttentionRule<T>& rule = walk.rule;
  const TileThread& at = walk.at;
  float* gradients = shared + 2 * kTileFloats;
  const int firstColumn = int(blockIdx.y) * kTile * kParts;
  const bool summing = sums != nullptr && blockIdx.y == 0;
  float* mySums = nullptr;
  if (summing) {
    mySums = sums + int64_t(blockIdx.x / p.heads) * 8 * p.numBuckets * p.heads;
    // As the threads will add to them.
    for (int bucket = int(threadIdx.x) % kWarp; bucket < p.numBuckets; bucket += kWarp) {
      mySums[(int64_t(threadIdx.x / kWarp) * p.numBuckets + bucket) * p.heads + rule.head] = 0.f;
    }
  }

  Micro out[kParts] = {};
  const int end = rule.keysEnd(min(walk.first + kTile, rule.s.queries) - 1);
  for (int key = 0; key < end; key += kTile) {
    Micro c;
    scoreGradients(walk, c, walk.first, key);
    storeMicro(gradients, at, c);
    if (summing) {
      sumBuckets(walk, gradients, reinterpret_cast<int32_t*>(shared + 3 * kTileFloats), walk.first, key, mySums);
    }
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const int column = firstColumn + part * kTile;
      if (column >= p.size) break;
      __syncthreads();
      walk.loadKeys(walk.b, p.k, key, column);
      __syncthreads();
      multiplyTile(out[part], gradients, walk.b, at);
    }
  }
  const float scales[4] = {p.scale, p.scale, p.scale, p.scale};
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    writeMicro(dQ, out[part], scales, rule.s.firstQuery, walk.first, rule.s.queries, p.heads, rule.head,
               firstColumn + part * kTile, p.size, at);
  }
}

// The gradient of a dense bias: dS itself, summed over the sequences where they share it. A block takes a tile of it.
template <typename T>
__device__ void attentionBwdDense(const AttentionParams& p, int sequences, float* dDense) {
  __shared__ __align__(16) float shared[2 * kTileFloats];
  const int columns = int((p.denseKeys + kTile - 1) / kTile);
  const int query = int(blockIdx.x) / columns * kTile, key = int(blockIdx.x) % columns * kTile;
  const int head = int(blockIdx.y) % p.heads, batch = int(blockIdx.y) / p.heads;
  const TileThread at;
  Micro sums = {};
  const int begin = p.denseBatches == 1 ? 0 : batch, end = p.denseBatches == 1 ? sequences : batch + 1;
  for (int i = begin; i < end; ++i) {
    const TileWalk<T> walk(p, shared, i, head);
    if (query >= walk.rule.s.queries || key >= walk.rule.keysEnd(min(query + kTile, walk.rule.s.queries) - 1)) continue;
    Micro c;
    scoreGradients(walk, c, query, key);
#pragma unroll
    for (int r = 0; r < 4; ++r) {
#pragma unroll
      for (int k = 0; k < 4; ++k) sums[r][k] += c[r][k];
    }
  }
#pragma unroll
  for (int r = 0; r < 4; ++r) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int64_t i = query + 4 * at.y + r, j = key + 4 * at.x + k;
      if (i < p.denseQueries && j < p.denseKeys) {
        dDense[((int64_t(batch) * p.heads + head) * p.denseQueries + i) * p.denseKeys + j] = sums[r][k];
      }
    }
  }
}

}  // namespace

#define DUO_ATTENTION(T, size, parts)                                                \
  extern "C" __global__ void __launch_bounds__(kTileThreads, 1)                      \
      attentionFwdExact_##T##_##size(AttentionParams p, T* o, float* lse) {          \
    attentionFwd<T, parts>(p, o, lse);                                               \
  }                                                                                  \
  extern "C" __global__ void __launch_bounds__(kTileThreads, 1)                      \
      attentionBwdKeysExact_##T##_##size(AttentionParams p, T* dK, T* dV) {          \
    attentionBwdKeys<T, parts>(p, dK, dV);                                           \
  }                                                                                  \
  extern "C" __global__ void __launch_bounds__(kTileThreads, 1)                      \
      attentionBwdQueriesExact_##T##_##size(AttentionParams p, T* dQ, float* sums) { \
    attentionBwdQueries<T, parts>(p, dQ, sums);                                      \
  }
#define DUO_ATTENTION_DENSE(T)                                                 \
  extern "C" __global__ void __launch_bounds__(kTileThreads, 1)                \
      attentionBwdDense_##T(AttentionParams p, int sequences, float* dDense) { \
    attentionBwdDense<T>(p, sequences, dDense);                                \
  }

DUO_ATTENTION(f32, d64, 1)
DUO_ATTENTION(f32, d256, 4)
DUO_ATTENTION(f16, d256, 4)
DUO_ATTENTION(bf16, d256, 4)
DUO_ATTENTION_DENSE(f32)
DUO_ATTENTION_DENSE(f16)
DUO_ATTENTION_DENSE(bf16)
