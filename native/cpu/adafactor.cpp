// adafactor: second moments factored into row and column means. Shazeer & Stern 2018. arXiv:1804.04235
//   β2 = 1 − t^decayRate; s = g² + eps1
//   factored:  R = β2·R + (1−β2)·mean over columns of s,  C = β2·C + (1−β2)·mean over rows of s
//              u = g / √(R/mean(R)) / √C, mean(R) for each matrix of a tensor with more dimensions
//   else:      v = β2·v + (1−β2)·s,  u = g/√v
//   α = ρ·max(eps2, RMS(p)) (scaleParameter) or ρ; ρ = lr, or with relativeStep min(1e-2 or 1e-6·t, 1/√t)
//   update = α·u / max(1, RMS(u)/clipThreshold); with beta1 its average m; p −= weightDecay·α·p + update
// Work: a piece is a block of a matrix's lines, or a chunk of a tensor that is not factored; all pieces of all tensors
// run in one parallel loop for each of the three passes over the gradient (moments, RMS(u), update).
// Bytes an element: 24, with scaleParameter 28, with beta1 8 more, not factored 12 more.
#include <vector>

#include "cpu/kernels.h"
#include "cpu/optimizer.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kBlock = 256;  // elements of u at a time: they stay in the first-level cache

struct Plan {
  Factoring f;
  float* p = nullptr;
  const float* g = nullptr;
  int64_t count = 0;
  float *rows = nullptr, *columns = nullptr;  // moments of a factored tensor
  float* squares = nullptr;                   // of another one
  float* mean = nullptr;                      // null without beta1
  const TensorArg* shadow = nullptr;
  double* updateSums = nullptr;  // for each piece Σ u²
  // Scratch of a factored tensor: column sums for each piece, then the factors of u.
  float *columnSums = nullptr, *rowFactors = nullptr, *columnFactors = nullptr;
  int64_t firstPiece = 0, pieces = 0;
  double alpha = 0;  // step size before clipping
  float rate = 0;    // after it

  // Line `row` of matrix `slab`, counted over the tensor: its elements start at line·f.line().
  int64_t line(int64_t slab, int64_t row) const {
    return (slab / f.middle * f.rows + row) * f.middle + slab % f.middle;
  }
};

struct Piece {
  int64_t slab, begin, end;  // lines of a slab, or elements when not factored
};

Piece pieceOf(const Plan& plan, int64_t index) {
  if (!plan.f.factored) {
    const int64_t begin = index * kOptimizerChunk;
    return {0, begin, std::min(begin + kOptimizerChunk, plan.count)};
  }
  const int64_t perSlab = plan.f.piecesPerSlab(), lines = plan.f.linesPerPiece();
  const int64_t begin = index % perSlab * lines;
  return {index / perSlab, begin, std::min(begin + lines, plan.f.rows)};
}

std::vector<Plan> plansOf(const OpCall& call, double* doubles) {
  const auto params = call.list("params"), grads = call.list("grads"), means = call.list("means");
  const auto shadows = call.list("shadows");
  float* floats = reinterpret_cast<float*>(call.scratch<double>() + adafactorScratch(call).doubles);
  const TensorArg *rows = call.list("rows").data(), *columns = call.list("columns").data();
  const TensorArg* squares = call.list("squares").data();
  const auto take = [](auto*& from, int64_t count) {
    auto* taken = from;
    from += count;
    return taken;
  };
  std::vector<Plan> plans(params.size());
  int64_t pieces = 0;
  for (size_t t = 0; t < params.size(); ++t) {
    Plan& plan = plans[t];
    plan.f = factoringOf(call, params[t].dims);
    plan.p = params[t].f32();
    plan.g = grads[t].f32();
    plan.count = params[t].count();
    plan.mean = means.empty() ? nullptr : means[t].f32();
    plan.shadow = shadows.empty() ? nullptr : &shadows[t];
    plan.firstPiece = pieces;
    plan.pieces = plan.f.factored ? plan.f.slabs() * plan.f.piecesPerSlab() : chunkCount(params.subspan(t, 1));
    pieces += plan.pieces;
    plan.updateSums = take(doubles, plan.pieces);
    if (plan.f.factored) {
      plan.rows = (rows++)->f32();
      plan.columns = (columns++)->f32();
      plan.columnSums = take(floats, plan.pieces * plan.f.line());
      plan.rowFactors = take(floats, plan.f.rowMoments());
      plan.columnFactors = take(floats, plan.f.columnMoments());
    } else {
      plan.squares = (squares++)->f32();
    }
  }
  return plans;
}

// Calls fn(plan, index of the piece in its plan) for all pieces.
template <typename Fn>
void forPieces(const std::vector<Plan>& plans, const Fn& fn) {
  if (plans.empty()) return;
  parallelFor(plans.back().firstPiece + plans.back().pieces, [&](int64_t index, int) {
    size_t low = 0, high = plans.size();
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      (plans[middle].firstPiece <= index ? low : high) = middle;
    }
    fn(plans[low], index - plans[low].firstPiece);
  });
}

