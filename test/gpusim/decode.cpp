// Statements become instructions: handlers and places in the register file.
#include <algorithm>

#include "ops.h"

namespace gpusim {
namespace {

const Operations& operations() {
  static const Operations all = [] {
    Operations result;
    addIntegerOperations(result);
    addFloatOperations(result);
    addConversions(result);
    return result;
  }();
  return all;
}

struct Unsupported {
  std::string why;
};

bool has(const Statement& s, const char* part) {
  return std::find(s.parts.begin(), s.parts.end(), part) != s.parts.end();
}

class Decoder {
 public:
  Decoder(std::shared_ptr<const Module> module, const Function& function, const Places& places)
      : function_(function), places_(places), kernel_(std::make_unique<Kernel>()) {
    kernel_->name = function.name;
    kernel_->module = std::move(module);
  }

  std::unique_ptr<Kernel> run() {
    placeVariables();
    placeSpecialRegisters();
    std::vector<uint32_t> starts;
    for (const Statement& statement : function_.statements) {
      starts.push_back(uint32_t(kernel_->code.size()));
      decode(statement);
    }
    starts.push_back(uint32_t(kernel_->code.size()));
    Instruction end;
    end.control = Control::kExit;
    kernel_->code.push_back(end);
    for (const auto& [at, label] : branches_) {
      const auto found = function_.labels.find(label);
      if (found == function_.labels.end()) throw std::runtime_error("PTX: no label " + label);
      kernel_->code[at].immediate = starts[found->second];
    }
    findHotLoop();
    return std::move(kernel_);
  }

 private:
  // The innermost loop with the most tensor instructions, or the one around it that has a barrier: the loop over tiles.
  // Loops are what backward branches jump over.
  void findHotLoop() {
    const auto& code = kernel_->code;
    std::vector<uint32_t> tensorsBefore{0}, barriersBefore{0};
    for (const Instruction& i : code) {
      tensorsBefore.push_back(tensorsBefore.back() + (i.kind == Class::kTensor));
      barriersBefore.push_back(barriersBefore.back() + (i.control == Control::kBarrier));
    }
    struct Loop {
      uint32_t begin, end, tensors, barriers;
    };
    std::vector<Loop> loops;
    for (uint32_t at = 0; at < code.size(); ++at) {
      if (code[at].control != Control::kBranch || code[at].immediate > int64_t(at)) continue;
      const auto begin = uint32_t(code[at].immediate);
      const uint32_t tensors = tensorsBefore[at + 1] - tensorsBefore[begin];
      if (tensors > 0) loops.push_back({begin, at + 1, tensors, barriersBefore[at + 1] - barriersBefore[begin]});
    }
    const Loop* hottest = nullptr;
    for (const Loop& loop : loops) {
      const bool innermost = std::none_of(loops.begin(), loops.end(), [&](const Loop& other) {
        return &other != &loop && other.begin >= loop.begin && other.end <= loop.end;
      });
      if (innermost && (!hottest || loop.tensors > hottest->tensors)) hottest = &loop;
    }
    if (!hottest) return;
    const Loop* around = hottest;
    for (const Loop& loop : loops) {
      const bool encloses = loop.begin <= hottest->begin && loop.end >= hottest->end && loop.barriers > 0;
      if (encloses && (around->barriers == 0 || loop.end - loop.begin < around->end - around->begin)) around = &loop;
    }
    kernel_->hotBegin = around->begin, kernel_->hotEnd = around->end;
  }

  static size_t aligned(size_t at, size_t alignment) { return (at + alignment - 1) / alignment * alignment; }

  void placeVariables() {
    for (const Variable& parameter : function_.parameters) {
      kernel_->parameterBytes = aligned(kernel_->parameterBytes, parameter.alignment);
      symbols_[parameter.name] = kernel_->parameterBytes;
      kernel_->parameters.push_back({kernel_->parameterBytes, parameter.size});
      kernel_->parameterBytes += parameter.size;
    }
    const auto place = [&](const Variable& variable, size_t& size) {
      size = aligned(size, variable.alignment);
      symbols_[variable.name] = size;
      size += variable.size;
    };
    for (const Variable& variable : function_.shared) place(variable, kernel_->staticShared);
    for (const Variable& variable : kernel_->module->shared) {
      if (!variable.external && uses(variable.name)) place(variable, kernel_->staticShared);
    }
    for (const Variable& variable : kernel_->module->shared) {
      if (!variable.external) continue;
      kernel_->staticShared = aligned(kernel_->staticShared, 16);
      symbols_[variable.name] = kernel_->staticShared;
    }
    for (const Variable& variable : function_.local) place(variable, kernel_->localBytes);
    for (const auto& [name, address] : places_.global) symbols_[name] = address;
  }

