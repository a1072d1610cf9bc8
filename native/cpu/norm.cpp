// RMSNorm and LayerNorm, forward and backward, with x̂ = (h − mean) · rstd (mean is 0 for RMSNorm) and g = weight · dY:
//   h = residual + dropout(x)          y = weight · x̂ + bias
//   dH = rstd · (g − mean(g) − x̂ · mean(g · x̂)) + dHOut      (mean(g) for LayerNorm alone)
//   dX = dropout(dH)      dWeight = Σ dY · x̂      dBias = Σ dY, both over rows
// Forward: rows are shared out; a row stays in the first-level cache, so memory sees 4 to 8 bytes read and 4 to 8
// written an element. Backward: blocks of rows (ops/row_blocks.h) with a partial row each; 8 to 12 read, 4 to 8
// written.
#include <cmath>

#include "cpu/dropout.h"
#include "cpu/kernels.h"
#include "cpu/partial_rows.h"
#include "cpu/strided.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // elements for each thread

struct Stats {
  float mean, rstd;
};

Stats rmsStats(const float* h, int64_t columns, float eps) {
  const float squares = sumLanes(columns, [&](int64_t i, auto lanes) {
    const VecF v = load(h + i, lanes);
    return v * v;
  });
  return {0, 1 / std::sqrt(squares / float(columns) + eps)};
}

// Two passes. The second also sums the deviations, whose mean is what rounding took from the first: with eps as small
// as 1e-12 a row of equal values would otherwise come out as amplified noise.
Stats layerStats(const float* h, int64_t columns, float eps) {
  const float n = float(columns);
  const float rough = sumLanes(columns, [&](int64_t i, auto lanes) { return load(h + i, lanes); }) / n;
  const VecF center = VecF::fill(rough);
  const auto deviation = [&](int64_t i, auto lanes) { return fillRest(load(h + i, lanes), center, lanes) - center; };
  const float rest = sumLanes(columns, deviation) / n, mean = rough + rest;
  const VecF center2 = VecF::fill(mean);
  const float squares = sumLanes(columns, [&](int64_t i, auto lanes) {
    const VecF d = fillRest(load(h + i, lanes), center2, lanes) - center2;
    return d * d;
  });
  return {mean, 1 / std::sqrt(squares / n + eps)};
}

// h = residual + dropout(x); residual may be null
void combine(const Dropout& dropout, int64_t row, int64_t columns, const float* x, const float* residual, float* h) {
  const auto put = [&](int64_t c, auto lanes, VecF value) {
    store(residual ? value + load(residual + c, lanes) : value, h + c, lanes);
  };
  if (dropout.active()) {
    forEachDropped(dropout, row, columns, [&](int64_t c, int64_t n, Drop drop) { put(c, n, drop(load(x + c, n))); });
  } else {
    forLanes(columns, [&](int64_t c, auto lanes) { put(c, lanes, load(x + c, lanes)); });
  }
}

template <bool kCentered>
void forward(const OpCall& call) {
  const TensorArg &x = call.in("x"), &residual = call.in("residual"), &h = call.out("h");
  const RowsAt<const float> xs(x), residuals(residual);
  const Dropout dropout(call);
  const float eps = call.f32("eps"), *weight = call.in("weight").f32();
  const float* bias = kCentered ? call.in("bias").f32() : nullptr;
  float* means = kCentered ? call.out("mean").f32() : nullptr;
  parallelRows(rowsOf(x.dims), kGrain, [&, columns = rowsOf(x.dims).columns](int64_t row) {
    const float* from = xs[row];
    if (h.present) {
      float* sum = h.f32() + row * columns;
      combine(dropout, row, columns, from, residual.present ? residuals[row] : nullptr, sum);
      from = sum;
    }
    const Stats stats = kCentered ? layerStats(from, columns, eps) : rmsStats(from, columns, eps);
    if (kCentered) means[row] = stats.mean;
    call.out("rstd").f32()[row] = stats.rstd;
    const VecF mean = VecF::fill(stats.mean), rstd = VecF::fill(stats.rstd);
    float* y = call.out("y").f32() + row * columns;
    forLanes(columns, [&](int64_t c, auto lanes) {
      const VecF v = load(from + c, lanes), w = load(weight + c, lanes);
      store(kCentered ? fma((v - mean) * rstd, w, load(bias + c, lanes)) : v * rstd * w, y + c, lanes);
    });
  });
}

