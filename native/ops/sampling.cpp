// Choosing tokens: argmax, top-k, filters on logits, sampling, beam candidates. Rows are sequences (batch × beams),
// columns the vocabulary. Semantics of the filters: Hugging Face's logits warpers.
#include <cmath>
#include <limits>

#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {
namespace {

constexpr double kUint32 = 4294967295.0;
constexpr const char* kWithoutNaN = "logits without NaN";
constexpr const char* kSumsWithoutNaN = "logits and beamScores without NaN";

InputSpec logits() { return {"logits", "R V", Kind::kFloat, Layout::kRows}; }
InputSpec streams(const char* dims) {
  return {.name = "streams", .dims = dims, .kind = Kind::kInt32, .optional = true};
}
std::vector<AttrSpec> drawAttrs(std::vector<AttrSpec> attrs = {}) {
  attrs.push_back({"seed", AttrType::kInt, std::nullopt, 0});
  attrs.push_back({"site", AttrType::kInt, 0, 0, kUint32});
  attrs.push_back({"step", AttrType::kInt, 0, 0, kUint32});
  return attrs;
}

void expectVocabulary(const OpCall& call) {
  call.expect(call.dim("V") > 0, ErrorCode::kShape, "at least one column", call.in("logits").dims.text());
}

std::vector<OutputShape> topKShapes(const OpCall& call) {
  const int64_t rows = call.dim("R"), k = call.integer("k");
  call.expect(k <= call.dim("V"), ErrorCode::kConfig, "k of at most " + std::to_string(call.dim("V")),
              std::to_string(k));
  return {{{rows, k}}, {{rows, k}, DType::kInt32}};
}

size_t topKBytes(const OpCall& call) { return size_t(call.dim("R") * call.integer("k")) * sizeof(double); }

// Logits are those of the sentences' beams, one sentence after the other.
std::vector<OutputShape> beamShapes(const OpCall& call) {
  const auto [rows, sentences, beams, v, k] =
      std::array{call.dim("R"), call.dim("B"), call.dim("b"), call.dim("V"), call.integer("k")};
  call.expect(rows == sentences * beams, ErrorCode::kShape, std::to_string(sentences * beams) + " rows of logits",
              std::to_string(rows));
  call.expect(beams * v <= std::numeric_limits<int32_t>::max(), ErrorCode::kShape, "fewer than 2^31 candidates",
              std::to_string(beams * v));
  call.expect(k <= beams * v, ErrorCode::kConfig, "k of at most " + std::to_string(beams * v), std::to_string(k));
  const Dims dims = {sentences, k};
  return {{dims}, {dims, DType::kInt32}, {dims, DType::kInt32}};
}

size_t beamBytes(const OpCall& call) { return size_t(call.dim("B") * call.integer("k")) * sizeof(double); }

std::vector<OutputShape> runningShapes(const OpCall& call) {
  const int64_t sentences = call.dim("B"), beams = call.integer("beams");
  call.expect(beams <= call.dim("k"), ErrorCode::kConfig, "at most " + std::to_string(call.dim("k")) + " beams",
              std::to_string(beams));
  const Dims rows = {sentences * beams};
  return {{{sentences, beams}}, {rows, DType::kInt32}, {rows, DType::kInt32}};
}

size_t runningBytes(const OpCall& call) { return size_t(call.dim("B") * call.dim("k")) * sizeof(double); }

void checkWarp(const OpCall& call) {
  const double value = call.number("value");
  const auto expectValue = [&](bool condition, const char* expected) {
    call.expect(condition, ErrorCode::kConfig, std::string("value ") + expected, std::to_string(value));
  };
  switch (call.integer("rule")) {
    case 0: return expectValue(value > 0, "above 0 for temperature");
    case 1: return expectValue(value >= 1 && value == std::floor(value), "an integer of at least 1 for topK");
    default: return expectValue(value <= 1, "in [0, 1]");
  }
}

// A mark for each row, then for each thread the (key, id) pairs of one row.
size_t warpBytes(const OpCall& call) {
  const size_t marks = (size_t(call.dim("R")) + 7) / 8 * 8;
  return marks + size_t(cpu::scratchSlots()) * size_t(call.dim("V")) * sizeof(double);
}

}  // namespace