  bool uses(const std::string& name) const {
    return std::any_of(function_.statements.begin(), function_.statements.end(), [&](const Statement& s) {
      return std::any_of(s.operands.begin(), s.operands.end(), [&](const Operand& o) { return o.name == name; });
    });
  }

  uint32_t take(size_t bytes) {
    const size_t at = kernel_->registers.size();
    kernel_->registers.resize(at + bytes);
    return uint32_t(at);
  }
  uint32_t takeLanes(bool wide) { return take(wide ? 8 * kLanes : 4 * kLanes); }

  void placeSpecialRegisters() {
    auto& special = kernel_->special;
    const auto three = [&](uint32_t(&places)[3], const std::string& name) {
      for (int d = 0; d < 3; ++d) registers_[name + "." + "xyz"[d]] = {places[d] = takeLanes(false), Lanes::kNarrow};
    };
    three(special.tid, "%tid");
    three(special.ctaid, "%ctaid");
    three(special.ntid, "%ntid");
    three(special.nctaid, "%nctaid");
    registers_["%laneid"] = {special.laneid = takeLanes(false), Lanes::kNarrow};
    registers_["%warpid"] = {special.warpid = takeLanes(false), Lanes::kNarrow};
    registers_["%lanemask_lt"] = {special.lanemaskLt = takeLanes(false), Lanes::kNarrow};
  }

  struct Place {
    uint32_t at;
    Lanes lanes;
  };

  const Place& registerOf(const std::string& name) {
    const auto known = registers_.find(name);
    if (known != registers_.end()) return known->second;
    const auto declared = function_.registers.find(name);
    if (declared == function_.registers.end()) throw Unsupported{"no register " + name};
    const int bits = declared->second;
    if (bits > 64) throw Unsupported{"registers of " + std::to_string(bits) + " bits"};
    const Place place = bits == 1 ? Place{take(4), Lanes::kPredicate}
                                  : Place{takeLanes(bits == 64), bits == 64 ? Lanes::kWide : Lanes::kNarrow};
    return registers_[name] = place;
  }
  bool isRegister(const std::string& name) const {
    return registers_.contains(name) || function_.registers.contains(name);
  }

  uint32_t constant(uint64_t value, Lanes lanes) {
    const auto [found, isNew] = constants_.try_emplace({value, lanes}, 0);
    if (!isNew) return found->second;
    if (lanes == Lanes::kPredicate) {
      found->second = take(4);
      const uint32_t all = value ? kAllLanes : 0;
      std::memcpy(kernel_->registers.data() + found->second, &all, 4);
      return found->second;
    }
    const bool wide = lanes == Lanes::kWide;
    const size_t bytes = wide ? 8 : 4;
    found->second = takeLanes(wide);
    for (size_t l = 0; l < kLanes; ++l)
      std::memcpy(kernel_->registers.data() + found->second + l * bytes, &value, bytes);
    return found->second;
  }

  // Emits one that takes the guard of the statement.
  Instruction& emit(Instruction instruction) {
    instruction.line = statement_->line;
    if (!statement_->guard.empty()) {
      instruction.guard = registerOf(statement_->guard).at;
      instruction.guardNegated = statement_->guardNegated;
    }
    kernel_->code.push_back(instruction);
    return kernel_->code.back();
  }