// The running average of a mean of squares.
struct Average {
  float beta2, rest, eps1;
  float operator()(float before, float mean) const { return beta2 * before + rest * (mean + eps1); }
};

// Adds g² of one line to the column sums; returns its own sum.
double addLine(const float* g, float* sums, int64_t columns) {
  double total = 0;
  for (int64_t begin = 0; begin < columns; begin += kBlock) {
    VecF line = VecF::zero();
    vectorLoop(begin, std::min(begin + kBlock, columns), [&](int64_t c, auto lanes) {
      const VecF x = lanes.load(g + c), square = x * x;
      lanes.store(sums + c, lanes.load(sums + c) + square);
      line = line + square;
    });
    total += sum(line);
  }
  return total;
}

void factoredMoments(const Plan& plan, int64_t index, const Average& average) {
  const Factoring& f = plan.f;
  const auto [slab, begin, end] = pieceOf(plan, index);
  float* sums = plan.columnSums + index * f.line();
  std::fill_n(sums, f.line(), 0.f);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t line = plan.line(slab, row);
    const float* g = plan.g + line * f.line();
    if (f.inner == 1) {
      plan.rows[line] = average(plan.rows[line], float(addLine(g, sums, f.columns) / double(f.columns)));
      continue;
    }
    for (int64_t n = 0; n < f.inner; ++n) {
      double total = 0;
      for (int64_t c = n; c < f.line(); c += f.inner) {
        sums[c] += g[c] * g[c];
        total += double(g[c] * g[c]);
      }
      float& moment = plan.rows[line * f.inner + n];
      moment = average(moment, float(total / double(f.columns)));
    }
  }
}

// Elements [begin, begin + n) of a tensor that is not factored.
void plainUpdate(const Plan& plan, int64_t begin, int64_t n, float* u) {
  vectorLoop(0, n, [&](int64_t i, auto lanes) {
    lanes.store(u + i, lanes.load(plan.g + begin + i) / sqrt(lanes.load(plan.squares + begin + i)));
  });
}

// Columns [begin, begin + n) of a line.
void factoredUpdate(const Plan& plan, int64_t slab, int64_t line, int64_t begin, int64_t n, float* u) {
  const float* g = plan.g + line * plan.f.line() + begin;
  const float* columns = plan.columnFactors + slab * plan.f.line() + begin;
  const float* rows = plan.rowFactors + line * plan.f.inner;
  if (plan.f.inner == 1) {
    const VecF row = VecF::fill(*rows);
    vectorLoop(0, n,
               [&](int64_t i, auto lanes) { lanes.store(u + i, lanes.load(g + i) * row * lanes.load(columns + i)); });
  } else {
    for (int64_t i = 0; i < n; ++i) u[i] = g[i] * rows[(begin + i) % plan.f.inner] * columns[i];
  }
}

// Calls fn(offset in the tensor, n, u) for every block of the piece.
template <typename Fn>
void forUpdates(const Plan& plan, int64_t index, const Fn& fn) {
  const auto [slab, begin, end] = pieceOf(plan, index);
  float u[kBlock];
  if (!plan.f.factored) {
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t n = std::min(kBlock, end - i);
      plainUpdate(plan, i, n, u);
      fn(i, n, u);
    }
    return;
  }
  for (int64_t row = begin; row < end; ++row) {
    const int64_t line = plan.line(slab, row);
    for (int64_t c = 0; c < plan.f.line(); c += kBlock) {
      const int64_t n = std::min(kBlock, plan.f.line() - c);
      factoredUpdate(plan, slab, line, c, n, u);
      fn(line * plan.f.line() + c, n, u);
    }
  }
}

void updateMoments(const std::vector<Plan>& plans, const Average& average) {
  forPieces(plans, [&](const Plan& plan, int64_t index) {
    if (plan.f.factored) return factoredMoments(plan, index, average);
    const auto [slab, begin, end] = pieceOf(plan, index);
    const VecF beta2 = VecF::fill(average.beta2), rest = VecF::fill(average.rest), eps = VecF::fill(average.eps1);
    vectorLoop(begin, end, [&](int64_t i, auto lanes) {
      const VecF g = lanes.load(plan.g + i);
      lanes.store(plan.squares + i, fma(beta2, lanes.load(plan.squares + i), rest * fma(g, g, eps)));
    });
  });
}

