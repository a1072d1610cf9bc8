// What every kernel of attention agrees on: which keys a query sees, their bias, and what dropout keeps.
#pragma once
#include "cuda/kernels/attention_params.h"
#include "cuda/kernels/common.cuh"
#include "cuda/kernels/philox.cuh"

namespace duo::cuda {

// Keys that queries up to `lastQuery` can see come before this one.
__device__ inline int keysEnd(const AttentionParams& p, const AttentionSequence& s, int lastQuery) {
  if (!p.causal || p.positionsQ) return s.keys;
  return min(s.keys, max(lastQuery + s.causalOffset + 1, 0));
}
// Queries that see keys from `firstKey` on do not come before this one.
__device__ inline int queriesBegin(const AttentionParams& p, const AttentionSequence& s, int firstKey) {
  if (!p.causal || p.positionsQ) return 0;
  return min(s.queries, max(firstKey - s.causalOffset, 0));
}

// One sequence and head of a call. Queries and keys are counted within the sequence.
template <typename T>
struct AttentionRule {
  const AttentionParams& p;
  const AttentionSequence s;
  const int sequence, head;

  __device__ AttentionRule(const AttentionParams& p, int sequence, int head)
      : AttentionRule(p, p.sequences[sequence], sequence, head) {}
  __device__ AttentionRule(const AttentionParams& p, const AttentionSequence& s, int sequence, int head)
      : p(p), s(s), sequence(sequence), head(head) {}

  __device__ int positionOfQuery(int query) const { return p.positionsQ ? p.positionsQ[s.firstQuery + query] : query; }
  __device__ int positionOfKey(int key) const { return p.positionsK ? p.positionsK[s.firstKey + key] : key; }
  __device__ int relative(int query, int key) const {
    return positionOfKey(key) - positionOfQuery(query) - s.causalOffset;
  }
  // Of the table written out.
  __device__ int windowIndex(int relative) const { return min(max(relative, -p.reach), p.reach) + p.reach; }

  __device__ int keysEnd(int lastQuery) const { return duo::cuda::keysEnd(p, s, lastQuery); }
  __device__ int queriesBegin(int firstKey) const { return duo::cuda::queriesBegin(p, s, firstKey); }

  // The score of a pair whose product is given: −inf where the query does not see the key.
  __device__ float score(float product, int query, int key) const {
    if (query >= s.queries || key >= s.keys) return -INFINITY;
    const int distance = relative(query, key);
    if (p.causal && distance > 0) return -INFINITY;
    float result = p.scale * product;
    if (p.window) result += p.window[int64_t(head) * (2 * p.reach + 1) + windowIndex(distance)];
    if (p.dense) {
      const int64_t batch = p.denseBatches == 1 ? 0 : sequence;
      const int64_t row = (batch * p.heads + head) * p.denseQueries + query;
      result += toFloat(static_cast<const T*>(p.dense)[row * p.denseKeys + key]);
    }
    return result;
  }

  // Dropout factors of a query with keys from `key` on.
  template <int kCount>
  __device__ void factors(int query, int key, float (&z)[kCount]) const {
    const RandomSite at{p.seed, p.site, p.step};
    const DropoutRule rule{p.threshold, p.keepScale};
    const uint64_t start = attentionDropoutStart(head, s.firstQuery + query, p.nq);
    uint64_t drawn = ~uint64_t(0);
    uint4 words = make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      z[i] = 0.f;
      if (query >= s.queries || key + i >= s.keys) continue;
      const uint64_t index = start + uint64_t(positionOfKey(key + i));
      if (index / 8 != drawn) words = drawWords(at, drawn = index / 8);
      z[i] = dropoutFactor(rule, words, int(index % 8));
    }
  }
};

}  // namespace duo::cuda
