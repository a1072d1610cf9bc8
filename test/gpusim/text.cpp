#include "text.h"

#include <cctype>
#include <stdexcept>

namespace gpusim {
namespace {

struct Token {
  std::string text;
  int line;
};

bool isWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

std::vector<Token> tokensOf(std::string_view text) {
  std::vector<Token> tokens;
  int line = 1;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++i;
    } else if (text.substr(i, 2) == "//") {
      while (i < text.size() && text[i] != '\n') ++i;
    } else if (text.substr(i, 2) == "/*") {
      const size_t end = text.find("*/", i);
      for (; i < end + 2; ++i) line += text[i] == '\n';
    } else if (c == '"') {
      const size_t end = text.find('"', i + 1);
      tokens.push_back({std::string(text.substr(i, end + 1 - i)), line});
      i = end + 1;
    } else if (isWord(c)) {
      size_t end = i;
      while (end < text.size() && isWord(text[end])) ++end;
      // cp.async…L2::128B and the like
      while (text.substr(end, 2) == "::") {
        end += 2;
        while (end < text.size() && isWord(text[end])) ++end;
      }
      tokens.push_back({std::string(text.substr(i, end - i)), line});
      i = end;
    } else {
      tokens.push_back({std::string(1, c), line});
      ++i;
    }
  }
  return tokens;
}