  // A source as the operation reads it. A register of another width is converted first: cut off, or filled with zeros.
  uint32_t source(const Operand& operand, Lanes lanes, bool isSigned = false) {
    if (operand.kind == Operand::Kind::kInteger) return constant(narrowed(operand.value, lanes), lanes);
    if (operand.kind == Operand::Kind::kPredicate && operand.second.empty() && lanes == Lanes::kPredicate) {
      // !p
      Instruction invert;
      invert.run = operations().at("not.pred").run;
      invert.operand[0] = take(4);
      invert.operand[1] = registerOf(operand.name).at;
      emit(invert);
      return invert.operand[0];
    }
    if (operand.kind != Operand::Kind::kName) throw Unsupported{"an operand of this kind"};
    if (operand.name == "WARP_SZ") return constant(kLanes, lanes);
    if (!isRegister(operand.name)) {
      const auto symbol = symbols_.find(operand.name);
      if (symbol == symbols_.end()) throw Unsupported{"no register or variable " + operand.name};
      return constant(narrowed(int64_t(symbol->second) + operand.value, lanes), lanes);
    }
    const Place place = registerOf(operand.name);
    if (place.lanes == lanes) return place.at;
    if (place.lanes == Lanes::kPredicate || lanes == Lanes::kPredicate) throw Unsupported{"a predicate as a number"};
    Instruction convert;
    convert.run = lanes == Lanes::kNarrow ? handlers::narrow : isSigned ? handlers::widenSigned : handlers::widen;
    convert.kind = Class::kMove;
    convert.operand[0] = takeLanes(lanes == Lanes::kWide);
    convert.operand[1] = place.at;
    emit(convert);
    return convert.operand[0];
  }
  static uint64_t narrowed(int64_t value, Lanes lanes) {
    return lanes == Lanes::kWide ? uint64_t(value) : uint64_t(uint32_t(value));
  }

  // Where a result goes; `after` copies it on where the register has another width.
  uint32_t result(const Operand& operand, Lanes lanes, std::vector<Instruction>& after, bool isSigned = false) {
    if (operand.kind == Operand::Kind::kSink)
      return lanes == Lanes::kPredicate ? take(4) : takeLanes(lanes == Lanes::kWide);
    if (operand.kind != Operand::Kind::kName) throw Unsupported{"a result of this kind"};
    const Place place = registerOf(operand.name);
    if (place.lanes == lanes) return place.at;
    if (place.lanes == Lanes::kPredicate || lanes == Lanes::kPredicate) throw Unsupported{"a predicate as a number"};
    Instruction convert;
    convert.run = lanes == Lanes::kWide ? handlers::narrow : isSigned ? handlers::widenSigned : handlers::widen;
    convert.kind = Class::kMove;
    convert.operand[0] = place.at;
    convert.operand[1] = takeLanes(lanes == Lanes::kWide);
    after.push_back(convert);
    return convert.operand[1];
  }

  void decode(const Statement& statement) {
    statement_ = &statement;
    const size_t before = kernel_->code.size();
    try {
      decodeSupported(statement);
    } catch (const Unsupported& unsupported) {
      kernel_->code.resize(before);
      kernel_->unsupported.push_back(statement.opcode + " (line " + std::to_string(statement.line) +
                                     "): " + unsupported.why);
      Instruction trap;
      trap.control = Control::kTrap;
      trap.option = int(kernel_->unsupported.size()) - 1;
      emit(trap);
    }
  }

  void decodeSupported(const Statement& s) {
    const std::string& name = s.parts[0];
    if (name == "bra") return branch(s);
    if (name == "ret" || name == "exit") return control(Control::kExit);
    if (name == "bar" || name == "barrier") return barrier(s);
    if (name == "membar" || name == "fence" || name == "nanosleep" || name == "prefetch") return;
    if (name == "ld" || name == "ldu") return load(s);
    if (name == "st") return store(s);
    if (name == "cvta") return convertAddress(s);
    if (name == "atom" || name == "red") return atomic(s);
    if (name == "cp") return copyAsync(s);
    if (name == "ldmatrix" || name == "stmatrix") return matrixAccess(s);
    if (name == "mma") return multiply(s);
    if (name == "shfl") return shuffle(s);
    if (name == "vote") return vote(s);
    if (name == "match") return match(s);
    if (name == "redux") return reduce(s);
    if (name == "activemask") return activeMask(s);
    if (name == "mov" && s.operands.size() == 2) {
      if (s.operands[1].kind == Operand::Kind::kVector) return pack(s);
      if (s.operands[0].kind == Operand::Kind::kVector) return unpack(s);
    }
    if (name == "setp" && s.parts.size() > 3) return combinedComparison(s);
    plain(s, s.opcode);
  }

