// crossEntropy over given logits; formulas in vocab_row.h.
//   forward:  a row is one pass over its logits in memory (blocks are read twice, from cache): reads 4·V, writes 8
//   bytes backward: reads 4·V and writes 4·V bytes a row
// Rows are independent; the sum over them is in their order.
#include "cpu/kernels.h"
#include "cpu/labels.h"
#include "cpu/strided.h"
#include "cpu/vocab_row.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // logits a thread takes at a time, at least a row

struct Problem {
  const TensorArg& logits;
  Labels labels;
  VocabLoss rule;
  Reduction reduction;

  explicit Problem(const OpCall& call)
      : logits(call.in("logits")),
        labels{call.in("labels").i32(), call.has("weights") ? call.in("weights").f32() : nullptr, call.dim("N"),
               call.dim("V"), call.integer("ignoreIndex")},
        rule(call.number("labelSmoothing"), call.integer("smoothing") == 1, call.number("zLoss"), call.dim("V")),
        reduction(Reduction(call.integer("reduction"))) {}

  const float* row(int64_t i) const { return logits.f32() + i * logits.strides[0]; }
};

}  // namespace

void crossEntropyFwd(const OpCall& call) {
  const Problem p(call);
  p.labels.check(call.def.name);
  const int64_t n = p.labels.n, v = p.labels.v;
  float* scratch = call.scratch<float>();
  float* rows = p.reduction == Reduction::kNone ? call.out("loss").f32() : scratch;
  float* lse = call.out("lse").f32();
  parallelRowBlocks(n, kGrain / std::max<int64_t>(v, 1), [&](int64_t i, int worker) {
    const bool kept = p.labels.kept(i);
    const BlockSums sums = BlockSums::in(scratch + n + worker * rowSumFloats(v), v);
    const RowSum row = kept ? sumRow(p.row(i), v, 1.f, sums) : RowSum{};
    lse[2 * i] = row.max, lse[2 * i + 1] = row.logSum;
    rows[i] = kept ? float(rowLoss(p.rule, p.row(i), v, p.labels.data[i], row)) : 0.f;
  });
  const float scale = p.labels.scale(p.reduction);
  *call.out("scale").f32() = scale;
  if (p.reduction != Reduction::kNone) *call.out("loss").f32() = p.labels.reduce(rows, scale);
}

void crossEntropyBwd(const OpCall& call) {
  const Problem p(call);
  const int64_t v = p.labels.v;
  const float* lse = call.in("lse").f32();
  const float* dLoss = call.in("dLoss").f32();
  const float scale = *call.in("scale").f32();
  const TensorArg& dLogits = call.out("dLogits");
  parallelRowBlocks(p.labels.n, kGrain / std::max<int64_t>(v, 1), [&](int64_t i, int) {
    float* d = dLogits.f32() + i * v;
    if (!p.labels.kept(i)) {
      std::fill_n(d, v, 0.f);
      return;
    }
    const float g = (p.reduction == Reduction::kNone ? dLoss[i] : dLoss[0] * scale) * p.labels.weight(i);
    rowGradient(p.rule, p.row(i), v, p.labels.data[i], {lse[2 * i], lse[2 * i + 1]}, g, d);
  });
}

}  // namespace duo::cpu::DUO_ISA
