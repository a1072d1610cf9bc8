// Vocabulary losses of logits L = x·Wᵀ + bias, with their gradients in the same sweep; L is never held whole.
//
// Tokens go in blocks (tokenBlock). For each: L of the block (2·K·V FLOPs a token) · its rows' losses, and in place of
// L its gradient G (vocab_row.h) · dX = G·W · dW += Gᵀ·x · dBias += Σ G (2·K·V FLOPs a token each of the first two).
// 6·N·K·V in all; computing L again in a backward pass of its own would be 8. In return a backward that is never asked
// for has been paid, so callers ask for gradients only while recording.
// Bytes: W is read twice and dW read and written once a block, 16·K·V; at 256 tokens a block that is 96 FLOPs a byte.
// Order: blocks follow each other and each adds to dW once, so the sums do not depend on the number of threads.
#include "cpu/gemm/product.h"
#include "cpu/kernels.h"
#include "cpu/labels.h"
#include "cpu/linear_loss_plan.h"
#include "cpu/strided.h"
#include "cpu/token_sampler.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 16384;       // logits a thread takes at a time, at least a row
constexpr int64_t kBiasColumns = 2048;  // columns of G that a thread sums

class LinearHead {
 public:
  explicit LinearHead(const OpCall& call)
      : plan(call),
        scratch_(call.scratch<float>()),
        x_(call.in("x")),
        weight_(call.in("weight")),
        bias_(call.has("bias") ? call.in("bias").f32() : nullptr),
        dX_(output(call, "dX")),
        dWeight_(output(call, "dWeight")),
        dBias_(output(call, "dBias")) {}

  const LinearLossPlan plan;
  bool wantsGradient() const { return dX_ || dWeight_ || dBias_; }
  float* losses() const { return scratch_ + plan.lossesAt(); }
  int32_t* labels() const { return reinterpret_cast<int32_t*>(scratch_ + plan.labelsAt()); }
  BlockSums sums(int worker) const {
    return BlockSums::in(scratch_ + plan.sumsAt() + worker * rowSumFloats(plan.v), plan.v);
  }

  // Calls fn(logits, row, worker) for every row; where a gradient is wanted, fn leaves it in place of the logits.
  template <typename Fn>
  void forEachRow(const Fn& fn) {
    for (int64_t begin = 0; begin < plan.n; begin += plan.block) {
      const int64_t rows = std::min(plan.block, plan.n - begin);
      logitsOf(begin, rows);
      parallelRowBlocks(rows, kGrain / std::max<int64_t>(plan.v, 1),
                        [&](int64_t i, int worker) { fn(scratch_ + i * plan.v, begin + i, worker); });
      if (dX_) addToX(begin, rows);
      if (dWeight_) addToWeight(begin, rows);
      if (dBias_) addToBias(begin, rows);
    }
    if (plan.n > 0) return;
    if (dWeight_) std::fill_n(dWeight_, plan.v * plan.k, 0.f);
    if (dBias_) std::fill_n(dBias_, plan.v, 0.f);
  }

 private:
  static float* output(const OpCall& call, const char* name) {
    return call.wants(name) ? call.out(name).f32() : nullptr;
  }

  MatrixView weight() const { return {weight_.f32(), weight_.strides[0], 1}; }
  MatrixView rowsOfX(int64_t begin) const { return {x_.f32() + begin * x_.strides[0], x_.strides[0], 1}; }
  MatrixView block() const { return {scratch_, plan.v, 1}; }

  void run(const Product& product) const {
    const GemmGrid grid = gridOf(product);
    parallelFor(grid.items(), [&](int64_t item, int worker) {
      multiplyItem(product, grid, item, scratch_ + plan.gemmAt() + worker * plan.gemmFloats);
    });
  }

  void logitsOf(int64_t begin, int64_t rows) const {
    Product product{
        .m = rows, .n = plan.v, .k = plan.k, .a = rowsOfX(begin), .b = weight().transposed(), .epilogue = {}};
    product.epilogue.y = scratch_, product.epilogue.stride = plan.v, product.epilogue.bias = bias_;
    run(product);
  }

  void addToX(int64_t begin, int64_t rows) const {
    Product product{.m = rows, .n = plan.k, .k = plan.v, .a = block(), .b = weight(), .epilogue = {}};
    product.epilogue.y = dX_ + begin * plan.k, product.epilogue.stride = plan.k;
    run(product);
  }

  void addToWeight(int64_t begin, int64_t rows) const {
    // One block of the product's depth: so y is written once, after it was read as c.
    static_assert(tokenBlock(1 << 30, 1) <= kDepthPackingA);
    Product product{
        .m = plan.v, .n = plan.k, .k = rows, .a = block().transposed(), .b = rowsOfX(begin), .epilogue = {}};
    product.epilogue.y = dWeight_, product.epilogue.stride = plan.k;
    if (begin > 0) product.epilogue.c = dWeight_, product.epilogue.beta = 1;
    run(product);
  }