void registerSampling(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "argmax",  // id of each row's largest logit, of equal ones the lowest
      .inputs = {logits()},
      .outputs = {{.name = "ids", .dims = "R", .dtype = DType::kInt32}},
      .check = expectVocabulary,
      .usableRows = kWithoutNaN,
      .cpu = cpu::argmax,
      .cuda = cuda::argmax,
  });
  ops.push_back({
      .name = "topK",  // the k largest logits of each row, descending, of equal ones lower ids first
      .inputs = {logits()},
      .attrs = {{"k", AttrType::kInt, std::nullopt, 1}},
      .outputs = {{"values"}, {"ids"}},
      .shapes = topKShapes,
      .workspace = topKBytes,
      .usableRows = kWithoutNaN,
      .cpu = cpu::topK,
      .cuda = cuda::topK,
  });
  ops.push_back({
      .name = "sampleCategorical",  // an id of each row with the probabilities softmax(logits)
      .inputs = {logits(), streams("R")},
      .attrs = drawAttrs(),
      .outputs = {{.name = "ids", .dims = "R", .dtype = DType::kInt32}},
      .check = expectVocabulary,
      .usableRows = "logits that are finite or -inf, with at least one token to draw",
      .cpu = cpu::sampleCategorical,
      .cuda = cuda::sampleCategorical,
  });
  ops.push_back({
      .name = "beamCandidates",  // the k best continuations of each sentence by beamScores + logits
      .inputs = {logits(), {"beamScores", "B b", Kind::kFloat32}},
      .attrs = {{"k", AttrType::kInt, std::nullopt, 1}},
      .outputs = {{"scores"}, {"parents"}, {"tokens"}},
      .shapes = beamShapes,
      .workspace = beamBytes,
      .usableRows = kSumsWithoutNaN,
      .cpu = cpu::beamCandidates,
      .cuda = cuda::beamCandidates,
  });
  ops.push_back({
      .name = "sampleCandidates",  // k continuations of each sentence drawn without replacement, in their order
      .inputs = {logits(), {"beamScores", "B b", Kind::kFloat32}, streams("B")},
      .attrs = drawAttrs({{"k", AttrType::kInt, std::nullopt, 1}}),
      .outputs = {{"scores"}, {"parents"}, {"tokens"}},
      .shapes = beamShapes,
      .workspace = beamBytes,
      .usableRows = kSumsWithoutNaN,
      .cpu = cpu::sampleCandidates,
      .cuda = cuda::sampleCandidates,
  });
  ops.push_back({
      .name = "runningBeams",  // of each sentence's candidates the best that go on, those that end after all others
      .inputs = {{"scores", "B k", Kind::kFloat32},
                 {"parents", "B k", Kind::kInt32},
                 {"tokens", "B k", Kind::kInt32},
                 {"ends", "E", Kind::kInt32}},
      .attrs = {{"beams", AttrType::kInt, std::nullopt, 1}, {"demotion", AttrType::kFloat, std::nullopt}},
      .outputs = {{"beamScores"}, {"rows"}, {"running"}},
      .shapes = runningShapes,
      .workspace = runningBytes,
      .cpu = cpu::runningBeams,
      .cuda = cuda::runningBeams,
  });
  ops.push_back({
      .name = "warpLogits",  // logits with those that the rule removes at -inf; temperature divides
      .inputs = {logits()},
      .attrs = {{"rule",
                 AttrType::kEnum,
                 std::nullopt,
                 0,
                 0,
                 {"temperature", "topK", "topP", "minP", "typical", "epsilon", "eta", "topH"}},
                {"value", AttrType::kFloat, std::nullopt, 0},
                {"minTokensToKeep", AttrType::kInt, 1, 1}},
      .outputs = {{"scores", "R V"}},
      .check = checkWarp,
      .workspace = warpBytes,
      .usableRows = "logits that are finite or -inf",
      .cpu = cpu::warpLogits,
      .cuda = cuda::warpLogits,
  });
}

}  // namespace duo
