// Every op that has a CUDA column, one line each: declares its launcher, and its workspace rule where it has one, and
// makes the column. How operands come is the second argument (column.h).
#pragma once
#include "cuda/column.h"

#define DUO_CUDA_KERNEL(name, operands) \
  namespace launchers {                 \
  void name(Launch&);                   \
  }                                     \
  inline constexpr Column name = {launchers::name, nullptr, Operands::operands};
#define DUO_CUDA_KERNEL_WITH_WORKSPACE(name, operands)    \
  namespace launchers {                                   \
  void name(Launch&);                                     \
  }                                                       \
  namespace workspaces {                                  \
  size_t name(const OpCall&, const Limits&);              \
  }                                                       \
  inline constexpr Column name = {launchers::name, workspaces::name, Operands::operands};

// clang-format off
namespace duo::cuda {

DUO_CUDA_KERNEL(binary, kNative)
DUO_CUDA_KERNEL(affine, kNative)
DUO_CUDA_KERNEL(fill, kNative)
DUO_CUDA_KERNEL(accumulate, kNative)
DUO_CUDA_KERNEL(scale, kFloat32)
DUO_CUDA_KERNEL(cast, kNative)

DUO_CUDA_KERNEL(unary, kNative)
DUO_CUDA_KERNEL(unaryBwd, kNative)
DUO_CUDA_KERNEL(gated, kNative)
DUO_CUDA_KERNEL(gatedBwd, kNative)
DUO_CUDA_KERNEL(softmax, kNative)
DUO_CUDA_KERNEL(softmaxBwd, kNative)
DUO_CUDA_KERNEL(dropout, kNative)
DUO_CUDA_KERNEL(rmsNorm, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(rmsNormBwd, kNative)
DUO_CUDA_KERNEL(layerNorm, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(layerNormBwd, kNative)

DUO_CUDA_KERNEL_WITH_WORKSPACE(reduce, kFloat32)
DUO_CUDA_KERNEL(maxBwd, kFloat32)

DUO_CUDA_KERNEL(embedding, kNative)
DUO_CUDA_KERNEL(gatherRows, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(scatterRows, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(addRows, kFloat32)
DUO_CUDA_KERNEL(concat, kNative)

DUO_CUDA_KERNEL_WITH_WORKSPACE(crossEntropyFwd, kNative)
DUO_CUDA_KERNEL(crossEntropyBwd, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(linearCrossEntropy, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(bceWithLogits, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(rtdLoss, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(replaceTokens, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(generatorObjective, kNative)

DUO_CUDA_KERNEL_WITH_WORKSPACE(sgd, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(adagrad, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(adamw, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(adafactor, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(globalNorm, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(clipByGlobalNorm, kFloat32)

DUO_CUDA_KERNEL(argmax, kFloat32)
DUO_CUDA_KERNEL(topK, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(sampleCategorical, kFloat32)
DUO_CUDA_KERNEL(beamCandidates, kFloat32)
DUO_CUDA_KERNEL(runningBeams, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(sampleCandidates, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(warpLogits, kFloat32)

DUO_CUDA_KERNEL(penalizeRepetition, kFloat32)
DUO_CUDA_KERNEL(banRepeatedNgrams, kFloat32)
DUO_CUDA_KERNEL(banTokens, kFloat32)
DUO_CUDA_KERNEL(biasTokens, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(allowTokens, kFloat32)
DUO_CUDA_KERNEL_WITH_WORKSPACE(forceTokens, kFloat32)
DUO_CUDA_KERNEL(boostTokens, kFloat32)
DUO_CUDA_KERNEL(replaceNonFinite, kFloat32)

DUO_CUDA_KERNEL_WITH_WORKSPACE(gemm, kNative)
DUO_CUDA_KERNEL(gemmPack, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(gemmEpilogueBwd, kNative)

DUO_CUDA_KERNEL_WITH_WORKSPACE(attentionFwd, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(attentionBwd, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(attentionDecode, kNative)
DUO_CUDA_KERNEL_WITH_WORKSPACE(kvCacheAppend, kNative)
DUO_CUDA_KERNEL(continueSlots, kNative)

}  // namespace duo::cuda