struct RowGradient {
  const float *h, *dY, *dHOut, *weight;
  Stats stats;
  float *dH, *dWeight, *dBias;
};

template <bool kCentered>
void rowBackward(const RowGradient& g, int64_t columns) {
  const VecF mean = VecF::fill(g.stats.mean), rstd = VecF::fill(g.stats.rstd);
  const auto normed = [&](int64_t c, auto lanes) {
    const VecF v = load(g.h + c, lanes);
    return (kCentered ? v - mean : v) * rstd;
  };
  const auto weighted = [&](int64_t c, auto lanes) { return load(g.dY + c, lanes) * load(g.weight + c, lanes); };
  const float n = float(columns);
  const VecF along =
      VecF::fill(sumLanes(columns, [&](int64_t c, auto lanes) { return weighted(c, lanes) * normed(c, lanes); }) / n);
  const VecF shift = kCentered ? VecF::fill(sumLanes(columns, weighted) / n) : VecF::zero();
  forLanes(columns, [&](int64_t c, auto lanes) {
    const VecF xHat = normed(c, lanes), dY = load(g.dY + c, lanes), scaled = dY * load(g.weight + c, lanes);
    const VecF centered = kCentered ? scaled - shift : scaled;
    const VecF dH = (centered - xHat * along) * rstd;
    store(g.dHOut ? dH + load(g.dHOut + c, lanes) : dH, g.dH + c, lanes);
    store(fma(dY, xHat, load(g.dWeight + c, lanes)), g.dWeight + c, lanes);
    if (kCentered) store(load(g.dBias + c, lanes) + dY, g.dBias + c, lanes);
  });
}

template <bool kCentered>
void backward(const OpCall& call) {
  const TensorArg &h = call.in("h"), &dHOut = call.in("dHOut"), &dX = call.out("dX");
  const int64_t columns = call.dim("D"), width = columns * (kCentered ? 2 : 1);
  const RowBlocks blocks(call.rest.count(), columns);
  const RowsAt<const float> hs(h), dys(call.in("dY")), dhs(dHOut);
  const Dropout dropout(call);
  const float* means = kCentered ? call.in("mean").f32() : nullptr;
  const float *rstds = call.in("rstd").f32(), *weight = call.in("weight").f32();
  float* partials = call.scratch<float>();
  parallelFor(blocks.count(), [&](int64_t block, int) {
    float* partial = partials + block * width;
    std::fill(partial, partial + width, 0.f);
    for (int64_t row = blocks.begin(block); row < blocks.end(block); ++row) {
      float* dH = call.out("dH").f32() + row * columns;
      rowBackward<kCentered>({hs[row], dys[row], dHOut.present ? dhs[row] : nullptr, weight,
                              Stats{kCentered ? means[row] : 0, rstds[row]}, dH, partial, partial + columns},
                             columns);
      if (!dX.present) continue;
      float* dx = dX.f32() + row * columns;
      forEachDropped(dropout, row, columns,
                     [&](int64_t c, int64_t n, Drop drop) { drop(load(dH + c, n)).store(dx + c, n); });
    }
  });
  combinePartialRows(partials, blocks.count(), width, columns, 1, call.out("dWeight").f32());
  if (kCentered) combinePartialRows(partials + columns, blocks.count(), width, columns, 1, call.out("dBias").f32());
}

}  // namespace

void rmsNorm(const OpCall& call) { forward<false>(call); }
void rmsNormBwd(const OpCall& call) { backward<false>(call); }
void layerNorm(const OpCall& call) { forward<true>(call); }
void layerNormBwd(const OpCall& call) { backward<true>(call); }

}  // namespace duo::cpu::DUO_ISA
