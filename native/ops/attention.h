// Checks that every form of attention makes at the call.
#pragma once
#include "ops/registry.h"

namespace duo {

// Input `name`: offsets of the sequences of a packed batch of `rows` rows.
void expectOffsets(const OpCall& call, const char* name, int64_t rows);

// Input `biasTable`, where there is one, with the attributes that say how distances fall into its buckets.
void expectBuckets(const OpCall& call);

}  // namespace duo
