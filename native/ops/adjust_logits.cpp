// Changes to the logits of listed tokens. Rows are sequences (batch × beams), columns the vocabulary. Semantics:
// Hugging Face's logits processors.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

InputSpec logits() { return {"logits", "R V", Kind::kFloat, Layout::kRows}; }
InputSpec list(const char* name) { return {name, "K", Kind::kInt32}; }
InputSpec lengths(const char* name) { return {.name = name, .dims = "R", .kind = Kind::kInt32, .optional = true}; }

void checkGroups(const OpCall& call) {
  const int64_t rows = call.dim("R"), group = call.integer("group");
  call.expect(rows % group == 0, ErrorCode::kShape, "rows in groups of " + std::to_string(group), std::to_string(rows));
}

// A mark for each group.
size_t groupBytes(const OpCall& call) { return size_t(call.dim("R") / call.integer("group")); }

}  // namespace

void registerAdjustLogits(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "penalizeRepetition",  // logits of the row's ids times penalty below 0, divided by it from 0
      .inputs = {logits(), {"ids", "R L", Kind::kInt32}, lengths("lengths")},
      .attrs = {{"penalty", AttrType::kFloat, std::nullopt, 1e-30, 1e30}},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::penalizeRepetition,
      .cuda = cuda::penalizeRepetition,
  });
  ops.push_back({
      .name = "banRepeatedNgrams",  // -inf for tokens that would complete an n-gram of sources (else of ids)
      .inputs = {logits(),
                 {"ids", "R L", Kind::kInt32},
                 lengths("lengths"),
                 {.name = "sources", .dims = "R S", .kind = Kind::kInt32, .optional = true},
                 lengths("sourceLengths")},
      .attrs = {{"n", AttrType::kInt, std::nullopt, 1}},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::banRepeatedNgrams,
      .cuda = cuda::banRepeatedNgrams,
  });
  ops.push_back({
      .name = "banTokens",  // -inf for the tokens, in every row
      .inputs = {logits(), {"tokens", "K", Kind::kInt32}},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::banTokens,
      .cuda = cuda::banTokens,
  });
  ops.push_back({
      .name = "biasTokens",  // adds bias[i] to the score of tokens[i] in row rows[i]
      .inputs = {logits(), list("rows"), list("tokens"), {"bias", "K", Kind::kFloat32}},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::biasTokens,
      .cuda = cuda::biasTokens,
  });
  ops.push_back({
      .name = "allowTokens",  // -inf for all but the listed; those become 0 in groups of rows where all are -inf
      .inputs = {logits(), list("rows"), list("tokens")},
      .attrs = {{"group", AttrType::kInt, 1, 1}},
      .outputs = {{"scores", "R V"}},
      .check = checkGroups,
      .workspace = groupBytes,
      .cpu = cpu::allowTokens,
      .cuda = cuda::allowTokens,
  });
  ops.push_back({
      .name = "forceTokens",  // in the listed rows: 0 for the tokens, -inf for all others
      .inputs = {logits(), list("rows"), list("tokens")},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::forceTokens,
      .cuda = cuda::forceTokens,
  });
  ops.push_back({
      .name = "boostTokens",  // l + factors[i]·|l| for tokens[i] in row rows[i]
      .inputs = {logits(), list("rows"), list("tokens"), {"factors", "K", Kind::kFloat32}},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::boostTokens,
      .cuda = cuda::boostTokens,
  });
  ops.push_back({
      .name = "replaceNonFinite",  // 0 for NaN, the largest finite values for infinities
      .inputs = {logits()},
      .outputs = {{"scores", "R V"}},
      .cpu = cpu::replaceNonFinite,
      .cuda = cuda::replaceNonFinite,
  });
}

}  // namespace duo
