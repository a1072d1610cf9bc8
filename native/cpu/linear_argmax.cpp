// linearArgmax: argmax of x·wᵀ, without reading all of w. screenWeight: the copy in 8 bits that this takes.
//
// With codes c and a scale s for each token, ε = w − s·c and Cauchy–Schwarz, |x·w − s·x·c| ≤ |x|·|ε|; to |ε|, bounds
// add what rounding can do to either product. A first pass reads the codes, one byte a weight, and gives every logit
// between two bounds; the greatest lower one is a floor for the best token. Of those whose upper bound reaches the
// floor, one to eight of 32,128 normal ones at K = 512, a second pass computes the logit as products of few rows do.
// The result is that of all logits.
//
// Bytes: V·(K + 8), and 4·R·V twice in caches; 2·R·V·K FLOP, of which one product of few rows on registers.
#include <cmath>
#include <limits>

#include "cpu/gemm/dot_kernel.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/thread_pool.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int32_t kNoToken = -1;  // none of a block can be the best
constexpr float kLargestCode = 127;
// What follows keeps bounds true where squares or products are too small for a float. Such squares are of numbers
// below 1.1e-19; in a row of weights with one above 1e-13 they count less than the rounding that is added.
constexpr float kUnderflow = 1e-35f, kLostOfNorm = 2e-19f, kSmallest = 1e-13f;

// What rounding may do to the sums of K products of both passes, relative to |x|·|w|: twice K·ε, with some to spare.
float roundingOf(int64_t k) { return float(k + 16) * 0x1p-22f; }

template <typename Stored>
VecF loadStored(const typename Stored::T* p, AllLanes) {
  return Stored::load(p);
}
template <typename Stored>
VecF loadStored(const typename Stored::T* p, int64_t n) {
  return Stored::load(p, n);
}

struct Rows {
  const OpCall& call;
  int64_t rows = call.dim("R"), tokens = call.dim("V"), k = call.dim("K");
  int64_t blocks = argmaxBlocks(tokens);
  const float *x = call.in("x").f32(), *scales = call.in("scales").f32(), *bounds = call.in("bounds").f32();
  const int8_t* codes = call.in("codes").as<const int8_t>();
  std::span<const int32_t> banned = {call.in("banned").i32(),
                                     call.has("banned") ? size_t(call.in("banned").count()) : 0};
  ArgmaxBlock* records = call.scratch<ArgmaxBlock>();
  float* approximate = reinterpret_cast<float*>(records + rows * blocks);

  ArgmaxBlock& record(int64_t row, int64_t block) const { return records[row * blocks + block]; }
  float* logits(int64_t row) const { return approximate + row * tokens; }
  bool isBanned(int64_t token) const { return std::ranges::find(banned, token) != banned.end(); }

  float norm(int64_t row) const {
    const float* p = x + row * k;
    const float squares = sumLanes(k, [&](int64_t i, auto lanes) {
      const VecF v = load(p + i, lanes);
      return v * v;
    });
    return std::sqrt(squares) + kLostOfNorm * float(k);
  }

  // How far logits from `token` on may be from the approximate ones.
  template <typename Lanes>
  VecF slack(float norm, int64_t token, Lanes lanes) const {
    return fma(VecF::fill(norm), load(bounds + token, lanes), VecF::fill(kUnderflow));
  }
  // What is no number may be anything.
  template <typename Lanes>
  VecF ceiling(int64_t row, float norm, int64_t token, Lanes lanes) const {
    const VecF high = load(logits(row) + token, lanes) + slack(norm, token, lanes);
    return select(isNaN(high), VecF::fill(kInfinity), high);
  }
  template <typename Lanes>
  VecF floor(int64_t row, float norm, int64_t token, Lanes lanes) const {
    const VecF low = load(logits(row) + token, lanes) - slack(norm, token, lanes);
    return select(low < VecF::fill(kInfinity), low, VecF::fill(-kInfinity));
  }
};