std::vector<std::string> partsOf(const std::string& opcode) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= opcode.size();) {
    const size_t end = std::min(opcode.find('.', begin), opcode.size());
    parts.push_back(opcode.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

int bitsOf(const std::string& type) {
  if (type == "pred") return 1;
  return std::stoi(type.substr(1));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(tokensOf(text)) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      module_.lines.emplace_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  Module run() {
    bool external = false;
    while (at_ < tokens_.size()) {
      const std::string word = next();
      if (word == ".version" || word == ".target" || word == ".address_size") {
        next();
        while (accept(",")) next();
      } else if (word == ".extern") {
        external = true;
      } else if (word == ".visible" || word == ".weak") {
      } else if (word == ".entry") {
        module_.functions.push_back(entry());
      } else if (word == ".shared") {
        module_.shared.push_back(variable());
        module_.shared.back().external = external;
        external = false;
      } else if (word == ".global" || word == ".const") {
        module_.global.push_back(variable());
      } else if (word == ".file") {
        while (!peekIs(".") && at_ < tokens_.size() && tokens_[at_].line == tokens_[at_ - 1].line) next();
      } else {
        fail("expected a directive of a module, got " + word);
      }
    }
    return std::move(module_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const int line = at_ > 0 && at_ <= tokens_.size() ? tokens_[at_ - 1].line : 0;
    throw std::runtime_error("PTX line " + std::to_string(line) + ": " + what);
  }
  const std::string& next() {
    if (at_ >= tokens_.size()) fail("expected more, got the end");
    return tokens_[at_++].text;
  }
  bool peekIs(const char* text) const { return at_ < tokens_.size() && tokens_[at_].text == text; }
  bool accept(const char* text) {
    if (!peekIs(text)) return false;
    ++at_;
    return true;
  }
  void expect(const char* text) {
    if (!accept(text)) fail(std::string("expected ") + text + ", got " + next());
  }

  int64_t number() {
    const bool negative = accept("-");
    const std::string& text = next();
    int64_t value = 0;
    if (text.size() > 2 && text[0] == '0' && (text[1] == 'f' || text[1] == 'F' || text[1] == 'd' || text[1] == 'D')) {
      value = int64_t(std::stoull(text.substr(2), nullptr, 16));
    } else {
      value = int64_t(std::stoull(text, nullptr, 0));
    }
    return negative ? -value : value;
  }
  static bool startsNumber(const std::string& text) {
    return std::isdigit(static_cast<unsigned char>(text[0])) || text == "-";
  }

  // .align 8 .b8 name[12] = {…};  up to the semicolon, or without one among parameters
  Variable variable() {
    Variable result;
    size_t unit = 1;
    for (;;) {
      const std::string word = next();
      if (word == ".align") {
        result.alignment = size_t(number());
      } else if (word[0] == '.' && word != ".ptr") {
        if (std::isdigit(static_cast<unsigned char>(word.back()))) unit = size_t(bitsOf(word.substr(1))) / 8;
      } else if (word != ".ptr") {
        result.name = word;
        break;
      }
    }
    result.size = unit;
    result.alignment = std::max(result.alignment, unit);
    if (accept("[")) {
      result.size = peekIs("]") ? 0 : unit * size_t(number());
      expect("]");
    }
    if (accept("=")) {
      const bool many = accept("{");
      do {
        const int64_t value = number();
        for (size_t b = 0; b < unit; ++b) result.initial.push_back(uint8_t(uint64_t(value) >> 8 * b));
      } while (many && accept(","));
      if (many) expect("}");
      result.initial.resize(result.size);
    }
    accept(";");
    return result;
  }

  Function entry() {
    Function function;
    function.name = next();
    if (accept("(")) {
      while (!accept(")")) {
        function.parameters.push_back(variable());
        accept(",");
      }
    }
    while (!accept("{")) next();  // .maxntid and the like
    function_ = &function;
    scopes_ = {{}};
    block();
    return function;
  }

  // Names of a block are its own: what a block of inline assembly declares may be declared again in the next.
  using Scope = std::unordered_map<std::string, std::string>;
  void declare(const std::string& name, std::string unique) { scopes_.back()[name] = std::move(unique); }
  std::string resolve(const std::string& name) const {
    for (size_t i = scopes_.size(); i-- > 0;) {
      const auto found = scopes_[i].find(name);
      if (found != scopes_[i].end()) return found->second;
    }
    return name;
  }
  std::string uniqueName(const std::string& name) {
    return scopes_.size() == 1 ? name : name + "#" + std::to_string(++blocks_);
  }

  // The labels of a block stand before its statements are read, as branches lead forward, too.
  void declareLabels() {
    int depth = 0;
    for (size_t i = at_; i + 1 < tokens_.size() && depth >= 0; ++i) {
      const std::string& text = tokens_[i].text;
      if (text == "{") ++depth;
      if (text == "}") --depth;
      const bool starts = i == at_ || tokens_[i - 1].text == ";" || tokens_[i - 1].text == "{" ||
                          tokens_[i - 1].text == "}" || tokens_[i - 1].text == ":";
      if (depth == 0 && starts && tokens_[i + 1].text == ":") declare(text, uniqueName(text));
    }
  }

  void block() {
    declareLabels();
    while (!accept("}")) {
      if (accept("{")) {
        scopes_.emplace_back();
        block();
        scopes_.pop_back();
      } else if (peekIs(".reg")) {
        registers();
      } else if (accept(".shared")) {
        function_->shared.push_back(variable());
      } else if (accept(".local")) {
        function_->local.push_back(variable());
      } else if (peekIs(".pragma") || peekIs(".loc") || peekIs(".branchtargets")) {
        const bool loc = peekIs(".loc");
        const int line = tokens_[at_].line;
        while (loc ? tokens_[at_].line == line : !peekIs(";")) next();
        accept(";");
      } else if (tokens_[at_ + 1].text == ":") {
        function_->labels[resolve(next())] = function_->statements.size();
        expect(":");
      } else {
        statement();
      }
    }
  }

  void registers() {
    expect(".reg");
    const int bits = bitsOf(next().substr(1));
    do {
      const std::string name = next();
      if (accept("<")) {
        const int64_t count = number();
        expect(">");
        for (int64_t i = 0; i < count; ++i) addRegister(name + std::to_string(i), bits);
      } else {
        addRegister(name, bits);
      }
    } while (accept(","));
    expect(";");
  }
  void addRegister(const std::string& name, int bits) {
    const std::string unique = uniqueName(name);
    declare(name, unique);
    function_->registers[unique] = bits;
  }

  void statement() {
    Statement result;
    if (accept("@")) {
      result.guardNegated = accept("!");
      result.guard = resolve(next());
    }
    result.line = tokens_[at_].line;
    result.opcode = next();
    result.parts = partsOf(result.opcode);
    while (!accept(";")) {
      result.operands.push_back(operand());
      if (!peekIs(";")) expect(",");
    }
    function_->statements.push_back(std::move(result));
  }

  Operand operand() {
    Operand result;
    if (accept("{")) {
      result.kind = Operand::Kind::kVector;
      do result.items.push_back(operand());
      while (accept(","));
      expect("}");
    } else if (accept("[")) {
      result.kind = Operand::Kind::kAddress;
      if (!startsNumber(tokens_[at_].text)) result.name = resolve(next());
      if (accept("+") || startsNumber(tokens_[at_].text)) result.value = number();
      expect("]");
    } else if (accept("!")) {
      result.kind = Operand::Kind::kPredicate;
      result.negated = true;
      result.name = resolve(next());
    } else if (startsNumber(tokens_[at_].text)) {
      result.kind = Operand::Kind::kInteger;
      result.value = number();
    } else {
      const std::string text = next();
      result.kind = text == "_" ? Operand::Kind::kSink : Operand::Kind::kName;
      result.name = resolve(text);
      if (accept("|")) {
        result.kind = Operand::Kind::kPredicate;
        result.second = resolve(next());
      } else if (accept("+")) {
        result.value = number();
      }
    }
    return result;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  Module module_;
  Function* function_ = nullptr;
  std::vector<Scope> scopes_;
  int blocks_ = 0;
};

}  // namespace

Module parse(std::string_view text) { return Parser(text).run(); }

}  // namespace gpusim
