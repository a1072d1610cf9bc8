// Every CPU kernel, one line each: declares it in the namespace of each instruction set and makes its registry column.
#pragma once
#include "cpu/attention_plan.h"
#include "cpu/column.h"
#include "cpu/decode_plan.h"
#include "cpu/gemm/plan.h"
#include "cpu/linear_argmax_plan.h"
#include "cpu/sparse_linear_plan.h"

#if defined(__x86_64__)
#define DUO_CPU_KERNEL(name) \
  namespace scalar {         \
  void name(const OpCall&);  \
  }                          \
  namespace avx2 {           \
  void name(const OpCall&);  \
  }                          \
  namespace avx512 {         \
  void name(const OpCall&);  \
  }                          \
  inline constexpr Column name = {{scalar::name, avx2::name, avx512::name, nullptr}};
#elif defined(__aarch64__)
#define DUO_CPU_KERNEL(name) \
  namespace scalar {         \
  void name(const OpCall&);  \
  }                          \
  namespace neon {           \
  void name(const OpCall&);  \
  }                          \
  inline constexpr Column name = {{scalar::name, nullptr, nullptr, neon::name}};
#endif

// clang-format off
namespace duo::cpu {

DUO_CPU_KERNEL(attentionBwd)
DUO_CPU_KERNEL(attentionFwd)
DUO_CPU_KERNEL(attentionDecode) DUO_CPU_KERNEL(kvCacheAppend) DUO_CPU_KERNEL(continueSlots)
DUO_CPU_KERNEL(binary)
DUO_CPU_KERNEL(affine)
DUO_CPU_KERNEL(fill)
DUO_CPU_KERNEL(accumulate)
DUO_CPU_KERNEL(scale)
DUO_CPU_KERNEL(cast)
DUO_CPU_KERNEL(reduce)
DUO_CPU_KERNEL(maxBwd)
DUO_CPU_KERNEL(unary)
DUO_CPU_KERNEL(unaryBwd)
DUO_CPU_KERNEL(gated)
DUO_CPU_KERNEL(gatedBwd)
DUO_CPU_KERNEL(dropout)
DUO_CPU_KERNEL(gemm) DUO_CPU_KERNEL(gemmPack) DUO_CPU_KERNEL(gemmEpilogueBwd)
DUO_CPU_KERNEL(linearArgmax) DUO_CPU_KERNEL(screenWeight) DUO_CPU_KERNEL(sparseLinear)
DUO_CPU_KERNEL(crossEntropyFwd)
DUO_CPU_KERNEL(crossEntropyBwd)
DUO_CPU_KERNEL(linearCrossEntropy)
DUO_CPU_KERNEL(bceWithLogits)
DUO_CPU_KERNEL(rtdLoss)
DUO_CPU_KERNEL(replaceTokens)
DUO_CPU_KERNEL(generatorObjective)
DUO_CPU_KERNEL(sgd)
DUO_CPU_KERNEL(adagrad)
DUO_CPU_KERNEL(adamw)
DUO_CPU_KERNEL(adafactor)
DUO_CPU_KERNEL(globalNorm)
DUO_CPU_KERNEL(clipByGlobalNorm)
DUO_CPU_KERNEL(rmsNorm)
DUO_CPU_KERNEL(rmsNormBwd)
DUO_CPU_KERNEL(layerNorm)
DUO_CPU_KERNEL(layerNormBwd)
DUO_CPU_KERNEL(softmax)
DUO_CPU_KERNEL(softmaxBwd)
DUO_CPU_KERNEL(embedding)
DUO_CPU_KERNEL(gatherRows)
DUO_CPU_KERNEL(scatterRows)
DUO_CPU_KERNEL(addRows)
DUO_CPU_KERNEL(concat)
DUO_CPU_KERNEL(argmax)
DUO_CPU_KERNEL(topK)
DUO_CPU_KERNEL(sampleCategorical)
DUO_CPU_KERNEL(beamCandidates)
DUO_CPU_KERNEL(runningBeams)
DUO_CPU_KERNEL(warpLogits)
DUO_CPU_KERNEL(penalizeRepetition)
DUO_CPU_KERNEL(banRepeatedNgrams)
DUO_CPU_KERNEL(banTokens)
DUO_CPU_KERNEL(sampleCandidates)
DUO_CPU_KERNEL(biasTokens)
DUO_CPU_KERNEL(allowTokens)
DUO_CPU_KERNEL(forceTokens)
DUO_CPU_KERNEL(boostTokens)
DUO_CPU_KERNEL(replaceNonFinite)

}  // namespace duo::cpu
