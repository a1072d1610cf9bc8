// Softmax over rows, m = max x:
//   y = e^(x − m) / Σ e^(x − m)          dX = y · (dY − Σ y · dY)
//   log: y = (x − m) − log Σ e^(x − m)   dX = dY − e^y · Σ dY
// Rows are shared out. A row is passed over three times, from cache unless it is longer than that; memory sees 4 bytes
// read and 4 written an element, backward 8 and 4. A row of −inf alone has no distribution: y is 0 (log: −inf), dX is
// 0.
#include <cmath>
#include <limits>

#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/strided.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 8192;  // elements for each thread
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The maximum of a row; a NaN may be lost here, but comes back with the sum of exponentials.
float rowMax(const float* x, int64_t n) {
  const VecF lowest = VecF::fill(-kInfinity);
  VecF max0 = lowest;
  forLanes(n, [&](int64_t i, auto lanes) { max0 = max(max0, fillRest(load(x + i, lanes), lowest, lanes)); });
  return maxOf(max0);
}

// No finite number, no +inf and no NaN: a NaN would make the sum NaN.
bool isMasked(const float* x, int64_t n, float max) {
  return max == -kInfinity && sumLanes(n, [&](int64_t i, auto lanes) { return load(x + i, lanes); }) == -kInfinity;
}

void softmaxRow(const float* x, int64_t n, float* y) {
  const float max = rowMax(x, n);
  if (isMasked(x, n, max)) {
    std::fill(y, y + n, 0.f);
    return;
  }
  const VecF shift = VecF::fill(max);
  const float total = sumLanes(n, [&](int64_t i, auto lanes) {
    const VecF e = expFlushed(fillRest(load(x + i, lanes), VecF::fill(-kInfinity), lanes) - shift);
    store(e, y + i, lanes);
    return e;
  });
  const VecF scale = VecF::fill(1 / total);
  forLanes(n, [&](int64_t i, auto lanes) { store(load(y + i, lanes) * scale, y + i, lanes); });
}

void logSoftmaxRow(const float* x, int64_t n, float* y) {
  const float max = rowMax(x, n);
  if (isMasked(x, n, max)) {
    std::fill(y, y + n, -kInfinity);
    return;
  }
  const VecF shift = VecF::fill(max);
  const float total = sumLanes(n, [&](int64_t i, auto lanes) {
    return expFlushed(fillRest(load(x + i, lanes), VecF::fill(-kInfinity), lanes) - shift);
  });
  const VecF logTotal = VecF::fill(std::log(total));
  forLanes(n, [&](int64_t i, auto lanes) { store(load(x + i, lanes) - shift - logTotal, y + i, lanes); });
}

void softmaxGradRow(const float* y, const float* dy, int64_t n, float* dx) {
  const VecF mean =
      VecF::fill(sumLanes(n, [&](int64_t i, auto lanes) { return load(y + i, lanes) * load(dy + i, lanes); }));
  forLanes(n, [&](int64_t i, auto lanes) { store(load(y + i, lanes) * (load(dy + i, lanes) - mean), dx + i, lanes); });
}

void logSoftmaxGradRow(const float* y, const float* dy, int64_t n, float* dx) {
  if (isMasked(y, n, rowMax(y, n))) {
    std::fill(dx, dx + n, 0.f);
    return;
  }
  const VecF total = VecF::fill(sumLanes(n, [&](int64_t i, auto lanes) { return load(dy + i, lanes); }));
  forLanes(n, [&](int64_t i, auto lanes) {
    store(load(dy + i, lanes) - expFlushed(load(y + i, lanes)) * total, dx + i, lanes);
  });
}

}  // namespace

void softmax(const OpCall& call) {
  const TensorArg &x = call.in("x"), &y = call.out("y");
  const RowsAt<const float> xs(x);
  const auto row = call.flag("log") ? logSoftmaxRow : softmaxRow;
  parallelRows(rowsOf(x.dims), kGrain, [&, n = rowsOf(x.dims).columns](int64_t i) { row(xs[i], n, y.f32() + i * n); });
}

void softmaxBwd(const OpCall& call) {
  const TensorArg &y = call.in("y"), &dX = call.out("dX");
  const RowsAt<const float> ys(y), dys(call.in("dY"));
  const auto row = call.flag("log") ? logSoftmaxGradRow : softmaxGradRow;
  parallelRows(rowsOf(y.dims), kGrain,
               [&, n = rowsOf(y.dims).columns](int64_t i) { row(ys[i], dys[i], n, dX.f32() + i * n); });
}

}  // namespace duo::cpu::DUO_ISA