  void plain(const Statement& s, const std::string& opcode) {
    const auto found = operations().find(opcode);
    if (found == operations().end()) throw Unsupported{"no such operation"};
    const Operation& operation = found->second;
    if (s.operands.size() != operation.sources.size() + 1) throw Unsupported{"this number of operands"};
    Instruction i;
    i.run = operation.run;
    i.kind = operation.kind;
    for (size_t k = 0; k < operation.sources.size(); ++k)
      i.operand[k + 1] = source(s.operands[k + 1], operation.sources[k]);
    std::vector<Instruction> after;
    if (s.operands[0].kind == Operand::Kind::kPredicate && !s.operands[0].second.empty()) {
      // p|q: q is the opposite
      i.operand[0] = registerOf(s.operands[0].name).at;
      Instruction opposite;
      opposite.run = operations().at("not.pred").run;
      opposite.operand[0] = registerOf(s.operands[0].second).at;
      opposite.operand[1] = i.operand[0];
      after.push_back(opposite);
    } else {
      i.operand[0] = result(s.operands[0], operation.result, after, signedResult(s));
    }
    emit(i);
    for (const Instruction& more : after) emit(more);
  }
  static bool signedResult(const Statement& s) {
    const std::string& type = s.parts[0] == "cvt" ? s.parts[s.parts.size() - 2] : s.parts.back();
    return type[0] == 's';
  }

  // setp.lt.and.s32 p, a, b, q
  void combinedComparison(const Statement& s) {
    const bool flush = s.parts[2] == "ftz";
    if (flush || s.operands.size() != 4) throw Unsupported{"this form of comparison"};
    Statement compare = s;
    compare.operands.pop_back();
    const uint32_t q = source(s.operands[3], Lanes::kPredicate);
    plain(compare, "setp." + s.parts[1] + "." + s.parts[3]);
    Instruction combine;
    combine.run = operations().at(s.parts[2] + ".pred").run;
    combine.operand[0] = combine.operand[1] = registerOf(s.operands[0].name).at;
    combine.operand[2] = q;
    emit(combine);
  }

  void control(Control what) {
    Instruction i;
    i.control = what;
    i.kind = Class::kControl;
    emit(i);
  }

  void branch(const Statement& s) {
    control(Control::kBranch);
    branches_.emplace_back(kernel_->code.size() - 1, s.operands.at(0).name);
  }

  // operand: barrier, threads, predicate, result. option: 0 sync, 1 arrive, 2 red; count: of red and, or, popc
  void barrier(const Statement& s) {
    if (s.parts.at(1) == "warp") {
      Instruction i;
      i.control = Control::kConvergence;
      i.kind = Class::kControl;
      i.operand[1] = source(s.operands.at(0), Lanes::kNarrow);
      emit(i);
      return;
    }
    Instruction i;
    i.control = Control::kBarrier;
    i.kind = Class::kControl;
    i.operand.fill(kNoOperand);
    const bool aligned = s.parts[0] == "bar" || has(s, "aligned");
    i.size = aligned;
    size_t next = 0;
    if (has(s, "red")) {
      i.option = 2;
      i.count = has(s, "popc") ? 2 : has(s, "or") ? 1 : 0;
      std::vector<Instruction> none;
      i.operand[3] =
          i.count == 2 ? result(s.operands.at(0), Lanes::kNarrow, none) : registerOf(s.operands.at(0).name).at;
      next = 1;
      i.operand[2] = source(s.operands.back(), Lanes::kPredicate);
    } else if (has(s, "arrive")) {
      i.option = 1;
    }
    i.operand[0] = source(s.operands.at(next), Lanes::kNarrow);
    if (s.operands.size() > next + 1 + (i.option == 2)) i.operand[1] = source(s.operands[next + 1], Lanes::kNarrow);
    emit(i);
  }

  static Space spaceOf(const Statement& s) {
    if (has(s, "global") || has(s, "const")) return Space::kGlobal;
    if (has(s, "shared") || has(s, "shared::cta")) return Space::kShared;
    if (has(s, "local")) return Space::kLocal;
    if (has(s, "param")) return Space::kParameter;
    return Space::kGeneric;
  }
  static Class classOf(Space space) { return space == Space::kShared ? Class::kShared : Class::kGlobal; }
  static int bytesOf(const std::string& type) {
    if (type == "b128") throw Unsupported{"128-bit accesses"};
    return std::stoi(type.substr(type[0] == 'b' && type[1] == 'f' ? 2 : 1)) / 8;
  }

  // The base of an address, in 8 bytes, and its offset.
  uint32_t base(const Operand& operand, int64_t& offset) {
    if (operand.kind != Operand::Kind::kAddress) throw Unsupported{"an address of this kind"};
    offset = operand.value;
    if (operand.name.empty()) return constant(0, Lanes::kWide);
    Operand plain;
    plain.name = operand.name;
    return source(plain, Lanes::kWide);
  }

