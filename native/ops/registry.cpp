#include "ops/registry.h"

#include <cmath>
#include <cstring>

#include "ops/families.h"

namespace duo {
namespace {

const TensorArg kAbsent;

template <typename Specs>
int indexOf(const Specs& specs, const char* name) {
  // The linker makes equal literals one in most cases.
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return int(i);
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (std::strcmp(specs[i].name, name) == 0) return int(i);
  }
  fail(ErrorCode::kState, "registry", "a declared name", name);
}

bool admits(Kind kind, DType dtype) {
  switch (kind) {
    case Kind::kFloat: return isFloat(dtype);
    case Kind::kStored: return isFloat(dtype);
    case Kind::kFloat32: return dtype == DType::kFloat32;
    case Kind::kInt32: return dtype == DType::kInt32;
    case Kind::kUint8: return dtype == DType::kUint8;
    case Kind::kAny: return true;
  }
  return false;
}

const char* nameOf(Kind kind) {
  switch (kind) {
    case Kind::kFloat: return "float32, float16 or bfloat16";
    case Kind::kStored: return "float32, float16 or bfloat16";
    case Kind::kFloat32: return "float32";
    case Kind::kInt32: return "int32";
    case Kind::kUint8: return "uint8";
    case Kind::kAny: return "any dtype";
  }
  return "";
}

struct Pattern {
  bool rest = false;                             // begins with "..."
  SmallVector<std::string_view, kMaxRank> dims;  // what follows
};

Pattern parse(const char* text) {
  Pattern pattern;
  for (std::string_view left = text; !left.empty();) {
    const size_t end = std::min(left.find(' '), left.size());
    const std::string_view token = left.substr(0, end);
    if (token == "...") {
      pattern.rest = true;
    } else if (!token.empty()) {
      pattern.dims.push_back(token);
    }
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return pattern;
}

std::optional<int64_t> valueOf(const OpCall& call, std::string_view symbol) {
  if (symbol[0] >= '0' && symbol[0] <= '9') return std::atoll(std::string(symbol).c_str());
  for (const auto& [name, value] : call.symbols) {
    if (name == symbol) return value;
  }
  return std::nullopt;
}

// "(Nk, 8, 64)": symbols that are not bound yet stay symbols.
std::string expectedText(const OpCall& call, const Pattern& pattern, bool restBound) {
  std::string text = "(";
  const auto append = [&](const std::string& part) { text += (text.size() > 1 ? ", " : "") + part; };
  if (pattern.rest && !restBound) append("...");
  if (pattern.rest && restBound) {
    for (const int64_t value : call.rest.span()) append(std::to_string(value));
  }
  for (const std::string_view symbol : pattern.dims) {
    const auto value = valueOf(call, symbol);
    append(value ? std::to_string(*value) : std::string(symbol));
  }
  return text + ")";
}

void bind(OpCall& call, const InputSpec& spec, const TensorArg& arg, bool& restBound) {
  if (std::strcmp(spec.dims, "*") == 0) return;
  const Pattern pattern = parse(spec.dims);
  const int fixed = int(pattern.dims.size()), rank = arg.dims.rank();
  const auto mismatch = [&] {
    fail(ErrorCode::kShape, call.def.name, std::string(spec.name) + " " + expectedText(call, pattern, restBound),
         arg.dims.text());
  };
  if (pattern.rest ? rank < fixed : rank != fixed) mismatch();
  if (pattern.rest) {
    const Dims rest(arg.dims.span().first(size_t(rank - fixed)));
    if (restBound && !(rest == call.rest)) mismatch();
    call.rest = rest;
    restBound = true;
  }
  for (int i = 0; i < fixed; ++i) {
    const int64_t size = arg.dims[rank - fixed + i];
    const auto value = valueOf(call, pattern.dims[i]);
    if (!value) {
      call.symbols.emplace_back(pattern.dims[i], size);
    } else if (*value != size) {
      mismatch();
    }
  }
}

Dims resolve(const OpCall& call, const char* dims) {
  const Pattern pattern = parse(dims);
  Dims result;
  if (pattern.rest) result = call.rest;
  for (const std::string_view symbol : pattern.dims) result.push(valueOf(call, symbol).value());
  return result;
}

void checkAttr(const OpCall& call, const AttrSpec& spec, double value) {
  const bool whole = spec.type != AttrType::kFloat;
  const double max = spec.type == AttrType::kBool   ? 1
                     : spec.type == AttrType::kEnum ? double(spec.choices.size()) - 1
                                                    : spec.max;
  const double min = spec.type == AttrType::kBool || spec.type == AttrType::kEnum ? 0 : spec.min;
  // Where every number will do (a fill value), so will NaN.
  const bool refusedNaN = std::isnan(value) && !std::isinf(min);
  if (refusedNaN || value < min || value > max || (whole && value != std::floor(value))) {
    char range[96];
    std::snprintf(range, sizeof range, " %s in [%g, %g]", whole ? "an integer" : "a number", min, max);
    char got[32];
    std::snprintf(got, sizeof got, "%g", value);
    fail(ErrorCode::kConfig, call.def.name, std::string(spec.name) + range, got);
  }
}

}  // namespace

const std::vector<OpDef>& registry() {
  // Never destroyed: a process that exits with work in flight destroys statics while queues still run.
  static const std::vector<OpDef>& ops = *[] {
    auto list = new std::vector<OpDef>;
#define DUO_REGISTER(Family) register##Family(*list);
    DUO_OP_FAMILIES(DUO_REGISTER)
#undef DUO_REGISTER
    return list;
  }();
  return ops;
}

const TensorArg& OpCall::in(const char* name) const {
  const auto [first, count] = slots[indexOf(def.inputs, name)];
  return count > 0 ? inputs[first] : kAbsent;
}

std::span<const TensorArg> OpCall::list(const char* name) const {
  const auto [first, count] = slots[indexOf(def.inputs, name)];
  return std::span(inputs).subspan(size_t(first), size_t(count));
}

const TensorArg& OpCall::out(const char* name) const { return outputs[indexOf(def.outputs, name)]; }

double OpCall::number(const char* attr) const { return attrs[indexOf(def.attrs, attr)]; }

int64_t OpCall::dim(const char* symbol) const { return valueOf(*this, symbol).value(); }

std::span<const int32_t> OpCall::host(const char* name) const { return *in(name).host; }

void OpCall::expectShape(const char* name, const Dims& expected) const {
  const TensorArg& arg = in(name);
  if (!(arg.dims == expected)) {
    fail(ErrorCode::kShape, def.name, std::string(name) + " " + expected.text(), arg.dims.text());
  }
}

void OpCall::expect(bool condition, ErrorCode code, std::string_view expected, std::string_view got) const {
  if (!condition) fail(code, def.name, expected, got);
}

void checkCall(OpCall& call) {
  bool restBound = false;
  for (size_t i = 0; i < call.def.inputs.size(); ++i) {
    const InputSpec& spec = call.def.inputs[i];
    const auto [first, count] = call.slots[i];
    if (count == 0 && !spec.optional && !spec.list) {
      fail(ErrorCode::kState, call.def.name, std::string(spec.name) + " to be a tensor", "none");
    }
    for (int j = first; j < first + count; ++j) {
      const TensorArg& arg = call.inputs[j];
      if (!admits(spec.kind, arg.dtype)) {
        fail(ErrorCode::kDType, call.def.name, std::string(spec.name) + " of " + nameOf(spec.kind), nameOf(arg.dtype));
      }
      if (spec.host && !arg.host) {
        fail(ErrorCode::kState, call.def.name, std::string(spec.name) + " with a host copy", "a tensor without one");
      }
      bind(call, spec, arg, restBound);
    }
  }
  for (size_t i = 0; i < call.def.attrs.size(); ++i) checkAttr(call, call.def.attrs[i], call.attrs[i]);
  if (call.def.check) call.def.check(call);
}

std::vector<OutputShape> outputShapes(const OpCall& call) {
  if (call.def.shapes) return call.def.shapes(call);
  std::vector<OutputShape> result;
  for (const OutputSpec& spec : call.def.outputs) {
    result.push_back({resolve(call, spec.dims), spec.like ? call.in(spec.like).dtype : spec.dtype, true});
  }
  return result;
}

}  // namespace duo
