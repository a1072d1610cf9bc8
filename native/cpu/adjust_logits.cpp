// Changes to the logits of tokens that the caller lists: penalties, bans, biases, and lists of what alone is allowed. A
// banned token's score is -inf. One thread a row.
// Semantics of Hugging Face's logits processors. Repetition penalty: Keskar et al. 2019, arXiv:1909.05858.
#include <algorithm>
#include <limits>

#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const float* rowOf(const TensorArg& logits, int64_t row) { return logits.f32() + row * logits.strides[0]; }

// Ids (R, L) of which the first lengths[row] count; all of them without lengths.
struct Sequences {
  const int32_t *ids, *lengths;
  int64_t columns;

  Sequences(const OpCall& call, const char* idsName, const char* lengthsName)
      : ids(call.in(idsName).i32()), lengths(call.in(lengthsName).i32()), columns(call.in(idsName).dims.back()) {
    for (int64_t row = 0; lengths && row < call.dim("R"); ++row) {
      if (lengths[row] >= 0 && lengths[row] <= columns) continue;
      fail(ErrorCode::kIndex, call.def.name, std::string(lengthsName) + " in [0, " + std::to_string(columns) + "]",
           std::to_string(lengths[row]) + " at row " + std::to_string(row));
    }
  }
  std::span<const int32_t> operator[](int64_t row) const {
    return {ids + row * columns, size_t(lengths ? lengths[row] : columns)};
  }
  // Only tokens that were used as columns must be columns.
  void expectTokens(const OpCall& call, const char* name) const {
    for (int64_t row = 0; row < call.dim("R"); ++row) {
      for (const int32_t id : (*this)[row]) expectToken(call, name, id, row);
    }
  }
  static void expectToken(const OpCall& call, const char* name, int32_t id, int64_t row) {
    if (id >= 0 && id < call.dim("V")) return;
    fail(ErrorCode::kIndex, call.def.name, std::string(name) + " in [0, " + std::to_string(call.dim("V")) + ")",
         std::to_string(id) + " at row " + std::to_string(row));
  }
};

// Calls change(logits, scores, row) on a copy of every row.
template <typename Change>
void copyRows(const OpCall& call, const Change& change) {
  const int64_t v = call.dim("V");
  parallelFor(call.dim("R"), [&](int64_t row, int) {
    float* y = call.out("scores").f32() + row * v;
    const float* l = rowOf(call.in("logits"), row);
    std::copy_n(l, v, y);
    change(l, y, row);
  });
}

// The tokens (K), and where the op lists them by row the rows (K), all in range.
struct Listed {
  std::span<const int32_t> rows, tokens;

  explicit Listed(const OpCall& call, bool byRow) {
    const size_t count = size_t(call.in("tokens").count());
    tokens = {call.in("tokens").i32(), count};
    for (size_t i = 0; i < count; ++i) Sequences::expectToken(call, "tokens", tokens[i], int64_t(i));
    if (!byRow) return;
    rows = {call.in("rows").i32(), count};
    for (size_t i = 0; i < count; ++i) {
      if (rows[i] >= 0 && rows[i] < call.dim("R")) continue;
      fail(ErrorCode::kIndex, call.def.name, "rows in [0, " + std::to_string(call.dim("R")) + ")",
           std::to_string(rows[i]) + " at " + std::to_string(i));
    }
  }
};

}  // namespace

void penalizeRepetition(const OpCall& call) {
  const Sequences sequences(call, "ids", "lengths");
  sequences.expectTokens(call, "ids");
  const float penalty = call.f32("penalty");
  copyRows(call, [&](const float* l, float* y, int64_t row) {
    // From the logits, not from the scores: an id that comes twice is penalised once.
    for (const int32_t id : sequences[row]) y[id] = l[id] < 0 ? l[id] * penalty : l[id] / penalty;
  });
}

