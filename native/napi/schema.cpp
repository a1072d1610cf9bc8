#include "napi/schema.h"

#include <cmath>
#include <sstream>

#include "ops/registry.h"

namespace duo {
namespace {

std::string quoted(const char* text) { return '"' + std::string(text) + '"'; }

template <typename List, typename Print>
void printList(std::ostream& out, const char* name, const List& list, const Print& print) {
  out << ',' << quoted(name) << ":[";
  bool first = true;
  for (const auto& item : list) {
    if (!first) out << ',';
    first = false;
    print(item);
  }
  out << ']';
}

const char* nameOf(Kind kind) {
  constexpr const char* kNames[] = {"float", "float", "float32", "int32", "uint8", "any"};
  return kNames[int(kind)];
}

const char* nameOf(AttrType type) {
  constexpr const char* kNames[] = {"int", "float", "bool", "enum"};
  return kNames[int(type)];
}

void printOp(std::ostream& out, const OpDef& op) {
  const auto flag = [&](const char* name, bool set) {
    if (set) out << ',' << quoted(name) << ":true";
  };
  out << "{\"name\":" << quoted(op.name);
  printList(out, "inputs", op.inputs, [&](const InputSpec& input) {
    out << "{\"name\":" << quoted(input.name) << ",\"dims\":" << quoted(input.dims)
        << ",\"kind\":" << quoted(nameOf(input.kind));
    flag("optional", input.optional);
    flag("list", input.list);
    flag("mutated", input.mutated);
    out << '}';
  });
  printList(out, "attrs", op.attrs, [&](const AttrSpec& attr) {
    out << "{\"name\":" << quoted(attr.name) << ",\"type\":" << quoted(nameOf(attr.type));
    if (attr.fallback) out << ",\"fallback\":" << *attr.fallback;
    if (attr.type == AttrType::kEnum) {
      printList(out, "choices", attr.choices, [&](const char* choice) { out << quoted(choice); });
    }
    out << '}';
  });
  printList(out, "outputs", op.outputs, [&](const OutputSpec& output) {
    out << "{\"name\":" << quoted(output.name);
    flag("optional", output.optional);
    out << '}';
  });
  out << ",\"cpu\":" << (op.cpu.present() ? "true" : "false") << ",\"cuda\":" << (op.cuda.present() ? "true" : "false")
      << '}';
}

}  // namespace

std::string schemaJson() {
  std::ostringstream out;
  out.precision(17);
  out << '[';
  for (const OpDef& op : registry()) {
    if (&op != &registry().front()) out << ",\n";
    printOp(out, op);
  }
  out << ']';
  return out.str();
}

}  // namespace duo
