// The machine that decoded kernels run on: a register is 32 lanes side by side, a warp has one file of them, and
// executes its fragments (lanes that stand at one place), always those furthest behind first, so that they meet again.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory.h"
#include "text.h"

namespace gpusim {

constexpr int kLanes = 32;
constexpr uint32_t kAllLanes = ~0u;

struct Warp;
struct Instruction;
using Handler = void (*)(Warp&, const Instruction&, uint32_t lanes);

enum class Control : uint8_t {
  kNone,
  kBranch,
  kExit,
  kBarrier,      // of the block
  kConvergence,  // needs the lanes of operand[kMaskOperand] at one place, then runs
  kTrap,         // cannot be executed: `text` says why
};

enum class Class : uint8_t { kInteger, kFloat, kMove, kControl, kGlobal, kShared, kOther, kTensor, kCount };

constexpr uint32_t kNoOperand = ~0u;

// Operands are byte offsets into the register file. Immediates and special registers have places there, too.
struct Instruction {
  Handler run = nullptr;
  Control control = Control::kNone;
  Class kind = Class::kOther;
  bool guardNegated = false;
  uint8_t count = 0;  // of registers in a vector, of matrices
  uint16_t size = 0;  // bytes of an access and lane
  uint32_t guard = kNoOperand;
  std::array<uint32_t, 16> operand{};
  int64_t immediate = 0;  // offset of an address, target of a branch
  int option = 0;         // what the handler needs besides
  int line = 0;
};

struct Kernel {
  std::string name;
  std::vector<Instruction> code;
  std::vector<uint8_t> registers;  // the file as a warp begins with it: immediates are in place
  // Places of special registers in the file.
  struct {
    uint32_t tid[3], ctaid[3], ntid[3], nctaid[3], laneid, warpid, lanemaskLt;
  } special{};
  struct Parameter {
    size_t offset, size;
  };
  std::vector<Parameter> parameters;
  size_t parameterBytes = 0;
  size_t staticShared = 0;  // dynamic shared memory begins here
  size_t localBytes = 0;    // of a lane
  // The loop over tiles of tensor kernels, [begin, end); else empty.
  uint32_t hotBegin = 0, hotEnd = 0;
  std::vector<std::string> unsupported;  // statements that trap
  std::shared_ptr<const Module> module;
};

// What a fault says; the machine adds where it happened.
struct Fault : std::runtime_error {
  using runtime_error::runtime_error;
};

struct Counters {
  std::array<uint64_t, size_t(Class::kCount)> instructions{};
  uint64_t hotInstructions = 0;  // those in the kernel's hot loop
  // Sectors of 32 bytes that requests touch, and the fewest that could hold what their lanes ask for.
  uint64_t globalRequests = 0, globalSectors = 0, idealSectors = 0, globalBytes = 0;
  // Of 16 bytes a lane.
  uint64_t wideRequests = 0, wideLoads = 0, wideSectors = 0, wideIdealSectors = 0;
  uint64_t sharedRequests = 0, sharedConflicts = 0;
  // Distinct bytes of the device's memory that a launch read and wrote, and the sectors that these lie in.
  uint64_t touchedBytes = 0, touchedSectors = 0;
  void add(const Counters& other);
};

struct Settings {
  bool uninitialised = true, races = true, convergence = true;
  bool count = false;
  uint64_t jitter = 0;    // 0: approximate functions are rounded correctly
  bool wideSums = false;  // products of matrices are added up in float64, else one after the other in float32
  uint64_t shuffle = 0;   // 0: warps and blocks in order
  unsigned threads = 1;
};

struct AsyncCopy {
  uint32_t to, size, given;  // bytes of shared memory, of which so many are given, the others zeros
  std::array<uint8_t, 16> data;
};

struct Block;

struct Fragment {
  enum class State : uint8_t { kReady, kAtBarrier, kParked };
  uint32_t at;
  uint32_t lanes;
  State state = State::kReady;
  uint32_t barrier = 0;
};

struct Warp {
  Block* block = nullptr;
  int number = 0;
  std::vector<uint8_t> file;
  std::vector<Fragment> fragments;
  std::vector<uint8_t> local;
  // By lane: groups of copies under way, the last one still open.
  std::array<std::vector<std::vector<AsyncCopy>>, kLanes> copies;
  GlobalMemory::Block cached{};  // where the last access was

  template <typename T>
  T* lane(uint32_t offset) {
    return reinterpret_cast<T*>(file.data() + offset);
  }
  uint32_t& predicate(uint32_t offset) { return *lane<uint32_t>(offset); }
  uint32_t live() const {
    uint32_t lanes = 0;
    for (const Fragment& f : fragments) lanes |= f.lanes;
    return lanes;
  }
};

struct Barrier {
  uint32_t arrived = 0, expected = 0;
  uint32_t votesAll = 1, votesAny = 0, votesCount = 0;
  struct Waiting {
    Warp* warp;
    const Instruction* instruction;
    uint32_t lanes;
  };
  std::vector<Waiting> reductions;
};

struct Block {
  const Kernel& kernel;
  const Settings& settings;
  GlobalMemory& global;
  SharedMemory& shared;
  const std::vector<uint8_t>& parameters;
  std::array<uint32_t, 3> grid, size, at;
  std::vector<Warp> warps;
  std::array<Barrier, 16> barriers{};
  Counters counters;

  uint32_t threads() const { return size[0] * size[1] * size[2]; }
};

struct Launch {
  const Kernel& kernel;
  std::array<uint32_t, 3> grid, block;
  size_t dynamicShared;
  std::vector<uint8_t> parameters;
};

// Runs all blocks on the host's threads. Throws Fault.
Counters run(const Launch& launch, GlobalMemory& memory, const Settings& settings);

// Where variables of a module are: global ones have addresses.
struct Places {
  std::unordered_map<std::string, uint64_t> global;
};
std::unique_ptr<Kernel> decode(std::shared_ptr<const Module> module, const Function& function, const Places& places);

// Calls with each lane that is set.
template <typename F>
inline void eachLane(uint32_t lanes, F&& f) {
  if (lanes == kAllLanes) {
    for (int l = 0; l < kLanes; ++l) f(l);
  } else {
    for (uint32_t rest = lanes; rest; rest &= rest - 1) f(std::countr_zero(rest));
  }
}

}  // namespace gpusim
