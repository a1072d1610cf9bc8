// Values of a row in descending order, as far as they are asked for: mostly only a few of many are.
//
// A value and its id make one key of up to 63 bits, so that no two are equal. The next keys in order are found by radix
// selection: a histogram of the keys' leading eleven bits says which of them hold the last one that is wanted; while
// these are too many for shared memory, the eleven bits that follow are looked at. What is left is collected and sorted
// there. Each step goes over the row once: two or three passes as a rule, which caches serve. Integer atomics alone,
// and sorted afterwards: the result does not depend on the order of threads.
#pragma once
#include "cuda/kernels/common.cuh"

namespace duo::cuda {

// Bits that are ordered as floats are; zeros of both signs are equal. NaNs lie at the ends.
__device__ inline uint32_t orderedBits(float x) {
  const uint32_t bits = __float_as_uint(x + 0.f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Elements that a thread reads at once, ahead of what it does with them.
constexpr int kReadAhead = 4;

// Calls fn(value, column) for the columns of this thread.
template <typename Fn>
__device__ inline void forColumns(const float* row, int64_t columns, const Fn& fn) {
  for (int64_t start = threadIdx.x; start < columns; start += kReadAhead * blockDim.x) {
    float x[kReadAhead];
#pragma unroll
    for (int i = 0; i < kReadAhead; ++i) {
      const int64_t c = start + int64_t(i) * blockDim.x;
      if (c < columns) x[i] = row[c];
    }
#pragma unroll
    for (int i = 0; i < kReadAhead; ++i) {
      const int64_t c = start + int64_t(i) * blockDim.x;
      if (c < columns) fn(x[i], c);
    }
  }
}

// The values of one row; the id is the column.
struct RowValues {
  const float* row;
  int64_t columns;

  __device__ int64_t count() const { return columns; }
  template <typename Fn>
  __device__ void forEach(const Fn& fn) const {
    forColumns(row, columns, fn);
  }
};

// Which of equal values comes first.
enum class Ties { kLowerIdFirst, kHigherIdFirst };

struct RankingMemory {
  static constexpr int kKeys = 1024;
  static constexpr int kDigitBits = 11, kBins = 1 << kDigitBits;
  uint64_t keys[kKeys];
  uint32_t bins[kBins];
  uint32_t sums[kWarp];
  uint32_t collected;
  uint32_t digit, above, inside;  // the bin that was looked for, how many lie above it, and in it
};

// The sum over the threads before this one; blocks of whole warps. `sums`: 32 values in shared memory.
__device__ inline uint32_t sumBefore(uint32_t x, uint32_t* sums) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  const auto inclusive = [&](uint32_t value) {
#pragma unroll
    for (int offset = 1; offset < kWarp; offset *= 2) {
      const uint32_t other = __shfl_up_sync(kAllLanes, value, offset);
      if (lane >= offset) value += other;
    }
    return value;
  };
  const uint32_t upTo = inclusive(x);
  if (lane == kWarp - 1) sums[warp] = upTo;
  __syncthreads();
  const uint32_t warpsUpTo = inclusive(lane < warps ? sums[lane] : 0u);
  const uint32_t before = __shfl_sync(kAllLanes, warpsUpTo, warp > 0 ? warp - 1 : 0);
  return upTo - x + (warp > 0 ? before : 0u);
}

// All threads of the block call its functions together.
template <typename Values>
class Ranking {
 public:
  // Up to 2^31 values, whose ids lie below their count.
  __device__ Ranking(const Values& values, Ties ties, RankingMemory& memory)
      : values_(values), memory_(memory), count_(values.count()) {
    idBits_ = count_ > 1 ? 32 - __clz(int(count_ - 1)) : 0;
    flip_ = ties == Ties::kLowerIdFirst ? (1u << idBits_) - 1u : 0u;
  }

  // Lays out the next keys in order, `wanted` of them (1 … kKeys) or more, fewer only where fewer are left. Returns how
  // many; they stay until the next call.
  __device__ int next(int64_t wanted) {
    const int64_t left = count_ - taken_;
    wanted = wanted < left ? wanted : left;
    const uint64_t least = left > RankingMemory::kKeys ? lowerBound(uint32_t(wanted)) : 0;
    const int collected = collect(least);
    sort(collected);
    if (collected > 0) last_ = memory_.keys[collected - 1];
    taken_ += collected;
    return collected;
  }

  __device__ uint64_t key(int i) const { return memory_.keys[i]; }
  __device__ uint32_t id(int i) const { return (uint32_t(key(i)) & ((1u << idBits_) - 1u)) ^ flip_; }
  // The key of a value: of two, the larger comes first.
  __device__ uint64_t keyOf(float value, int64_t id) const {
    return uint64_t(orderedBits(value)) << idBits_ | (uint32_t(id) ^ flip_);
  }
  // Whether a NaN is among the values; known after the first call of next.
  __device__ bool hasNaN() const { return hasNaN_; }

 private:
  // A bound above which lie `wanted` of the keys that are left, or more, but no more than fit.
  __device__ uint64_t lowerBound(uint32_t wanted) {
    uint64_t prefix = 0;
    uint32_t above = 0;
    for (int shift = 32 + idBits_;;) {
      const int width = shift < RankingMemory::kDigitBits ? shift : RankingMemory::kDigitBits, rest = shift - width;
      countDigits(shift, prefix, rest, (1u << width) - 1u);
      findDigit(wanted - above);
      prefix = prefix << width | memory_.digit;
      above += memory_.above;
      shift = rest;
      if (above + memory_.inside <= uint32_t(RankingMemory::kKeys)) return prefix << shift;
    }
  }

  // A histogram of the digits at `rest` of the keys that begin with the prefix.
  __device__ void countDigits(int shift, uint64_t prefix, int rest, uint32_t mask) {
    for (int i = threadIdx.x; i < RankingMemory::kBins; i += blockDim.x) memory_.bins[i] = 0;
    __syncthreads();
    // Equal digits in a row, as of masked logits, are added together: they would queue for one bin.
    uint32_t current = 0, run = 0;
    values_.forEach([&](float value, int64_t id) {
      const uint64_t key = keyOf(value, id);
      if (key >= last_ || key >> shift != prefix) return;
      const uint32_t digit = uint32_t(key >> rest) & mask;
      if (digit != current) {
        if (run > 0) atomicAdd(&memory_.bins[current], run);
        current = digit, run = 0;
      }
      ++run;
    });
    if (run > 0) atomicAdd(&memory_.bins[current], run);
    __syncthreads();
  }

  // The bin in which, counted from the highest, the wanted one lies.
  __device__ void findDigit(uint32_t wanted) {
    const int each = (RankingMemory::kBins + int(blockDim.x) - 1) / int(blockDim.x);
    const int from = RankingMemory::kBins - 1 - int(threadIdx.x) * each;
    const int end = from - each > -1 ? from - each : -1;
    uint32_t mine = 0;
    for (int bin = from; bin > end; --bin) mine += memory_.bins[bin];
    uint32_t above = sumBefore(mine, memory_.sums);
    if (above < wanted && wanted <= above + mine) {
      int bin = from;
      for (; above + memory_.bins[bin] < wanted; --bin) above += memory_.bins[bin];
      memory_.digit = uint32_t(bin), memory_.above = above, memory_.inside = memory_.bins[bin];
    }
    __syncthreads();
  }

  __device__ int collect(uint64_t least) {
    if (threadIdx.x == 0) memory_.collected = 0;
    __syncthreads();
    bool nan = false;
    values_.forEach([&](float value, int64_t id) {
      nan |= value != value;
      const uint64_t key = keyOf(value, id);
      if (key < last_ && key >= least) memory_.keys[atomicAdd(&memory_.collected, 1u)] = key;
    });
    hasNaN_ = __syncthreads_or(nan);
    return int(memory_.collected);
  }

  // Descending, by a bitonic network over the next power of two.
  __device__ void sort(int count) {
    int padded = 1;
    while (padded < count) padded *= 2;
    for (int i = count + threadIdx.x; i < padded; i += blockDim.x) memory_.keys[i] = 0;
    __syncthreads();
    for (int size = 2; size <= padded; size *= 2) {
      for (int stride = size / 2; stride > 0; stride /= 2) {
        for (int i = threadIdx.x; i < padded / 2; i += blockDim.x) {
          const int low = 2 * i - (i & (stride - 1)), high = low + stride;
          const uint64_t a = memory_.keys[low], b = memory_.keys[high];
          if ((a < b) == ((low & size) == 0)) memory_.keys[low] = b, memory_.keys[high] = a;
        }
        __syncthreads();
      }
    }
  }

  const Values& values_;
  RankingMemory& memory_;
  int64_t count_, taken_ = 0;
  uint64_t last_ = ~uint64_t(0);  // keys from here on were laid out
  int idBits_;
  uint32_t flip_;
  bool hasNaN_ = false;
};

}  // namespace duo::cuda