  void addToBias(int64_t begin, int64_t rows) const {
    parallelBlocks(plan.v, kBiasColumns, [&](int64_t first, int64_t last) {
      if (begin == 0) std::fill(dBias_ + first, dBias_ + last, 0.f);
      for (int64_t i = 0; i < rows; ++i) {
        const float* g = scratch_ + i * plan.v;
        for (int64_t c = first; c < last; c += VecF::kLanes) {
          const int64_t n = std::min<int64_t>(last - c, VecF::kLanes);
          (VecF::load(dBias_ + c, n) + VecF::load(g + c, n)).store(dBias_ + c, n);
        }
      }
    });
  }

  float* const scratch_;
  const TensorArg &x_, &weight_;
  const float* const bias_;
  float *const dX_, *const dWeight_, *const dBias_;
};

// The losses of a head's rows, and in place of the logits their gradients.
struct RowLosses {
  Labels labels;
  VocabLoss rule;
  float scale;            // of the reduction
  const float* upstream;  // of each row; null: 1
  float* losses;
  bool gradient;

  void operator()(float* l, int64_t i, const RowSum& row) const {
    losses[i] = float(rowLoss(rule, l, labels.v, labels.data[i], row));
    const float g = scale * labels.weight(i) * (upstream ? upstream[i] : 1.f);
    if (gradient) rowGradient(rule, l, labels.v, labels.data[i], row, g, l);
  }

  void skip(float* l, int64_t i) const {
    losses[i] = 0;
    if (gradient) std::fill_n(l, labels.v, 0.f);
  }
};

const float* optional(const OpCall& call, const char* name) { return call.has(name) ? call.in(name).f32() : nullptr; }

}  // namespace

void linearCrossEntropy(const OpCall& call) {
  LinearHead head(call);
  const int64_t n = head.plan.n, v = head.plan.v;
  const Labels labels{call.in("labels").i32(), optional(call, "weights"), n, v, call.integer("ignoreIndex")};
  labels.check(call.def.name);
  const Reduction reduction = Reduction(call.integer("reduction"));
  const RowLosses lossOf{
      .labels = labels,
      .rule = VocabLoss(call.number("labelSmoothing"), call.integer("smoothing") == 1, call.number("zLoss"), v),
      .scale = labels.scale(reduction),
      .upstream = optional(call, "dLoss"),
      .losses = reduction == Reduction::kNone ? call.out("loss").f32() : head.losses(),
      .gradient = head.wantsGradient()};
  head.forEachRow([&](float* l, int64_t i, int worker) {
    if (!labels.kept(i)) return lossOf.skip(l, i);
    lossOf(l, i, sumRow(l, v, 1.f, head.sums(worker)));
  });
  if (reduction != Reduction::kNone) *call.out("loss").f32() = labels.reduce(lossOf.losses, lossOf.scale);
}

void generatorObjective(const OpCall& call) {
  LinearHead head(call);
  const int64_t v = head.plan.v;
  const Replacement replacement(call);
  replacement.check(call.def.name, v);
  for (int64_t i = 0; i < replacement.m; ++i) head.labels()[i] = replacement.correct(i);
  // No label is negative, so none is ignored.
  const Labels labels{head.labels(), optional(call, "weights"), replacement.m, v, -1};
  const RowLosses lossOf{.labels = labels,
                         .rule = VocabLoss(0, false, 0, v),
                         .scale = labels.scale(Reduction::kWeighted),
                         .upstream = nullptr,
                         .losses = head.losses(),
                         .gradient = head.wantsGradient()};
  const TokenSampler sampler(call);
  int32_t* sampled = call.out("sampledIds").as<int32_t>();
  head.forEachRow([&](float* l, int64_t i, int worker) {
    const BlockSums sums = head.sums(worker);
    const RowSum row = sumRow(l, v, 1.f, sums);
    if (sampler.inverseTemperature != 1.f) sumBlocks(l, v, sampler.inverseTemperature, sums);
    sampled[i] = sampler.draw(l, v, i, labels.data[i], sums);
    labels.kept(i) ? lossOf(l, i, row) : lossOf.skip(l, i);
  });
  replacement.write(call.def.name, sampled, call.out("corruptedIds").as<int32_t>(),
                    call.out("isReplaced").as<uint8_t>());
  *call.out("loss").f32() = labels.reduce(lossOf.losses, lossOf.scale);
}

}  // namespace duo::cpu::DUO_ISA
