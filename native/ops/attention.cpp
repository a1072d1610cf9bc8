// Fused attention: O = softmax(scale·Q·Kᵀ + bias)·V over packed sequences, and its gradients.
// Dao 2023, FlashAttention-2. arXiv:2307.08691. The biases: DESIGN §4.
#include "ops/attention.h"

#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/families.h"

namespace duo {

void expectOffsets(const OpCall& call, const char* name, int64_t rows) {
  const auto offsets = call.host(name);
  const std::string expected = std::string(name) + " from 0 to " + std::to_string(rows) + " without a step down";
  call.expect(!offsets.empty(), ErrorCode::kShape, expected, "no offsets");
  call.expect(offsets.front() == 0, ErrorCode::kShape, expected, std::to_string(offsets.front()) + " first");
  for (size_t i = 1; i < offsets.size(); ++i) {
    call.expect(offsets[i] >= offsets[i - 1], ErrorCode::kShape, expected,
                std::to_string(offsets[i - 1]) + ", " + std::to_string(offsets[i]) + " at " + std::to_string(i));
  }
  call.expect(offsets.back() == rows, ErrorCode::kShape, expected, std::to_string(offsets.back()) + " last");
}

void expectBuckets(const OpCall& call) {
  if (!call.has("biasTable")) return;
  const RelativePositionRule rule{call.dim("numBuckets"), call.flag("bidirectional"), call.integer("maxDistance")};
  call.expect(rule.valid(), ErrorCode::kConfig,
              std::string("numBuckets of at least ") + (rule.bidirectional ? "4" : "2") +
                  ", and maxDistance beyond the buckets of a single distance",
              std::to_string(rule.numBuckets) + " and " + std::to_string(rule.maxDistance));
}

double visiblePairs(int64_t queries, int64_t keys, bool causal) {
  if (!causal) return double(queries) * double(keys);
  const int64_t seeing = std::min(queries, keys);
  return double(seeing) * double(2 * keys - seeing + 1) / 2;
}

namespace {

int64_t longest(std::span<const int32_t> offsets) {
  int64_t length = 0;
  for (size_t i = 1; i < offsets.size(); ++i) length = std::max<int64_t>(length, offsets[i] - offsets[i - 1]);
  return length;
}

void checkDense(const OpCall& call) {
  const Dims& dims = call.in("biasDense").dims;
  const auto offsetsQ = call.host("cuSeqlensQ"), offsetsK = call.host("cuSeqlensK");
  const int64_t batch = int64_t(offsetsQ.size()) - 1;
  const Dims needed = {dims[0] == 1 ? 1 : batch, call.dim("H"), longest(offsetsQ), longest(offsetsK)};
  call.expect(dims[0] == needed[0] && dims[2] >= needed[2] && dims[3] >= needed[3], ErrorCode::kShape,
              "biasDense (1 or " + std::to_string(batch) + ", H, Tq, Tk) of at least " + needed.text(), dims.text());
}

void check(const OpCall& call) {
  expectOffsets(call, "cuSeqlensQ", call.dim("Nq"));
  expectOffsets(call, "cuSeqlensK", call.dim("Nk"));
  call.expect(call.has("positionsQ") == call.has("positionsK"), ErrorCode::kState,
              "positions of both queries and keys, or of neither", "one of them");
  call.expect(longest(call.host("cuSeqlensK")) <= cpu::kMaxPositions, ErrorCode::kShape, "at most 1048576 keys",
              std::to_string(longest(call.host("cuSeqlensK"))));
  expectBuckets(call);
  if (call.has("biasDense")) checkDense(call);
}

void checkBwd(const OpCall& call) {
  check(call);
  call.expect(!call.flag("wantTable") || call.has("biasTable"), ErrorCode::kState, "biasTable with wantTable", "none");
  call.expect(!call.flag("wantDense") || call.has("biasDense"), ErrorCode::kState, "biasDense with wantDense", "none");
}

std::vector<OutputShape> gradientShapes(const OpCall& call) {
  const auto like = [&](const char* name) { return OutputShape{call.in(name).dims, call.in(name).dtype}; };
  const auto optional = [&](const char* name, const char* wanted) {
    return call.flag(wanted) ? OutputShape{call.in(name).dims} : OutputShape{{}, DType::kFloat32, false};
  };
  return {like("q"), like("k"), like("v"), optional("biasTable", "wantTable"), optional("biasDense", "wantDense")};
}

// `products` of D long each a pair and head. Where positions say what a causal query sees, only the device knows them:
// all pairs are counted.
double flopsOf(const OpCall& call, int products) {
  const auto offsetsQ = call.host("cuSeqlensQ"), offsetsK = call.host("cuSeqlensK");
  const bool causal = call.flag("causal") && !call.has("positionsQ");
  double pairs = 0;
  for (size_t b = 1; b < offsetsQ.size(); ++b) {
    pairs += visiblePairs(offsetsQ[b] - offsetsQ[b - 1], offsetsK[b] - offsetsK[b - 1], causal);
  }
  return 2. * products * double(call.dim("H") * call.dim("D")) * pairs;
}

double forwardFlops(const OpCall& call) { return flopsOf(call, 2); }  // Q·Kᵀ, P·V
double backwardFlops(const OpCall& call) { return flopsOf(call, 5); }  // Q·Kᵀ again, Pᵀ·dO, dO·Vᵀ, dS·K, dSᵀ·Q

std::vector<InputSpec> inputs() {
  return {
      {"q", "Nq H D", Kind::kFloat, Layout::kRows},
      {"k", "Nk H D", Kind::kFloat, Layout::kRows},
      {"v", "Nk H D", Kind::kFloat, Layout::kRows},
      {.name = "cuSeqlensQ", .dims = "B+1", .kind = Kind::kInt32, .host = true},
      {.name = "cuSeqlensK", .dims = "B+1", .kind = Kind::kInt32, .host = true},
      {.name = "positionsQ", .dims = "Nq", .kind = Kind::kInt32, .optional = true},
      {.name = "positionsK", .dims = "Nk", .kind = Kind::kInt32, .optional = true},
      {.name = "biasTable", .dims = "numBuckets H", .optional = true},
      {.name = "biasDense", .dims = "batch H Tq Tk", .optional = true},
  };
}

constexpr double kMaxSeed = 9007199254740991.0, kMaxWord = 4294967295.0;

std::vector<AttrSpec> attrs() {
  return {
      {"scale", AttrType::kFloat, 1},           {"causal", AttrType::kBool, 0},
      {"bidirectional", AttrType::kBool, 1},    {"maxDistance", AttrType::kInt, 128, 1, double(cpu::kMaxPositions)},
      {"dropoutP", AttrType::kFloat, 0, 0, 1},  {"seed", AttrType::kInt, 0, 0, kMaxSeed},
      {"site", AttrType::kInt, 0, 0, kMaxWord}, {"step", AttrType::kInt, 0, 0, kMaxWord},
  };
}

}  // namespace

void registerAttention(std::vector<OpDef>& ops) {
  ops.push_back({
      .name = "attentionFwd",
      .inputs = inputs(),
      .attrs = attrs(),
      // lse: log of the sum of exponentials of each row, natural; backward rebuilds the probabilities from it
      .outputs = {{"o", "Nq H D", "q"}, {"lse", "H Nq"}},
      .check = check,
      .workspace = cpu::attentionFwdBytes,
      .flops = forwardFlops,
      .cpu = cpu::attentionFwd,
      .cuda = cuda::attentionFwd,
  });

  std::vector<InputSpec> saved = inputs();
  saved.push_back({"o", "Nq H D", Kind::kFloat, Layout::kRows});
  saved.push_back({"lse", "H Nq", Kind::kFloat32});
  saved.push_back({"dO", "Nq H D", Kind::kFloat, Layout::kRows});
  std::vector<AttrSpec> wants = attrs();
  wants.push_back({"wantTable", AttrType::kBool, 0});
  wants.push_back({"wantDense", AttrType::kBool, 0});
  ops.push_back({
      .name = "attentionBwd",
      .inputs = saved,
      .attrs = wants,
      .outputs =
          {{"dQ"}, {"dK"}, {"dV"}, {.name = "dBiasTable", .optional = true}, {.name = "dBiasDense", .optional = true}},
      .check = checkBwd,
      .shapes = gradientShapes,
      .workspace = cpu::attentionBwdBytes,
      .flops = backwardFlops,
      .cpu = cpu::attentionBwd,
      .cuda = cuda::attentionBwd,
  });
}

}  // namespace duo