  static std::vector<Operand> itemsOf(const Operand& operand) {
    return operand.kind == Operand::Kind::kVector ? operand.items : std::vector<Operand>{operand};
  }

  void load(const Statement& s) {
    const std::string& type = s.parts.back();
    const std::vector<Operand> items = itemsOf(s.operands.at(0));
    Access access{spaceOf(s), type[0] == 's', uint8_t(bytesOf(type)), 0};
    Instruction i;
    i.run = handlers::load;
    i.kind = classOf(access.space);
    i.count = uint8_t(items.size());
    for (size_t k = 0; k < items.size(); ++k) {
      if (items[k].kind == Operand::Kind::kSink) {
        i.operand[k] = takeLanes(true);
        access.wide |= uint8_t(1 << k);
        continue;
      }
      const Place place = registerOf(items[k].name);
      if (place.lanes == Lanes::kPredicate) throw Unsupported{"a load into a predicate"};
      i.operand[k] = place.at;
      if (place.lanes == Lanes::kWide) access.wide |= uint8_t(1 << k);
      if (access.element == 8 && place.lanes != Lanes::kWide) throw Unsupported{"8 bytes into 4"};
    }
    i.operand[items.size()] = base(s.operands.at(1), i.immediate);
    i.option = access.code();
    emit(i);
  }

  void store(const Statement& s) {
    const std::string& type = s.parts.back();
    const std::vector<Operand> items = itemsOf(s.operands.at(1));
    Access access{spaceOf(s), false, uint8_t(bytesOf(type)), 0};
    Instruction i;
    i.run = handlers::store;
    i.kind = classOf(access.space);
    i.count = uint8_t(items.size());
    i.operand[0] = base(s.operands[0], i.immediate);
    for (size_t k = 0; k < items.size(); ++k) {
      const bool wide = items[k].kind == Operand::Kind::kName && isRegister(items[k].name)
                            ? registerOf(items[k].name).lanes == Lanes::kWide
                            : access.element == 8;
      i.operand[k + 1] = source(items[k], wide ? Lanes::kWide : Lanes::kNarrow);
      if (wide) access.wide |= uint8_t(1 << k);
    }
    i.option = access.code();
    emit(i);
  }

  // cvta.to.shared.u64 d, a takes the window off; cvta.shared.u64 puts it on. Offsets and host addresses stay as they
  // are.
  void convertAddress(const Statement& s) {
    const Space space = spaceOf(s);
    const uint64_t window = space == Space::kShared      ? kSharedWindow
                            : space == Space::kLocal     ? kLocalWindow
                            : space == Space::kParameter ? kParameterWindow
                                                         : 0;
    Instruction i;
    i.run = operations().at(has(s, "to") ? "and.b64" : "or.b64").run;
    i.operand[1] = source(s.operands.at(1), Lanes::kWide);
    i.operand[2] = constant(has(s, "to") ? window ? ~kWindowMask : ~uint64_t(0) : window, Lanes::kWide);
    std::vector<Instruction> after;
    i.operand[0] = result(s.operands[0], Lanes::kWide, after);
    emit(i);
    for (const Instruction& more : after) emit(more);
  }

  static AtomicKind atomicKind(const Statement& s) {
    static const std::pair<const char*, AtomicKind> kinds[] = {
        {"add", AtomicKind::kAdd},       {"min", AtomicKind::kMin},     {"max", AtomicKind::kMax},
        {"and", AtomicKind::kAnd},       {"or", AtomicKind::kOr},       {"xor", AtomicKind::kXor},
        {"exch", AtomicKind::kExchange}, {"cas", AtomicKind::kCompare}, {"inc", AtomicKind::kIncrement},
        {"dec", AtomicKind::kDecrement}};
    for (const auto& [name, kind] : kinds) {
      if (has(s, name)) return kind;
    }
    throw Unsupported{"this kind of atomic"};
  }

