// gemm: 2·M·N·K operations an item of the batch; see gemm/plan.h for how they are cut and where data stays.
#include "cpu/gemm/product.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/registry.h"

namespace duo::cpu::DUO_ISA {
namespace {

const float* dataOf(const OpCall& call, const char* name) { return call.has(name) ? call.in(name).f32() : nullptr; }

Epilogue epilogueOf(const OpCall& call, const Dropout& dropout) {
  const TensorArg& y = call.out("y");
  const float beta = call.f32("beta");
  return {.y = y.f32(),
          .stride = y.dims.back(),
          .alpha = call.f32("alpha"),
          .beta = beta,
          .c = beta == 0.f ? nullptr : dataOf(call, "c"),
          .bias = dataOf(call, "bias"),
          .z = call.wants("z") ? call.out("z").f32() : nullptr,
          .act = Activation(call.integer("act")),
          .gate = dataOf(call, "gate"),
          .dropout = dropout.active() ? &dropout : nullptr,
          .residual = dataOf(call, "residual")};
}

MatrixView viewOf(const TensorArg& arg) {
  const int rank = arg.dims.rank();
  return {arg.f32(), arg.strides[rank - 2], arg.strides[rank - 1]};
}

// Element offset of matrix `index` of a batch, which is one matrix for all where it has no leading dimensions.
int64_t matrixOffset(const TensorArg& arg, int64_t index) {
  int64_t offset = 0;
  for (int d = arg.dims.rank() - 3; d >= 0; --d) {
    offset += index % arg.dims[d] * arg.strides[d];
    index /= arg.dims[d];
  }
  return offset;
}

// All rows of a batch as one matrix, if their strides allow it: sets `rows` and `stride`.
bool flattenRows(const TensorArg& arg, int64_t& rows, int64_t& stride) {
  rows = 1, stride = arg.strides[arg.dims.rank() - 2];
  for (int d = arg.dims.rank() - 2; d >= 0; --d) {
    if (arg.dims[d] == 1) continue;
    if (rows > 1 && arg.strides[d] != rows * stride) return false;
    if (rows == 1) stride = arg.strides[d];
    rows *= arg.dims[d];
  }
  return true;
}

}  // namespace

void gemm(const OpCall& call) {
  const TensorArg &a = call.in("a"), &b = call.in("b"), &y = call.out("y");
  if (y.count() == 0) return;
  const int64_t m = call.dim("M"), n = y.dims.back(), k = call.dim("K");
  const Dropout dropout(call);
  Product whole{.m = m,
                .n = n,
                .k = k,
                .a = viewOf(a),
                .b = {},
                .packedB = dataOf(call, "packedB"),
                .epilogue = epilogueOf(call, dropout)};
  const bool narrow = b.present && b.dtype != DType::kFloat32;
  if (narrow) {
    const int rank = b.dims.rank();
    whole.narrowB = {b.as<const uint16_t>(), b.dtype, b.strides[rank - 2], b.strides[rank - 1]};
  } else if (b.present) {
    whole.b = viewOf(b);
  }
  int64_t rows, stride, batch = y.count() / (m * n);
  if ((!b.present || b.dims.rank() == 2) && flattenRows(a, rows, stride)) {
    whole.m = rows, whole.a.rowStride = stride, batch = 1;
  }
  const GemmGrid grid = gridOf(whole);
  const int64_t scratch = gemmScratchFloats(kTile, n, k);
  parallelFor(batch * grid.items(), [&](int64_t index, int worker) {
    const int64_t matrix = index / grid.items();
    Product product = whole;
    if (batch > 1) {
      product.a.data += matrixOffset(a, matrix);
      if (narrow) {
        product.narrowB.data += matrixOffset(b, matrix);
      } else if (b.present) {
        product.b.data += matrixOffset(b, matrix);
      }
      product.epilogue = whole.epilogue.fromRow(matrix * m);
    }
    multiplyItem(product, grid, index % grid.items(), call.scratch<float>() + worker * scratch);
  });
}

// Reads and writes 4 bytes an element.
void gemmPack(const OpCall& call) {
  const int64_t k = call.dim("K"), n = call.dim("N");
  parallelBlocks(ceilDiv(n, kTile.columns), 8, [&](int64_t first, int64_t last) {
    packPanels(viewOf(call.in("b")), k, n, first, last, call.out("packedB").f32());
  });
}

namespace {

// One row of the backward of the epilogue; absent operands are null.
//   d = dropout(dy);  dGate = d ⊙ act(z);  dz = d ⊙ gate ⊙ act'(z);  dBias += dz
struct EpilogueBwdRow {
  const float *dy, *z, *gate;
  float *dz, *dGate, *dBias;
  Activation act;
  const Dropout& dropout;

  void run(int64_t row, int64_t columns) const {
    if (dropout.active()) {
      forEachDropped(dropout, row, columns,
                     [&](int64_t j, int64_t n, Drop drop) { finish(j, n, drop(load(dy + j, n))); });
    } else {
      forLanes(columns, [&](int64_t j, auto lanes) { finish(j, lanes, load(dy + j, lanes)); });
    }
  }

 private:
  template <typename Lanes>
  void finish(int64_t j, Lanes lanes, VecF d) const {
    if (dGate) store(d * activate(act, load(z + j, lanes)), dGate + j, lanes);
    if (gate) d = d * load(gate + j, lanes);
    if (act != Activation::kNone) d = d * activateGrad(act, load(z + j, lanes));
    if (dz) store(d, dz + j, lanes);
    if (dBias) store(load(dBias + j, lanes) + d, dBias + j, lanes);
  }
};

}  // namespace

// Memory-bound but for GELU and dropout: reads dy, z and gate, writes dz and dGate, 4 bytes an element each. A thread
// takes a chunk of rows, whose column sums go to a row of the workspace.
void gemmEpilogueBwd(const OpCall& call) {
  const TensorArg& dy = call.in("dy");
  const int64_t columns = call.dim("N"), rows = columns ? dy.count() / columns : 0;
  const int64_t chunks = gemmRowChunks(rows), height = ceilDiv(rows, chunks);
  const auto out = [&](const char* name) { return call.wants(name) ? call.out(name).f32() : nullptr; };
  const float *z = dataOf(call, "z"), *gate = dataOf(call, "gate");
  float *dz = out("dz"), *dGate = out("dGate"), *dBias = out("dBias");
  const Dropout dropout(call);
  if (columns == 0) return;
  parallelFor(chunks, [&](int64_t chunk, int) {
    float* sums = dBias ? call.scratch<float>() + chunk * columns : nullptr;
    if (sums) std::fill_n(sums, columns, 0.f);
    for (int64_t row = chunk * height; row < std::min((chunk + 1) * height, rows); ++row) {
      const auto at = [by = row * columns](auto* p) { return p ? p + by : p; };
      const EpilogueBwdRow work{at(dy.f32()), at(z), at(gate), at(dz), at(dGate), sums, Activation(call.integer("act")),
                                dropout};
      work.run(row, columns);
    }
  });
  if (!dBias) return;
  parallelBlocks(columns, 1024, [&](int64_t begin, int64_t end) {
    std::fill(dBias + begin, dBias + end, 0.f);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const float* sums = call.scratch<float>() + chunk * columns;
      for (int64_t j = begin; j < end; ++j) dBias[j] += sums[j];
    }
  });
}

}  // namespace duo::cpu::DUO_ISA
