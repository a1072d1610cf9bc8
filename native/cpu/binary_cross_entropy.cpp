// Binary cross-entropy with logits, loss and gradient in one pass; x logit, y target:
//   loss = max(x, 0) − x·y + log1p(e^−|x|)        dx = sigmoid(x) − y
// Both times `scale` (1 over the kept elements for a mean); where the mask is 0, both are 0.
// Work:  blocks of kBlock elements, whose partial losses are added in order.
// Bytes: reads 4 + sizeof(target) (+ 1 with a mask), writes 4 an element.
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "cpu/vec_math.h"
#include "ops/registry.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kBlock = 4096;

// In the order of bceWithLogits's attribute `reduction`.
enum class Reduction { kMean, kSum, kNone };

struct LossAndGradient {
  VecF loss, dx;
};

inline LossAndGradient element(VecF x, VecF y) {
  const VecF zero = VecF::zero(), one = VecF::fill(1.f);
  // Of the |x| form exp sees only arguments that are not positive.
  const VecF e = exp(zero - abs(x));
  const VecF larger = one / (one + e);
  const VecF p = select(x < zero, e * larger, larger);
  return {max(zero, x) - x * y + log1p(e), p - y};
}

template <typename T>
inline VecF loadTarget(const T* p, int64_t n) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return VecF::load(p, n);
  } else {
    float lanes[VecF::kLanes] = {};
    for (int64_t i = 0; i < n; ++i) lanes[i] = float(p[i] != 0);
    return VecF::load(lanes);
  }
}

template <typename T>
struct Problem {
  const float* x;
  const T* y;
  const uint8_t* mask;  // null: all kept
  int64_t count;
  float scale;
  float* losses;  // null: only their sum is wanted
  float* dx;      // may be null
};

template <typename T>
float blockLoss(const Problem<T>& p, int64_t begin, int64_t end) {
  VecF total = VecF::zero();
  const VecF scale = VecF::fill(p.scale), zero = VecF::zero();
  for (int64_t i = begin; i < end; i += VecF::kLanes) {
    const int64_t n = std::min<int64_t>(end - i, VecF::kLanes);
    LossAndGradient result = element(VecF::load(p.x + i, n), loadTarget(p.y + i, n));
    if (p.mask || n < VecF::kLanes) {
      // Lanes behind the end count as masked: their logit 0 has a loss.
      float lanes[VecF::kLanes] = {};
      for (int64_t j = 0; j < n; ++j) lanes[j] = p.mask && p.mask[i + j] == 0 ? 0.f : 1.f;
      const auto kept = zero < VecF::load(lanes);
      result = {select(kept, result.loss, zero), select(kept, result.dx, zero)};
    }
    total = total + result.loss;
    if (p.losses) result.loss.store(p.losses + i, n);
    if (p.dx) (result.dx * scale).store(p.dx + i, n);
  }
  return sum(total);
}

int64_t keptElements(const uint8_t* mask, int64_t count) {
  if (!mask) return count;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; ++i) kept += mask[i] != 0;
  return kept;
}

// `partials`: one float for each block.
template <typename T>
void run(const OpCall& call, const char* target, Reduction reduction) {
  Problem<T> p{call.in("logits").f32(),
               call.in(target).as<const T>(),
               call.has("mask") ? call.in("mask").as<const uint8_t>() : nullptr,
               call.in("logits").count(),
               1.f,
               reduction == Reduction::kNone ? call.out("loss").f32() : nullptr,
               call.wants("dLogits") ? call.out("dLogits").f32() : nullptr};
  if (reduction == Reduction::kMean) {
    const int64_t kept = keptElements(p.mask, p.count);
    p.scale = kept ? 1.f / float(kept) : 0.f;
  }
  float* partials = call.scratch<float>();
  parallelBlocks(p.count, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b += kBlock) partials[b / kBlock] = blockLoss(p, b, std::min(end, b + kBlock));
  });
  if (reduction == Reduction::kNone) return;
  double total = 0;
  for (int64_t b = 0; b < (p.count + kBlock - 1) / kBlock; ++b) total += double(partials[b]);
  *call.out("loss").f32() = float(total * double(p.scale));
}

}  // namespace

void bceWithLogits(const OpCall& call) { run<float>(call, "targets", Reduction(call.integer("reduction"))); }

void rtdLoss(const OpCall& call) { run<uint8_t>(call, "isReplaced", Reduction::kMean); }

}  // namespace duo::cpu::DUO_ISA