  void atomic(const Statement& s) {
    const bool red = s.parts[0] == "red";
    const std::string& type = s.parts.back();
    const auto element = type[0] == 'f'   ? ElementType::kFloat
                         : type[0] == 's' ? ElementType::kSigned
                                          : ElementType::kUnsigned;
    const Access access{spaceOf(s), false, uint8_t(bytesOf(type)), 0};
    if (access.element < 4) throw Unsupported{"atomics of 16 bits"};
    const Lanes lanes = access.element == 8 ? Lanes::kWide : Lanes::kNarrow;
    Instruction i;
    i.run = handlers::atomic;
    i.kind = classOf(access.space);
    i.option = access.code() | int(atomicKind(s)) << 12 | int(element) << 16;
    const size_t first = red ? 0 : 1;
    i.operand[1] = base(s.operands.at(first), i.immediate);
    i.operand[2] = source(s.operands.at(first + 1), lanes);
    i.operand[3] = s.operands.size() > first + 2 ? source(s.operands[first + 2], lanes) : kNoOperand;
    std::vector<Instruction> after;
    i.operand[0] = red ? kNoOperand : result(s.operands[0], lanes, after);
    emit(i);
    for (const Instruction& more : after) emit(more);
  }

  void copyAsync(const Statement& s) {
    if (s.parts.at(1) != "async" || has(s, "bulk")) throw Unsupported{"this kind of copy"};
    Instruction i;
    i.kind = Class::kGlobal;
    if (has(s, "commit_group")) {
      i.run = handlers::commitCopies;
    } else if (has(s, "wait_group") || has(s, "wait_all")) {
      i.run = handlers::awaitCopies;
      i.immediate = has(s, "wait_all") ? -1 : s.operands.at(0).value;
    } else {
      i.run = handlers::copyAsync;
      int64_t to = 0, from = 0;
      i.operand[0] = base(s.operands.at(0), to);
      i.operand[1] = base(s.operands.at(1), from);
      i.immediate = to, i.option = int(from);
      i.size = uint16_t(s.operands.at(2).value);
      i.operand[2] = s.operands.size() > 3 ? source(s.operands[3], Lanes::kNarrow) : kNoOperand;
    }
    emit(i);
  }

  void matrixAccess(const Statement& s) {
    const bool loads = s.parts[0] == "ldmatrix";
    const std::vector<Operand> items = itemsOf(s.operands.at(loads ? 0 : 1));
    Instruction i;
    i.run = loads ? handlers::loadMatrix : handlers::storeMatrix;
    i.kind = Class::kShared;
    i.count = uint8_t(items.size());
    i.option = has(s, "trans");
    i.operand[loads ? items.size() : 0] = base(s.operands.at(loads ? 1 : 0), i.immediate);
    for (size_t k = 0; k < items.size(); ++k) i.operand[k + (loads ? 0 : 1)] = registerOf(items[k].name).at;
    emit(i);
  }