// Adds the pieces' column sums in order; turns the moments into the factors of u. A tensor's moments are so much
// smaller than the tensor that one thread takes all of them.
void finishFactors(const Plan& plan, const Average& average) {
  const Factoring& f = plan.f;
  if (!f.factored) return;
  const int64_t perSlab = f.piecesPerSlab();
  for (int64_t slab = 0; slab < f.slabs(); ++slab) {
    float* sums = plan.columnSums + slab * perSlab * f.line();
    for (int64_t piece = 1; piece < perSlab; ++piece) {
      for (int64_t c = 0; c < f.line(); ++c) sums[c] += sums[piece * f.line() + c];
    }
    for (int64_t c = 0; c < f.line(); ++c) {
      float& moment = plan.columns[slab * f.line() + c];
      moment = average(moment, sums[c] / float(f.rows));
      plan.columnFactors[slab * f.line() + c] = 1 / std::sqrt(moment);
    }
    for (int64_t n = 0; n < f.inner; ++n) {
      double total = 0;
      for (int64_t row = 0; row < f.rows; ++row) total += plan.rows[plan.line(slab, row) * f.inner + n];
      const float mean = float(total / double(f.rows));
      for (int64_t row = 0; row < f.rows; ++row) {
        const int64_t i = plan.line(slab, row) * f.inner + n;
        plan.rowFactors[i] = 1 / std::sqrt(plan.rows[i] / mean);
      }
    }
  }
}

double rmsOf(const double* sums, int64_t count, int64_t elements) {
  double total = 0;
  for (int64_t i = 0; i < count; ++i) total += sums[i];
  return std::sqrt(total / double(std::max<int64_t>(elements, 1)));
}

double relativeRate(int64_t step, bool warmupInit) {
  return std::min(warmupInit ? 1e-6 * double(step) : 1e-2, 1 / std::sqrt(double(step)));
}

// α for each tensor, measured before anything changes.
void stepSizes(const OpCall& call, int64_t step, const Chunks& chunks, double* sums, std::vector<Plan>& plans) {
  const double rho = call.flag("relativeStep") ? relativeRate(step, call.flag("warmupInit")) : call.number("lr");
  const double eps2 = call.number("eps2");
  const bool scaled = call.flag("scaleParameter");
  if (scaled) {
    parallelFor(chunks.count(), [&](int64_t index, int) {
      const auto [tensor, begin, end] = chunks[index];
      sums[index] = sumOfSquares(plans[size_t(tensor)].p + begin, end - begin);
    });
  }
  for (size_t t = 0; t < plans.size(); ++t) {
    const int64_t first = chunks.first(int64_t(t)), count = chunks.first(int64_t(t) + 1) - first;
    const double rms = scaled ? rmsOf(sums + first, count, plans[t].count) : 1;
    plans[t].alpha = rho * (scaled && rms < eps2 ? eps2 : rms);
  }
}

}  // namespace

void adafactor(const OpCall& call) {
  const int64_t step = stepNumber(call);
  if (step == 0) return;
  int64_t* starts = call.scratch<int64_t>();
  const Chunks chunks(call.list("params"), starts);
  double* weightSums = reinterpret_cast<double*>(starts + call.list("params").size() + 1);
  std::vector<Plan> plans = plansOf(call, weightSums + chunks.count());
  stepSizes(call, step, chunks, weightSums, plans);

  const double beta2 = 1 - std::pow(double(step), call.number("decayRate"));
  const Average average = {float(beta2), float(1 - beta2), call.f32("eps1")};
  updateMoments(plans, average);
  parallelFor(int64_t(plans.size()), [&](int64_t t, int) { finishFactors(plans[size_t(t)], average); });

  forPieces(plans, [&](const Plan& plan, int64_t index) {
    double total = 0;
    forUpdates(plan, index, [&](int64_t, int64_t n, const float* u) { total += sumOfSquares(u, n); });
    plan.updateSums[index] = total;
  });
  for (Plan& plan : plans) {
    const double excess = rmsOf(plan.updateSums, plan.pieces, plan.count) / call.number("clipThreshold");
    plan.rate = float(plan.alpha / (excess <= 1 ? 1 : excess));
  }

  const double b1 = call.number("beta1"), weightDecay = call.number("weightDecay");
  const VecF beta1 = VecF::fill(float(b1)), rest1 = VecF::fill(float(1 - b1));
  forPieces(plans, [&](const Plan& plan, int64_t index) {
    const VecF rate = VecF::fill(plan.rate), shrink = VecF::fill(float(-weightDecay * plan.alpha));
    forUpdates(plan, index, [&](int64_t offset, int64_t n, const float* u) {
      float *p = plan.p + offset, *m = plan.mean ? plan.mean + offset : nullptr;
      vectorLoop(0, n, [&](int64_t i, auto lanes) {
        VecF update = lanes.load(u + i) * rate;
        if (m) {
          update = fma(beta1, lanes.load(m + i), rest1 * update);
          lanes.store(m + i, update);
        }
        const VecF weight = lanes.load(p + i);
        lanes.store(p + i, fma(shrink, weight, weight) - update);
      });
      if (plan.shadow) writeShadow(*plan.shadow, plan.p, offset, offset + n);
    });
  });
}

}  // namespace duo::cpu::DUO_ISA
