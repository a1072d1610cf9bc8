// What every form of attention checks and counts at the call.
#pragma once
#include "ops/registry.h"

namespace duo {

// Input `name`: offsets of the sequences of a packed batch of `rows` rows.
void expectOffsets(const OpCall& call, const char* name, int64_t rows);

// Input `biasTable`, where there is one, with the attributes that say how distances fall into its buckets.
void expectBuckets(const OpCall& call);

// Pairs of a query and a key that it sees, in one sequence; causal: the last query sees the last key.
double visiblePairs(int64_t queries, int64_t keys, bool causal);

}  // namespace duo
