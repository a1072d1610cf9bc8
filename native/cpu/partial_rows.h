// Adding up the partial rows of ops/row_blocks.h.
#pragma once
#include <algorithm>

#include "cpu/lanes.h"
#include "cpu/thread_pool.h"
#include "ops/row_blocks.h"

namespace duo::cpu::DUO_ISA {

// into += row
inline void addRow(const float* row, int64_t columns, float* into) {
  forLanes(columns,
           [&](int64_t c, auto lanes) { store(load(into + c, lanes) + load(row + c, lanes), into + c, lanes); });
}

// out = scale · Σ of the partial rows, which lie `stride` apart
inline void combinePartialRows(const float* partials, int64_t blocks, int64_t stride, int64_t columns, float scale,
                               float* out) {
  constexpr int64_t kGrain = 4096;  // elements read for each thread
  parallelBlocks(columns, std::max<int64_t>(kGrain / std::max<int64_t>(blocks, 1), 16),
                 [&](int64_t begin, int64_t end) {
                   std::fill(out + begin, out + end, 0.f);
                   for (int64_t block = 0; block < blocks; ++block)
                     addRow(partials + block * stride + begin, end - begin, out + begin);
                   if (scale == 1) return;
                   forLanes(end - begin, [&](int64_t c, auto lanes) {
                     store(load(out + begin + c, lanes) * VecF::fill(scale), out + begin + c, lanes);
                   });
                 });
}

}  // namespace duo::cpu::DUO_ISA