void multiplyCodes(const Rows& at, int64_t begin, int64_t end) {
  float tile[kDotRows * kTile.columns];
  for (int64_t j = begin; j < end; j += kTile.columns) {
    const int64_t columns = std::min<int64_t>(end - j, kTile.columns);
    for (int64_t i = 0; i < at.rows; i += kDotRows) {
      const int64_t rows = std::min<int64_t>(at.rows - i, kDotRows);
      dotTile<StoredInt8>({at.x + i * at.k, at.k, 1}, at.codes + j * at.k, at.k, at.k, rows, columns, tile);
      for (int64_t r = 0; r < rows; ++r) {
        const float* sums = tile + r * kTile.columns;
        float* logits = at.logits(i + r) + j;
        forLanes(columns, [&](int64_t c, auto lanes) {
          store(load(at.scales + j + c, lanes) * load(sums + c, lanes), logits + c, lanes);
        });
      }
    }
  }
}

// Approximate logits of a block, its floor and its ceiling.
void screen(const Rows& at, int64_t block) {
  const int64_t begin = block * kArgmaxBlock, end = std::min(begin + kArgmaxBlock, at.tokens);
  multiplyCodes(at, begin, end);
  for (int64_t row = 0; row < at.rows; ++row) {
    for (const int32_t token : at.banned) {
      if (token >= begin && token < end) at.logits(row)[token] = -kInfinity;
    }
    const float norm = at.norm(row);
    const VecF none = VecF::fill(-kInfinity);
    VecF floor = none, ceiling = none;
    forLanes(end - begin, [&](int64_t i, auto lanes) {
      floor = max(floor, fillRest(at.floor(row, norm, begin + i, lanes), none, lanes));
      ceiling = max(ceiling, fillRest(at.ceiling(row, norm, begin + i, lanes), none, lanes));
    });
    at.record(row, block) = {maxOf(floor), maxOf(ceiling), -kInfinity, kNoToken};
  }
}

template <typename Stored>
float logit(const Rows& at, const typename Stored::T* weight, int64_t row, int64_t token) {
  float result;
  dotTile<1, 1, Stored>(at.x + row * at.k, at.k, weight + token * at.k, at.k, at.k, &result);
  return result;
}

// The best of those tokens of a block that may be the row's best.
template <typename Stored>
void decide(const Rows& at, const typename Stored::T* weight, int64_t row, int64_t block) {
  float floor = -kInfinity;
  for (int64_t b = 0; b < at.blocks; ++b) floor = std::max(floor, at.record(row, b).floor);
  ArgmaxBlock& record = at.record(row, block);
  if (record.ceiling < floor) return;
  // A ceiling that is the floor reaches it.
  const float below = std::nextafter(floor, -kInfinity), norm = at.norm(row);
  const int64_t begin = block * kArgmaxBlock, end = std::min(begin + kArgmaxBlock, at.tokens);
  bool broken = false;
  for (int64_t i = begin; i < end; i += VecF::kLanes) {
    const int64_t count = std::min<int64_t>(end - i, VecF::kLanes);
    const VecF ceiling = at.ceiling(row, norm, i, count);
    if (!any(ceiling > VecF::fill(below))) continue;
    float ceilings[VecF::kLanes];
    ceiling.store(ceilings);
    for (int64_t lane = 0; lane < count; ++lane) {
      if (!(ceilings[lane] > below) || at.isBanned(i + lane)) continue;
      const float value = logit<Stored>(at, weight, row, i + lane);
      broken |= std::isnan(value);
      if (record.id == kNoToken || value > record.value) record.value = value, record.id = int32_t(i + lane);
    }
  }
  if (broken) record.value = std::numeric_limits<float>::quiet_NaN();
}

