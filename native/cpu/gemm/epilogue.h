// What happens to a tile of A·B before it is written:
//   z = α·AB + β·C + bias;   y = dropout(act(z) ⊙ gate) + residual
// All operands but the bias are M × N with the row stride of y.
#pragma once
#include "core/rng.h"
#include "cpu/gemm/micro_kernel.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {

// In the order of the ops' attribute `act`.
enum class Activation { kNone, kRelu, kGeluErf, kGeluTanh, kSilu };

inline VecF activate(Activation act, VecF z) {
  switch (act) {
    case Activation::kNone: return z;
    case Activation::kRelu: return max(VecF::zero(), z);  // z second: a NaN passes
    case Activation::kGeluErf: return geluErf(z);
    case Activation::kGeluTanh: return geluTanh(z);
    case Activation::kSilu: return z * sigmoid(z);
  }
  return z;
}

// dact/dz; at 0, relu's is 0.
inline VecF activateGrad(Activation act, VecF z) {
  const VecF one = VecF::fill(1.f);
  switch (act) {
    case Activation::kNone: return one;
    case Activation::kRelu: return select(z > VecF::zero(), one, select(isNaN(z), z, VecF::zero()));
    case Activation::kGeluErf: return geluErfGrad(z);
    case Activation::kGeluTanh: return geluTanhGrad(z);
    case Activation::kSilu: {
      const VecF s = sigmoid(z);
      return fma(z * s, one - s, s);
    }
  }
  return one;
}

// Up to kLanes elements: whole registers without a mask, which is slow to store with on some machines.
inline VecF loadPart(const float* p, int64_t n) { return n >= VecF::kLanes ? VecF::load(p) : VecF::load(p, n); }
inline void storePart(VecF x, float* p, int64_t n) { n >= VecF::kLanes ? x.store(p) : x.store(p, n); }

struct Dropout {
  RandomSite at;
  DropoutRule rule{0.0};
  int64_t firstRow = 0;  // number of this matrix's row 0 among all rows that share the site
  int64_t rowLength = 0;

  // Factors of `count` elements of a row from `column` on.
  void factors(int64_t row, int64_t column, int64_t count, float* out) const {
    const uint64_t start = dropoutRowStart(firstRow + row, rowLength) + uint64_t(column);
    for (int64_t i = 0; i < count;) {
      const uint64_t element = start + uint64_t(i);
      const auto group = draws(at, element / 8);
      for (int64_t j = int64_t(element % 8); j < 8 && i < count; ++j) out[i++] = rule.factor(group[size_t(j)]);
    }
  }
};

struct Epilogue {
  float* y = nullptr;
  int64_t stride = 0;  // between rows
  float alpha = 1, beta = 0;
  const float* c = nullptr;  // null: no β·C
  const float* bias = nullptr;
  float* z = nullptr;
  Activation act = Activation::kNone;
  const float* gate = nullptr;
  Dropout dropout;
  const float* residual = nullptr;

  // y = A·B, as the inner loop leaves it.
  bool plain() const {
    return alpha == 1.f && !c && !bias && !z && act == Activation::kNone && !gate && !dropout.rule.active() &&
           !residual;
  }

  // Row `row` becomes row 0: one matrix of a batch.
  Epilogue fromRow(int64_t row) const {
    const auto move = [by = row * stride](auto* p) { return p ? p + by : p; };
    Epilogue result = *this;
    result.y = move(y), result.c = move(c), result.z = move(z), result.gate = move(gate);
    result.residual = move(residual);
    result.dropout.firstRow += row;
    return result;
  }

  // Finishes one row of a tile. `sums` has room for whole registers; `add`: y holds the sums over earlier k.
  void finishRow(const float* sums, int64_t row, int64_t column, int64_t columns, bool add) const {
    float factors[kTile.columns] = {};
    if (dropout.rule.active()) dropout.factors(row, column, columns, factors);
    const int64_t start = row * stride + column;
    for (int64_t j = 0; j < columns; j += VecF::kLanes) {
      const int64_t at = start + j, n = columns - j;
      VecF x = VecF::load(sums + j);
      if (add) x = loadPart(y + at, n) + x;
      x = VecF::fill(alpha) * x;
      if (c) x = fma(VecF::fill(beta), loadPart(c + at, n), x);
      if (bias) x = x + loadPart(bias + column + j, n);
      if (z) storePart(x, z + at, n);
      x = activate(act, x);
      if (gate) x = x * loadPart(gate + at, n);
      if (dropout.rule.active()) x = x * VecF::load(factors + j);
      if (residual) x = x + loadPart(residual + at, n);
      storePart(x, y + at, n);
    }
  }
};

}  // namespace duo::cpu::DUO_ISA
