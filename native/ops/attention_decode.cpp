// The decode form of attention: a cache (slot, H, maxLen, D) of keys and values that grows by a few rows at a time, and
// a few query rows of each active sequence against it. Slots, lengths and offsets have host copies: how work is cut
// never waits for a device.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/attention.h"
#include "ops/families.h"

namespace duo {
namespace {

InputSpec hostInts(const char* name, const char* dims) {
  return {.name = name, .dims = dims, .kind = Kind::kInt32, .host = true};
}

// Where the rows of a call live in the cache: sequence i has rows [cuSeqlens[i], cuSeqlens[i + 1]) and slot slots[i],
// in which lengths[i] keys count, the new ones included.
void expectCacheRows(const OpCall& call) {
  expectOffsets(call, "cuSeqlens", call.dim("N"));
  const auto offsets = call.host("cuSeqlens"), slots = call.host("slots"), lengths = call.host("lengths");
  call.expect(offsets.size() == slots.size() + 1, ErrorCode::kShape,
              "cuSeqlens (" + std::to_string(slots.size() + 1) + ")", call.in("cuSeqlens").dims.text());
  const auto expectBelow = [&](const char* name, std::span<const int32_t> values, int64_t end) {
    for (size_t i = 0; i < values.size(); ++i) {
      call.expect(values[i] >= 0 && values[i] < end, ErrorCode::kIndex,
                  std::string(name) + " in [0, " + std::to_string(end) + ")",
                  std::to_string(values[i]) + " at " + std::to_string(i));
    }
  };
  expectBelow("slots", slots, call.dim("S"));
  expectBelow("lengths", lengths, call.dim("L") + 1);
}

void checkAppend(const OpCall& call) {
  expectCacheRows(call);
  for (const char* name : {"cacheK", "cacheV"}) {
    const TensorArg& cache = call.in(name);
    call.expect(cache.count() == 0 || cache.dims[3] == 1 || cache.strides[3] == 1, ErrorCode::kShape,
                std::string(name) + " with a dense last dimension", "a strided view");
  }
  const auto offsets = call.host("cuSeqlens"), slots = call.host("slots"), lengths = call.host("lengths");
  std::vector<bool> taken(size_t(call.dim("S")));
  for (size_t i = 0; i < slots.size(); ++i) {
    const int64_t rows = offsets[i + 1] - offsets[i];
    call.expect(lengths[i] >= rows, ErrorCode::kIndex, "lengths that include the new rows",
                std::to_string(lengths[i]) + " for " + std::to_string(rows) + " rows at " + std::to_string(i));
    call.expect(!taken[size_t(slots[i])], ErrorCode::kIndex, "each slot once", std::to_string(slots[i]) + " twice");
    taken[size_t(slots[i])] = true;
  }
}

void checkDecode(const OpCall& call) {
  expectCacheRows(call);
  expectBuckets(call);
}

double decodeFlops(const OpCall& call) {
  const auto offsets = call.host("cuSeqlens"), lengths = call.host("lengths");
  double pairs = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    pairs += visiblePairs(offsets[i + 1] - offsets[i], lengths[i], call.flag("causal"));
  }
  return 4. * double(call.dim("H") * call.dim("D")) * pairs;
}

}  // namespace

void registerAttentionDecode(std::vector<OpDef>& ops) {
  const auto cache = [](const char* name, bool mutated) {
    return InputSpec{.name = name,
                     .dims = "S H L D",
                     .kind = Kind::kFloat32,
                     .layout = mutated ? Layout::kStrided : Layout::kRows,
                     .mutated = mutated};
  };
  ops.push_back({
      .name = "kvCacheAppend",  // cache[slot, h, t] = row h of the new token at position t, for keys and values
      .inputs = {cache("cacheK", true),
                 cache("cacheV", true),
                 {"k", "N H D", Kind::kFloat, Layout::kRows},
                 {"v", "N H D", Kind::kFloat, Layout::kRows},
                 hostInts("cuSeqlens", "n+1"),
                 hostInts("slots", "n"),
                 hostInts("lengths", "n")},
      .check = checkAppend,
      .cpu = cpu::kvCacheAppend,
      .cuda = cuda::kvCacheAppend,
  });
  ops.push_back({
      // softmax(scale·Q·Kᵀ + bias)·V of each sequence's rows with the first lengths[i] keys of its slot. Where there is
      // a slotTable, key t of slot s lies in slot slotTable[s, t]: beams that were continued without copying.
      .name = "attentionDecode",
      .inputs = {{"q", "N H D", Kind::kFloat, Layout::kRows},
                 cache("cacheK", false),
                 cache("cacheV", false),
                 hostInts("cuSeqlens", "n+1"),
                 hostInts("slots", "n"),
                 hostInts("lengths", "n"),
                 {.name = "slotTable", .dims = "S L", .kind = Kind::kInt32, .optional = true},
                 {.name = "biasTable", .dims = "numBuckets H", .optional = true}},
      .attrs = {{"scale", AttrType::kFloat, 1},
                {"causal", AttrType::kBool, 0},
                {"bidirectional", AttrType::kBool, 1},
                {"maxDistance", AttrType::kInt, 128, 1, double(cpu::kMaxPositions)}},
      .outputs = {{"o", "N H D", "q"}},
      .check = checkDecode,
      .workspace = cpu::attentionDecodeBytes,
      .flops = decodeFlops,
      .cpu = cpu::attentionDecode,
      .cuda = cuda::attentionDecode,
  });
  ops.push_back({
      // A slotTable after sequences continued others: sequence i, now in slots[i], sees the first lengths[i] keys that
      // the one in before[rows[i]] saw; all others of its line are its own slot's. Lines of other slots stay.
      .name = "continueSlots",
      .inputs = {{"slotTable", "S L", Kind::kInt32},
                 {"before", "m", Kind::kInt32},
                 {"rows", "n", Kind::kInt32},
                 {"slots", "n", Kind::kInt32},
                 {"lengths", "n", Kind::kInt32}},
      .outputs = {{.name = "y", .dims = "S L", .dtype = DType::kInt32}},
      .cpu = cpu::continueSlots,
      .cuda = cuda::continueSlots,
  });
}

}  // namespace duo