void banRepeatedNgrams(const OpCall& call) {
  const bool own = !call.has("sources");
  const Sequences sequences(call, "ids", "lengths");
  const Sequences sources = own ? sequences : Sequences(call, "sources", "sourceLengths");
  sources.expectTokens(call, own ? "ids" : "sources");
  const size_t n = size_t(call.integer("n"));
  copyRows(call, [&](const float*, float* y, int64_t row) {
    const auto ids = sequences[row], source = sources[row];
    if (ids.size() + 1 < n) return;
    const auto prefix = ids.last(n - 1);
    for (size_t i = 0; i + n <= source.size(); ++i) {
      if (std::equal(prefix.begin(), prefix.end(), source.begin() + i)) y[source[i + n - 1]] = -kInfinity;
    }
  });
}

void banTokens(const OpCall& call) {
  const Listed listed(call, false);
  copyRows(call, [&](const float*, float* y, int64_t) {
    for (const int32_t id : listed.tokens) y[id] = -kInfinity;
  });
}

void biasTokens(const OpCall& call) {
  const Listed listed(call, true);
  const float* bias = call.in("bias").f32();
  copyRows(call, [](const float*, float*, int64_t) {});
  float* y = call.out("scores").f32();
  // In the order of the list, which may name a token more than once.
  for (size_t i = 0; i < listed.rows.size(); ++i) y[listed.rows[i] * call.dim("V") + listed.tokens[i]] += bias[i];
}

void allowTokens(const OpCall& call) {
  const Listed listed(call, true);
  const int64_t rows = call.dim("R"), v = call.dim("V"), group = call.integer("group");
  float* y = call.out("scores").f32();
  std::fill_n(y, rows * v, -kInfinity);
  char* possible = call.scratch<char>();
  std::fill_n(possible, rows / group, char(0));
  for (size_t i = 0; i < listed.rows.size(); ++i) {
    const int64_t row = listed.rows[i], token = listed.tokens[i];
    const float score = rowOf(call.in("logits"), row)[token];
    y[row * v + token] = score;
    if (score != -kInfinity) possible[row / group] = 1;
  }
  for (size_t i = 0; i < listed.rows.size(); ++i) {
    if (!possible[listed.rows[i] / group]) y[listed.rows[i] * v + listed.tokens[i]] = 0;
  }
}

void forceTokens(const OpCall& call) {
  const Listed listed(call, true);
  const int64_t v = call.dim("V");
  copyRows(call, [](const float*, float*, int64_t) {});
  float* y = call.out("scores").f32();
  for (const int32_t row : listed.rows) std::fill_n(y + row * v, v, -kInfinity);
  for (size_t i = 0; i < listed.rows.size(); ++i) y[listed.rows[i] * v + listed.tokens[i]] = 0;
}

void boostTokens(const OpCall& call) {
  const Listed listed(call, true);
  const float* factors = call.in("factors").f32();
  copyRows(call, [](const float*, float*, int64_t) {});
  float* y = call.out("scores").f32();
  for (size_t i = 0; i < listed.rows.size(); ++i) {
    const float l = rowOf(call.in("logits"), listed.rows[i])[listed.tokens[i]];
    // What is banned stays so: −inf + inf would be a NaN.
    if (l != -kInfinity) y[listed.rows[i] * call.dim("V") + listed.tokens[i]] = l + std::fabs(l) * factors[i];
  }
}

void replaceNonFinite(const OpCall& call) {
  const VecF most = VecF::fill(std::numeric_limits<float>::max()),
             least = VecF::fill(std::numeric_limits<float>::lowest());
  const int64_t v = call.dim("V");
  parallelFor(call.dim("R"), [&](int64_t row, int) {
    const float* l = rowOf(call.in("logits"), row);
    float* y = call.out("scores").f32() + row * v;
    for (int64_t i = 0; i < v; i += VecF::kLanes) {
      const int64_t lanes = std::min<int64_t>(v - i, VecF::kLanes);
      const VecF x = VecF::load(l + i, lanes);
      select(isNaN(x), VecF::zero(), max(least, min(most, x))).store(y + i, lanes);
    }
  });
}

}  // namespace duo::cpu::DUO_ISA