  void multiply(const Statement& s) {
    Instruction i;
    if (s.opcode == "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32") i.run = handlers::multiplyHalf;
    if (s.opcode == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") i.run = handlers::multiplyBFloat;
    if (s.opcode == "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32") i.run = handlers::multiplyTf32;
    if (!i.run) throw Unsupported{"this shape or these types"};
    i.kind = Class::kTensor;
    i.count = 10;
    size_t at = 0;
    for (const Operand& vector : s.operands) {
      for (const Operand& item : itemsOf(vector)) i.operand[at++] = source(item, Lanes::kNarrow);
    }
    if (at != 14) throw Unsupported{"this number of registers"};
    emit(i);
  }

  // Of lanes that tell each other something: operand 1 is the mask of those that must come.
  Instruction together(Handler run) {
    Instruction i;
    i.run = run;
    i.control = Control::kConvergence;
    i.kind = Class::kOther;
    return i;
  }

  void shuffle(const Statement& s) {
    if (s.parts.at(1) != "sync" || s.operands.size() != 5) throw Unsupported{"this form of shuffle"};
    Instruction i = together(handlers::shuffle);
    i.option = int(has(s, "up")     ? ShuffleKind::kUp
                   : has(s, "down") ? ShuffleKind::kDown
                   : has(s, "bfly") ? ShuffleKind::kButterfly
                                    : ShuffleKind::kIndex);
    i.operand[2] = kNoOperand;
    Operand d = s.operands[0];
    if (!d.second.empty()) {
      i.operand[2] = registerOf(d.second).at;
      d.kind = Operand::Kind::kName;
    }
    std::vector<Instruction> after;
    i.operand[0] = result(d, Lanes::kNarrow, after);
    for (size_t k = 1; k < 4; ++k) i.operand[k + 2] = source(s.operands[k], Lanes::kNarrow);
    i.operand[1] = source(s.operands[4], Lanes::kNarrow);
    emit(i);
  }

  void vote(const Statement& s) {
    if (s.parts.at(1) != "sync") throw Unsupported{"votes without a mask"};
    Instruction i = together(handlers::vote);
    i.option = int(has(s, "all")   ? VoteKind::kAll
                   : has(s, "any") ? VoteKind::kAny
                   : has(s, "uni") ? VoteKind::kUniform
                                   : VoteKind::kBallot);
    std::vector<Instruction> after;
    i.operand[0] =
        has(s, "ballot") ? result(s.operands.at(0), Lanes::kNarrow, after) : registerOf(s.operands.at(0).name).at;
    i.operand[2] = source(s.operands.at(1), Lanes::kPredicate);
    i.operand[1] = source(s.operands.at(2), Lanes::kNarrow);
    emit(i);
  }

  void match(const Statement& s) {
    Instruction i = together(handlers::match);
    const bool wide = s.parts.back() == "b64";
    i.option = has(s, "all");
    i.size = wide ? 8 : 4;
    std::vector<Instruction> after;
    Operand d = s.operands.at(0);
    if (!d.second.empty()) throw Unsupported{"match.all with a predicate"};
    i.operand[0] = result(d, Lanes::kNarrow, after);
    i.operand[2] = source(s.operands.at(1), wide ? Lanes::kWide : Lanes::kNarrow);
    i.operand[1] = source(s.operands.at(2), Lanes::kNarrow);
    emit(i);
  }

  void reduce(const Statement& s) {
    Instruction i = together(handlers::reduceLanes);
    i.option = int(atomicKind(s)) | int(s.parts.back() == "s32") << 8;
    std::vector<Instruction> after;
    i.operand[0] = result(s.operands.at(0), Lanes::kNarrow, after);
    i.operand[2] = source(s.operands.at(1), Lanes::kNarrow);
    i.operand[1] = source(s.operands.at(2), Lanes::kNarrow);
    emit(i);
  }

  void activeMask(const Statement& s) {
    Instruction i;
    i.run = handlers::activeMask;
    std::vector<Instruction> after;
    i.operand[0] = result(s.operands.at(0), Lanes::kNarrow, after);
    emit(i);
  }

  void pack(const Statement& s) {
    const std::vector<Operand>& items = s.operands[1].items;
    Instruction i;
    i.run = handlers::pack;
    i.kind = Class::kMove;
    i.count = uint8_t(items.size());
    const bool wide = registerOf(s.operands[0].name).lanes == Lanes::kWide;
    i.option = wide;
    i.size = uint16_t(bytesOf(s.parts[1]) * 8 / int(items.size()));
    i.operand[0] = registerOf(s.operands[0].name).at;
    for (size_t k = 0; k < items.size(); ++k) i.operand[k + 1] = source(items[k], Lanes::kNarrow);
    emit(i);
  }

  void unpack(const Statement& s) {
    const std::vector<Operand>& items = s.operands[0].items;
    Instruction i;
    i.run = handlers::unpack;
    i.kind = Class::kMove;
    i.count = uint8_t(items.size());
    const bool wide = s.parts[1] == "b64" || s.parts[1] == "f64" || s.parts[1] == "u64";
    i.option = wide;
    i.size = uint16_t(bytesOf(s.parts[1]) * 8 / int(items.size()));
    for (size_t k = 0; k < items.size(); ++k) {
      i.operand[k] = items[k].kind == Operand::Kind::kSink ? kNoOperand : registerOf(items[k].name).at;
    }
    i.operand[items.size()] = source(s.operands[1], wide ? Lanes::kWide : Lanes::kNarrow);
    emit(i);
  }

  const Function& function_;
  const Places& places_;
  std::unique_ptr<Kernel> kernel_;
  const Statement* statement_ = nullptr;
  std::unordered_map<std::string, Place> registers_;
  std::unordered_map<std::string, uint64_t> symbols_;
  std::map<std::pair<uint64_t, Lanes>, uint32_t> constants_;
  std::vector<std::pair<size_t, std::string>> branches_;
};

}  // namespace

std::unique_ptr<Kernel> decode(std::shared_ptr<const Module> module, const Function& function, const Places& places) {
  return Decoder(std::move(module), function, places).run();
}

}  // namespace gpusim
