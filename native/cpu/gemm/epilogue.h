// What happens to a tile of A·B before it is written:
//   z = α·AB + β·C + bias;   y = dropout(act(z) ⊙ gate) + residual
// All operands but the bias are M × N with the row stride of y.
#pragma once
#include "cpu/dropout.h"
#include "cpu/lanes.h"
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
      // From −88 on s is 0 and stays so; bounded there, z·s cannot be inf · 0.
      return s * fma(max(VecF::fill(-88.f), z), one - s, one);
    }
  }
  return one;
}

struct Epilogue {
  float* y = nullptr;
  int64_t stride = 0;  // between rows
  float alpha = 1, beta = 0;
  const float* c = nullptr;  // null: no β·C
  const float* bias = nullptr;
  float* z = nullptr;
  Activation act = Activation::kNone;
  const float* gate = nullptr;
  const Dropout* dropout = nullptr;  // null: nothing is dropped
  int64_t dropoutRow = 0;            // number of row 0 among the rows that dropout numbers
  const float* residual = nullptr;

  // y = A·B, as the inner loop leaves it.
  bool plain() const {
    return alpha == 1.f && !c && !bias && !z && act == Activation::kNone && !gate && !dropout && !residual;
  }

  // y = act(A·B + bias) + residual: what inference needs most.
  bool simple() const { return alpha == 1.f && !c && !z && !gate && !dropout; }

  // Row `row` becomes row 0: one matrix of a batch.
  Epilogue fromRow(int64_t row) const {
    const auto move = [by = row * stride](auto* p) { return p ? p + by : p; };
    Epilogue result = *this;
    result.y = move(y), result.c = move(c), result.z = move(z), result.gate = move(gate);
    result.residual = move(residual);
    result.dropoutRow += row;
    return result;
  }

  // Finishes `columns` elements of a row from `column` on; `kept` are dropout's bits. `add`: y holds the sums over
  // earlier k.
  void finishRow(const float* sums, const uint8_t* kept, int64_t row, int64_t column, int64_t columns, bool add) const {
    const int64_t start = row * stride + column;
    forLanes(columns, [&](int64_t j, auto lanes) {
      const int64_t at = start + j;
      VecF x = load(sums + j, lanes);
      if (add) x = load(y + at, lanes) + x;
      x = VecF::fill(alpha) * x;
      if (c) x = fma(VecF::fill(beta), load(c + at, lanes), x);
      if (bias) x = x + load(bias + column + j, lanes);
      if (z) store(x, z + at, lanes);
      x = activate(act, x);
      if (gate) x = x * load(gate + at, lanes);
      if (dropout) x = Drop{bitsFrom(kept, j), dropout->rule.scale}(x);
      if (residual) x = x + load(residual + at, lanes);
      store(x, y + at, lanes);
    });
  }
};

// A whole tile of kColumns columns of a simple epilogue; the activation is known here, and so is what is not to be
// done.
template <Activation kAct, int kColumns>
void finishSimpleTile(const Epilogue& epilogue, const float* sums, int64_t row, int64_t column, int64_t rows,
                      bool add) {
  constexpr int kVecs = kColumns / VecF::kLanes;
  VecF bias[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    bias[v] = epilogue.bias ? VecF::load(epilogue.bias + column + v * VecF::kLanes) : VecF::zero();
  }
  for (int64_t r = 0; r < rows; ++r, sums += kColumns) {
    const int64_t start = (row + r) * epilogue.stride + column;
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      float* y = epilogue.y + start + v * VecF::kLanes;
      VecF x = VecF::load(sums + v * VecF::kLanes);
      if (add) x = VecF::load(y) + x;
      x = activate(kAct, x + bias[v]);
      if (epilogue.residual) x = x + VecF::load(epilogue.residual + start + v * VecF::kLanes);
      x.store(y);
    }
  }
}

template <int kColumns>
void finishSimpleTile(const Epilogue& epilogue, const float* sums, int64_t row, int64_t column, int64_t rows,
                      bool add) {
  constexpr decltype(&finishSimpleTile<Activation::kNone, kColumns>) kFinish[] = {
      finishSimpleTile<Activation::kNone, kColumns>, finishSimpleTile<Activation::kRelu, kColumns>,
      finishSimpleTile<Activation::kGeluErf, kColumns>, finishSimpleTile<Activation::kGeluTanh, kColumns>,
      finishSimpleTile<Activation::kSilu, kColumns>};
  kFinish[int(epilogue.act)](epilogue, sums, row, column, rows, add);
}

// Which elements of a strip of rows stay, a chunk of columns at a time.
template <int kRows>
class DropoutStrip {
 public:
  DropoutStrip(const Epilogue& epilogue, int64_t row, int64_t rows) : epilogue_(epilogue), row_(row), rows_(rows) {}

  // Of row `row` of the strip from `column` on; the columns of one tile are in one chunk.
  const uint8_t* at(int64_t row, int64_t column) {
    if (!epilogue_.dropout) return nullptr;
    if (column / kColumns != chunk_) fill(column / kColumns);
    return bits_ + row * (kColumns / 8) + column % kColumns / 8;
  }

 private:
  static constexpr int64_t kColumns = 64, kVecs = kColumns / kBitsPerVec;

  void fill(int64_t chunk) {
    chunk_ = chunk;
    const Dropout& dropout = *epilogue_.dropout;
    keepBits(
        dropout.at, dropout.rule, rows_ * kVecs,
        [&](int64_t i) {
          const uint64_t start = dropoutRowStart(epilogue_.dropoutRow + row_ + i / kVecs, epilogue_.stride);
          return start / 8 + uint64_t(chunk * (kColumns / 8) + i % kVecs * VecU64::kLanes);
        },
        bits_);
  }

  const Epilogue& epilogue_;
  int64_t row_, rows_, chunk_ = -1;
  uint8_t bits_[kRows * (kColumns / 8) + kBitPadding];
};

}  // namespace duo::cpu::DUO_ISA
