// Limits of the ops that move rows.
#pragma once

namespace duo {

constexpr int kMaxEmbeddingTables = 8;  // that one embedding adds up

}  // namespace duo
