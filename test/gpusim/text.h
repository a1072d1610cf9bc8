// PTX text as statements: what nvcc writes, with names of registers, labels and variables made unique by their scope.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gpusim {

struct Operand {
  enum class Kind {
    kName,       // a register, a variable or a label
    kInteger,    // also the bits of 0f… and 0d…
    kAddress,    // [name + value] or [value]
    kVector,     // {a, b, …}
    kPredicate,  // !p, or p|q
    kSink,       // _
  };
  Kind kind = Kind::kName;
  std::string name, second;
  int64_t value = 0;
  bool negated = false;
  std::vector<Operand> items;
};

struct Statement {
  std::string opcode;
  std::vector<std::string> parts;  // of the opcode, between its dots
  std::vector<Operand> operands;
  std::string guard;  // empty: none
  bool guardNegated = false;
  int line = 0;
};

// A variable of a space: its bytes, or where they come from.
struct Variable {
  std::string name;
  size_t size = 0, alignment = 1;
  std::vector<uint8_t> initial;  // empty: zeros
  bool external = false;         // dynamic shared memory
};

struct Function {
  std::string name;
  std::vector<Variable> parameters;
  std::unordered_map<std::string, int> registers;  // bits by name; 1: a predicate
  std::vector<Variable> shared, local;
  std::vector<Statement> statements;
  std::unordered_map<std::string, size_t> labels;  // index of the statement that follows
};

struct Module {
  std::vector<Function> functions;
  std::vector<Variable> shared, global;
  std::vector<std::string> lines;  // of the text, for reports
};

// Throws std::runtime_error, with the line, for what it cannot read.
Module parse(std::string_view text);

}  // namespace gpusim
