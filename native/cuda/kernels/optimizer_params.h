// What optimiser kernels are given: a table of the group's tensors, and the rule by which rates follow from the step.
#pragma once
#include <cstdint>

namespace duo::cuda {

enum class ShadowType : int32_t { kNone, kFloat16, kBFloat16 };

// A tensor of a group. Which states there are depends on the op.
struct OptimizerTensor {
  float* param;  // or the gradient, where only that is read and written
  const float* grad;
  float *first, *second;  // states
  void* shadow;           // the 16-bit copy of the weights
  int64_t count;
  int64_t firstChunk;  // chunks of all tensors are numbered through
  ShadowType shadowType;
  int32_t vectors;  // whether all of them may be read four elements at a time
};

// Elements that a block takes at a time.
constexpr int64_t kDeviceChunk = 4096;

// Written by `optimizerPrepare` for the kernels behind it.
struct StepState {
  int64_t step;        // from 1, without those that were left out; 0: leave this one out
  float toSquare;      // adamw: 1/√(1 − β2^step), or 1
  float beta2, rest2;  // adafactor: its decay at this step, and 1 minus it
  int32_t reserved;
};

enum class StepKind : int32_t { kSgd, kAdagrad, kAdamw, kAdafactor };

struct StepRule {
  const float* norm;  // null: none
  int32_t* skipped;   // null: none
  int64_t step;
  double lr;
  double beta1, beta2;      // adamw
  double lrDecay;           // adagrad
  double decayRate, least;  // adafactor: of beta2; least RMS of weights (adamw with rmsScale, too)
  StepKind kind;
  int32_t countSkip, biasCorrection, relativeStep, warmupInit;
  // Whether rates are scaled by the RMS of the weights, from the sums of their chunks.
  int32_t scaled;
};

// What a step of an element needs besides its rate.
struct ElementRule {
  float weightDecay;  // sgd, adagrad
  float shrink;       // adamw: −lr·weightDecay
  float beta1, rest1, beta2, rest2, eps;
  float momentum;
  int32_t nesterov;
};

// A tensor of Adafactor's group; see Factoring in ops/optimizer.h.
struct AdafactorTensor {
  float* param;
  const float* grad;
  float *rows, *columns;  // moments, where it is factored
  float* squares;         // where it is not
  float* mean;            // null without beta1
  void* shadow;
  float *columnSums, *rowFactors, *columnFactors;  // scratch
  int64_t count, firstChunk;
  int64_t numRows, middle, numColumns, inner, line, slabs;
  int64_t pieces, height;  // of each slab's rows, whose column sums are made apart
  // Work items of all tensors are numbered through, in each of the kernels: moments of rows; pieces of columns;
  // moments of columns; matrices.
  int64_t firstRow, firstPart, firstColumn, firstMatrix;
  ShadowType shadowType;
  int32_t factored;
};

}  // namespace duo::cuda
