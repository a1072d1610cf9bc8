// Moving rows by index: embeddings, gather, concatenation. A thread moves four columns, or 16 bytes, at a time.
#include "cuda/kernels/groups.cuh"
#include "cuda/kernels/rows_params.h"
#include "cuda/kernels/walk.cuh"

using namespace duo::cuda;

namespace {

// y = Σ of the tables' rows that their ids name. The first term is added to −0, which leaves it as it is.
template <typename T>
__device__ void embed(const EmbeddingTables& all, T* y, int64_t count, int64_t columns, const Reporter& reporter) {
  const int64_t groups = (columns + kGroup - 1) / kGroup;
  for (int64_t i = globalThread(); i < count * groups; i += globalThreads()) {
    const int64_t row = i / groups, c = (i - row * groups) * kGroup;
    const int left = int(columns - c < kGroup ? columns - c : kGroup);
    const bool vectors = all.vectors && left == kGroup;
    float sum[kGroup] = {-0.f, -0.f, -0.f, -0.f};
    for (int t = 0; t < all.count; ++t) {
      const EmbeddingTable& table = all.tables[t];
      const int64_t id = table.ids[row];
      if (id < 0 || id >= table.rows) {
        if (c == 0) reportIndex(reporter.error, reporter.call, id, table.rows);
        continue;
      }
      const int64_t at = id * table.stride + c;
      switch (table.type) {
        case RowType::kFloat32: addGroup(static_cast<const f32*>(table.data) + at, vectors, left, sum); break;
        case RowType::kFloat16: addGroup(static_cast<const f16*>(table.data) + at, vectors, left, sum); break;
        default: addGroup(static_cast<const bf16*>(table.data) + at, vectors, left, sum);
      }
    }
    storeGroup(y + row * columns + c, vectors, left, sum);
  }
}

// y[i] = x[ids[i]]; rows of `units` pieces
template <typename Unit>
__device__ void gather(const Unit* x, const int32_t* ids, Unit* y, int64_t count, int64_t units, int64_t rows,
                       const Reporter& reporter) {
  for (int64_t i = globalThread(); i < count * units; i += globalThreads()) {
    const int64_t row = i / units, u = i - row * units, id = ids[row];
    if (id >= 0 && id < rows) {
      y[i] = x[id * units + u];
    } else {
      if (u == 0) reportIndex(reporter.error, reporter.call, id, rows);
      y[i] = Unit{};
    }
  }
}

// Each `run` elements of x, in row-major order, go to where y's next `pitch` begin.
template <typename Unit>
__device__ void place(const Unit* x, Unit* y, const Walk& walk, int64_t count, int64_t run, int64_t pitch) {
  const bool small = count < (int64_t(1) << 31);
  for (int64_t i = globalThread(); i < count; i += globalThreads()) {
    const int64_t line = i / run;
    y[line * pitch + (i - line * run)] = x[offsetOf(walk, i, small)];
  }
}

}  // namespace

#define DUO_EMBEDDING(T)                                                                                 \
  extern "C" __global__ void embedding_##T(EmbeddingTables tables, T* y, int64_t count, int64_t columns, \
                                           Reporter reporter) {                                          \
    embed(tables, y, count, columns, reporter);                                                          \
  }
DUO_EMBEDDING(f32)
DUO_EMBEDDING(f16)
DUO_EMBEDDING(bf16)

#define DUO_UNITS(bytes, Unit)                                                                             \
  extern "C" __global__ void gatherRows_##bytes(const Unit* x, const int32_t* ids, Unit* y, int64_t count, \
                                                int64_t units, int64_t rows, Reporter reporter) {          \
    gather(x, ids, y, count, units, rows, reporter);                                                       \
  }                                                                                                        \
  extern "C" __global__ void concat_##bytes(const Unit* x, Unit* y, Walk walk, int64_t count, int64_t run, \
                                            int64_t pitch) {                                               \
    place(x, y, walk, count, run, pitch);                                                                  \
  }
DUO_UNITS(16, uint4)
DUO_UNITS(4, uint32_t)
DUO_UNITS(2, uint16_t)
DUO_UNITS(1, uint8_t)
