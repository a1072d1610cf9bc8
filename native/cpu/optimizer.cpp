// Element-wise optimiser steps, one pass over all tensors of a group; a thread takes a chunk of one tensor at a time.
// Bytes an element: sgd 12, with momentum 20 · adagrad 20 · adamw 28, with rmsScale 32 · shadows 2 more.
// Memory-bound: arithmetic is free as long as nothing is read twice.
#include "cpu/optimizer.h"

#include "cpu/kernels.h"

namespace duo::cpu::DUO_ISA {

void sgd(const OpCall& call) {
  if (stepNumber(call) == 0) return;
  const auto params = call.list("params"), grads = call.list("grads"), velocities = call.list("velocities");
  const VecF lr = VecF::fill(-call.f32("lr")), decay = VecF::fill(call.f32("weightDecay"));
  const VecF momentum = VecF::fill(call.f32("momentum"));
  const bool nesterov = call.flag("nesterov");
  updateChunks(call, Chunks(params, call.scratch<int64_t>()), [&](size_t t, int64_t begin, int64_t end) {
    float* p = params[t].f32();
    float* v = velocities.empty() ? nullptr : velocities[t].f32();
    const float* grad = grads[t].f32();
    vectorLoop(begin, end, [&](int64_t i, auto lanes) {
      const VecF weight = lanes.load(p + i);
      VecF g = fma(decay, weight, lanes.load(grad + i));
      if (v) {
        const VecF velocity = fma(momentum, lanes.load(v + i), g);
        lanes.store(v + i, velocity);
        g = nesterov ? fma(momentum, velocity, g) : velocity;
      }
      lanes.store(p + i, fma(lr, g, weight));
    });
  });
}

void adagrad(const OpCall& call) {
  const int64_t step = stepNumber(call);
  if (step == 0) return;
  const auto params = call.list("params"), grads = call.list("grads"), sums = call.list("sums");
  const double rate = call.number("lr") / (1 + double(step - 1) * call.number("lrDecay"));
  const VecF lr = VecF::fill(float(-rate)), decay = VecF::fill(call.f32("weightDecay"));
  const VecF eps = VecF::fill(call.f32("eps"));
  updateChunks(call, Chunks(params, call.scratch<int64_t>()), [&](size_t t, int64_t begin, int64_t end) {
    float *p = params[t].f32(), *s = sums[t].f32();
    const float* grad = grads[t].f32();
    vectorLoop(begin, end, [&](int64_t i, auto lanes) {
      const VecF weight = lanes.load(p + i), g = fma(decay, weight, lanes.load(grad + i));
      const VecF sum = fma(g, g, lanes.load(s + i));
      lanes.store(s + i, sum);
      lanes.store(p + i, fma(lr, g / (sqrt(sum) + eps), weight));
    });
  });
}

namespace {

// max(1e-3, RMS(p)) for each tensor, from sums over chunks that are added in order.
void rmsScales(std::span<const TensorArg> params, const Chunks& chunks, double* partials, double* scales) {
  constexpr double kMinRms = 1e-3;
  parallelFor(chunks.count(), [&](int64_t index, int) {
    const auto [tensor, begin, end] = chunks[index];
    partials[index] = sumOfSquares(params[size_t(tensor)].f32() + begin, end - begin);
  });
  for (size_t t = 0; t < params.size(); ++t) {
    double sum = 0;
    for (int64_t i = chunks.first(int64_t(t)); i < chunks.first(int64_t(t) + 1); ++i) sum += partials[i];
    const double rms = std::sqrt(sum / double(std::max<int64_t>(params[t].count(), 1)));
    // Written so that a NaN stays one.
    scales[t] = rms < kMinRms ? kMinRms : rms;
  }
}

}  // namespace

// m = β1·m + (1−β1)·g, v = β2·v + (1−β2)·g², p −= lr·wd·p + lr·scale/c1 · m/(√v/√c2 + eps); c1 = 1−β1^t and c2 =
// 1−β2^t, or 1 without bias correction, which is the form of BERT and ELECTRA: p −= lr·(m/(√v + eps) + wd·p).
// Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization. arXiv:1711.05101
void adamw(const OpCall& call) {
  const int64_t step = stepNumber(call);
  if (step == 0) return;
  const auto params = call.list("params"), grads = call.list("grads");
  const auto means = call.list("means"), squares = call.list("squares");
  const double b1 = call.number("beta1"), b2 = call.number("beta2"), lr = call.number("lr");
  const bool corrected = call.flag("biasCorrection");
  const double c1 = corrected ? 1 - std::pow(b1, double(step)) : 1, c2 = corrected ? 1 - std::pow(b2, double(step)) : 1;
  int64_t* starts = call.scratch<int64_t>();
  const Chunks chunks(params, starts);
  double* scales = reinterpret_cast<double*>(starts + params.size() + 1);
  if (call.flag("rmsScale")) {
    rmsScales(params, chunks, scales + params.size(), scales);
  } else {
    std::fill_n(scales, params.size(), 1.0);
  }
  const VecF beta1 = VecF::fill(float(b1)), rest1 = VecF::fill(float(1 - b1)), beta2 = VecF::fill(float(b2));
  const VecF rest2 = VecF::fill(float(1 - b2)), toSquare = VecF::fill(float(1 / std::sqrt(c2)));
  const VecF eps = VecF::fill(call.f32("eps")), shrink = VecF::fill(float(-lr * call.number("weightDecay")));
  updateChunks(call, chunks, [&](size_t t, int64_t begin, int64_t end) {
    float *p = params[t].f32(), *m = means[t].f32(), *v = squares[t].f32();
    const float* grad = grads[t].f32();
    const VecF rate = VecF::fill(float(-lr * scales[t] / c1));
    vectorLoop(begin, end, [&](int64_t i, auto lanes) {
      const VecF weight = lanes.load(p + i), g = lanes.load(grad + i);
      const VecF mean = fma(beta1, lanes.load(m + i), rest1 * g);
      const VecF square = fma(beta2, lanes.load(v + i), rest2 * (g * g));
      lanes.store(m + i, mean);
      lanes.store(v + i, square);
      const VecF update = mean / fma(sqrt(square), toSquare, eps);
      lanes.store(p + i, fma(rate, update, fma(shrink, weight, weight)));
    });
  });
}

}  // namespace duo::cpu::DUO_ISA
