// replaceTokens from given logits (M, V); the draw is token_sampler.h's.
// Work:  a row is one thread's: partial sums of its blocks, then one block again.
// Bytes: reads 4·V a row, twice from cache; writes 5 for each of the N tokens.
#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "cpu/token_sampler.h"

namespace duo::cpu::DUO_ISA {

void replaceTokens(const OpCall& call) {
  const TensorArg& logits = call.in("logits");
  const int64_t v = call.dim("V");
  const Replacement replacement(call);
  replacement.check(call.def.name, v);
  const TokenSampler sampler(call);
  int32_t* sampled = call.out("sampledIds").as<int32_t>();
  constexpr int64_t kGrain = 16384;  // logits a thread takes at a time, at least a row
  parallelRowBlocks(replacement.m, kGrain / std::max<int64_t>(v, 1), [&](int64_t i, int worker) {
    const float* l = logits.f32() + i * logits.strides[0];
    const BlockSums sums = BlockSums::in(call.scratch<float>() + worker * rowSumFloats(v), v);
    sumBlocks(l, v, sampler.inverseTemperature, sums);
    sampled[i] = sampler.draw(l, v, i, replacement.correct(i), sums);
  });
  replacement.write(call.def.name, sampled, call.out("corruptedIds").as<int32_t>(),
                    call.out("isReplaced").as<uint8_t>());
}

}  // namespace duo::cpu::DUO_ISA
