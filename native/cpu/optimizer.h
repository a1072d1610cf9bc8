// What the optimiser kernels share: chunks of a group's tensors, whether a step runs, sums of squares, 16-bit shadows.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/half.h"
#include "cpu/strided.h"
#include "cpu/thread_pool.h"
#include "cpu/vec.h"
#include "ops/optimizer.h"

namespace duo::cpu::DUO_ISA {

struct Chunk {
  int64_t tensor, begin, end;
};

// Cuts the tensors of a list into chunks of kOptimizerChunk elements, numbered through; `starts` has room for one
// number a tensor and one more.
class Chunks {
 public:
  Chunks(std::span<const TensorArg> tensors, int64_t* starts) : tensors_(tensors), starts_(starts) {
    starts_[0] = 0;
    for (size_t i = 0; i < tensors.size(); ++i) starts_[i + 1] = starts_[i] + chunkCount(tensors.subspan(i, 1));
  }
  int64_t count() const { return starts_[tensors_.size()]; }
  int64_t first(int64_t tensor) const { return starts_[tensor]; }

  Chunk operator[](int64_t index) const {
    int64_t low = 0, high = int64_t(tensors_.size());
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (starts_[middle] <= index ? low : high) = middle;
    }
    const int64_t begin = (index - starts_[low]) * kOptimizerChunk;
    return {low, begin, std::min(begin + kOptimizerChunk, tensors_[size_t(low)].count())};
  }

 private:
  std::span<const TensorArg> tensors_;
  int64_t* starts_;
};

// The number of the step that this call makes, from 1, without the steps that were left out; 0: leave this one out,
// because the norm of its gradients is not finite.
inline int64_t stepNumber(const OpCall& call) {
  int32_t* skipped = call.in("skipped").as<int32_t>();
  if (call.has("norm") && !std::isfinite(*call.in("norm").f32())) {
    if (skipped && call.flag("countSkip")) ++*skipped;
    return 0;
  }
  return std::max<int64_t>(call.integer("step") - (skipped ? *skipped : 0), 1);
}

// Squares of floats are exact in double and cannot overflow there; eight sums side by side, added in a fixed order.
inline double sumOfSquares(const float* x, int64_t n) {
  constexpr int kSums = 8;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int j = 0; j < kSums; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
  }
  for (; i < n; ++i) sums[i % kSums] += double(x[i]) * double(x[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// Loads and stores of a whole vector, and of its first n lanes.
struct Whole {
  VecF load(const float* p) const { return VecF::load(p); }
  void store(float* p, VecF v) const { v.store(p); }
};
struct Part {
  int64_t n;
  VecF load(const float* p) const { return VecF::load(p, n); }
  void store(float* p, VecF v) const { v.store(p, n); }
};

// Calls body(i, lanes) for every vector of [begin, end).
template <typename Body>
void vectorLoop(int64_t begin, int64_t end, const Body& body) {
  int64_t i = begin;
  for (; i + VecF::kLanes <= end; i += VecF::kLanes) body(i, Whole{});
  if (i < end) body(i, Part{end - i});
}

inline void writeShadow(const TensorArg& shadow, const float* param, int64_t begin, int64_t end) {
  uint16_t* to = shadow.as<uint16_t>();
  if (shadow.dtype == DType::kFloat16) {
    for (int64_t i = begin; i < end; ++i) to[i] = float16FromFloat(param[i]);
  } else {
    for (int64_t i = begin; i < end; ++i) to[i] = bfloat16FromFloat(param[i]);
  }
}

// Runs update(tensor index, begin, end) over all chunks of the group, and writes the shadows of what it changed.
template <typename Update>
void updateChunks(const OpCall& call, const Chunks& chunks, const Update& update) {
  const auto params = call.list("params"), shadows = call.list("shadows");
  parallelFor(chunks.count(), [&](int64_t index, int) {
    const auto [tensor, begin, end] = chunks[index];
    update(size_t(tensor), begin, end);
    if (!shadows.empty()) writeShadow(shadows[size_t(tensor)], params[size_t(tensor)].f32(), begin, end);
  });
}

}  // namespace duo::cpu::DUO_ISA