template <typename Stored>
void argmaxOf(const OpCall& call) {
  const Rows at{call};
  const auto* weight = call.in("weight").as<const typename Stored::T>();
  parallelFor(at.blocks, [&](int64_t block, int) { screen(at, block); });
  parallelFor(at.blocks, [&](int64_t block, int) {
    for (int64_t row = 0; row < at.rows; ++row) decide<Stored>(at, weight, row, block);
  });
  auto* ids = call.out("ids").as<int32_t>();
  for (int64_t row = 0; row < at.rows; ++row) {
    ArgmaxBlock best{.floor = 0, .ceiling = 0, .value = -kInfinity, .id = 0};
    for (int64_t block = 0; block < at.blocks; ++block) {
      const ArgmaxBlock& record = at.record(row, block);
      if (std::isnan(record.value)) {
        fail(ErrorCode::kData, call.def.name, call.def.usableRows, "others at row " + std::to_string(row));
      }
      if (record.value > best.value) best = record;
    }
    ids[row] = best.id;
  }
}

void expectTokens(const OpCall& call) {
  if (!call.has("banned")) return;
  const TensorArg& banned = call.in("banned");
  for (int64_t i = 0; i < banned.count(); ++i) {
    const int32_t token = banned.i32()[i];
    if (token >= 0 && token < call.dim("V")) continue;
    fail(ErrorCode::kIndex, call.def.name, "banned in [0, " + std::to_string(call.dim("V")) + ")",
         std::to_string(token) + " at " + std::to_string(i));
  }
}

struct Screen {
  float scale, bound;
};

// One row of a weight.
template <typename Stored>
Screen encode(const typename Stored::T* weight, int64_t k, int8_t* codes) {
  VecF largest = VecF::zero();
  const float squares = sumLanes(k, [&](int64_t i, auto lanes) {
    const VecF w = loadStored<Stored>(weight + i, lanes);
    largest = max(largest, abs(w));
    return w * w;
  });
  const float max = maxOf(largest), rounding = roundingOf(k);
  const bool finite = squares < kInfinity;
  if (!finite || max < kSmallest) {
    std::fill_n(codes, k, int8_t(0));
    // Of a row that is not finite nothing is known, so that its logit is always computed.
    return {0, finite ? max * std::sqrt(float(k)) * (1 + rounding) : kInfinity};
  }
  const float scale = max / kLargestCode;
  const VecF inverse = VecF::fill(kLargestCode / max), step = VecF::fill(scale);
  const float errors = sumLanes(k, [&](int64_t i, auto lanes) {
    const VecF w = loadStored<Stored>(weight + i, lanes), code = round(w * inverse), error = w - code * step;
    float values[VecF::kLanes];
    code.store(values);
    for (int64_t lane = 0; lane < std::min<int64_t>(k - i, VecF::kLanes); ++lane) {
      codes[i + lane] = int8_t(values[lane]);
    }
    return error * error;
  });
  return {scale, (std::sqrt(errors) + rounding * std::sqrt(squares)) * (1 + rounding)};
}

template <typename Stored>
void screenOf(const OpCall& call) {
  const int64_t k = call.dim("K");
  const auto* weight = call.in("weight").as<const typename Stored::T>();
  parallelBlocks(call.dim("V"), 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const Screen screen = encode<Stored>(weight + row * k, k, call.out("codes").as<int8_t>() + row * k);
      call.out("scales").f32()[row] = screen.scale, call.out("bounds").f32()[row] = screen.bound;
    }
  });
}

}  // namespace

void linearArgmax(const OpCall& call) {
  expectTokens(call);
  switch (call.in("weight").dtype) {
    case DType::kFloat16: return argmaxOf<StoredNarrow<DType::kFloat16>>(call);
    case DType::kBFloat16: return argmaxOf<StoredNarrow<DType::kBFloat16>>(call);
    default: return argmaxOf<StoredFloat32>(call);
  }
}

// Reads the weight twice, the second time from a cache; memory-bound.
void screenWeight(const OpCall& call) {
  switch (call.in("weight").dtype) {
    case DType::kFloat16: return screenOf<StoredNarrow<DType::kFloat16>>(call);
    case DType::kBFloat16: return screenOf<StoredNarrow<DType::kBFloat16>>(call);
    default: return screenOf<StoredFloat32>(call);
  }
}

}  // namespace duo::cpu::DUO_ISA
