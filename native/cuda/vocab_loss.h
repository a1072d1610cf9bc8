// What the launchers of losses over a vocabulary share.
#pragma once
#include "cuda/kernels/vocab_params.h"
#include "cuda/launch.h"

namespace duo::cuda {

constexpr unsigned kVocabThreads = 256;
enum class LossReduction { kMean, kSum, kNone, kWeighted };

// Dynamic shared memory of a block that goes over a row of `v` logits.
size_t vocabShared(int64_t v);

// The rows and the rule of a cross-entropy call, without what is read and written.
VocabRows vocabRowsOf(const Launch& launch, int64_t rows, int64_t v);
VocabRule vocabRuleOf(const OpCall& call, int64_t v);
VocabDraw vocabDrawOf(const OpCall& call);

// Queues: scale = what the reduction multiplies rows with.
void findScale(Launch& launch, DType type, const VocabRows& rows, LossReduction reduction, float* scale);
// Queues: loss = the reduction of rows.losses.
void addLosses(Launch& launch, DType type, const VocabRows& rows, void* loss);

// Labels of the draws' rows, and the last draw of each replaced token.
void replacementLabels(Launch& launch, const VocabDraw& draw, int64_t rows, int64_t v, int32_t* labels,
                       int32_t* owners);
void writeReplacements(Launch& launch, const VocabDraw& draw, const int32_t* owners);

}  // namespace duo::cuda
