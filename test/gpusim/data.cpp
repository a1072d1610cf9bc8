// Loads, stores, atomics and asynchronous copies: what moves between registers and memory.
#include <algorithm>
#include <cmath>

#include "ops.h"

namespace gpusim {
namespace {

[[noreturn]] void fault(int lane, const std::string& what) {
  throw Fault("lane " + std::to_string(lane) + ": " + what);
}

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

// Distinct sectors of 32 bytes that a request touches.
void countGlobal(Warp& w, const uint64_t* addresses, uint32_t lanes, uint32_t bytes, bool loads) {
  Counters& c = w.block->counters;
  uint64_t sectors[kLanes * 2];
  int count = 0;
  eachLane(lanes, [&](int l) {
    for (uint64_t s = addresses[l] / 32; s <= (addresses[l] + bytes - 1) / 32; ++s) {
      if (std::find(sectors, sectors + count, s) == sectors + count && count < kLanes * 2) sectors[count++] = s;
    }
    c.globalBytes += bytes;
  });
  c.globalRequests += 1;
  c.globalSectors += uint64_t(count);
  const uint64_t ideal = (uint64_t(std::popcount(lanes)) * bytes + 31) / 32;
  c.idealSectors += ideal;
  if (bytes != 16) return;
  c.wideRequests += 1, c.wideLoads += loads;
  c.wideSectors += uint64_t(count), c.wideIdealSectors += ideal;
}

// Extra passes because different words lie in one of the 32 banks. Wide accesses are served in parts of 128 bytes.
void countShared(Warp& w, const uint64_t* addresses, uint32_t lanes, uint32_t bytes) {
  Counters& c = w.block->counters;
  const int perPart = int(std::max<uint32_t>(1, std::min<uint32_t>(32, 128 / bytes)));
  for (int begin = 0; begin < kLanes; begin += perPart) {
    uint64_t words[kLanes * 4];
    int total = 0, used[32] = {}, most = 0;
    for (int l = begin; l < begin + perPart; ++l) {
      if (!(lanes >> l & 1)) continue;
      for (uint64_t word = addresses[l] / 4; word <= (addresses[l] + bytes - 1) / 4; ++word) {
        if (std::find(words, words + total, word) != words + total) continue;
        words[total++] = word;
        most = std::max(most, ++used[word % 32]);
      }
    }
    if (most > 1) c.sharedConflicts += uint64_t(most - 1);
  }
  c.sharedRequests += 1;
}

// Where an access of a lane goes, as memory of the host.
struct Target {
  Warp& w;
  const Settings& settings = w.block->settings;

  uint8_t* global(uint64_t address, uint32_t bytes, bool writes, int lane) {
    GlobalMemory::Block& cached = w.cached;
    if (address < cached.begin || address + bytes > cached.end) {
      const GlobalMemory::Block found = w.block->global.find(address, bytes);
      if (!found.end) {
        fault(lane, std::string(writes ? "writes " : "reads ") + std::to_string(bytes) + " bytes at " + hex(address) +
                        ", out of bounds: " + w.block->global.describe(address));
      }
      cached = found;
    }
    if (settings.count) std::memset((writes ? cached.writtenNow : cached.readNow) + (address - cached.begin), 1, bytes);
    uint8_t* written = cached.written + (address - cached.begin);
    if (writes) {
      std::memset(written, 1, bytes);
    } else if (settings.uninitialised) {
      for (uint32_t i = 0; i < bytes; ++i) {
        if (!written[i]) {
          fault(lane,
                "reads global memory at " + hex(address) + " that nobody wrote: " + w.block->global.describe(address));
        }
      }
    }
    return reinterpret_cast<uint8_t*>(address);
  }

  uint8_t* shared(uint64_t at, uint32_t bytes, bool writes, int lane) {
    SharedMemory& memory = w.block->shared;
    if (at + bytes > memory.size()) {
      fault(lane, std::string(writes ? "writes " : "reads ") + std::to_string(bytes) + " bytes at " +
                      std::to_string(at) + " of shared memory, out of bounds: the block has " +
                      std::to_string(memory.size()));
    }
    const char* wrong = writes
                            ? memory.checkWrite(uint32_t(at), bytes, w.number, settings.races)
                            : memory.checkRead(uint32_t(at), bytes, w.number, settings.uninitialised, settings.races);
    if (wrong) fault(lane, std::string(wrong) + ", at " + std::to_string(at));
    return memory.data() + at;
  }

  uint8_t* local(uint64_t at, uint32_t bytes, int lane) {
    const size_t size = w.block->kernel.localBytes;
    if (at + bytes > size) fault(lane, "local memory out of bounds, at " + std::to_string(at));
    return w.local.data() + size_t(lane) * size + at;
  }

  uint8_t* parameter(uint64_t at, uint32_t bytes, int lane) {
    const auto& parameters = w.block->parameters;
    if (at + bytes > parameters.size()) fault(lane, "parameters out of bounds, at " + std::to_string(at));
    return const_cast<uint8_t*>(parameters.data()) + at;
  }

  uint8_t* of(Space space, uint64_t address, uint32_t bytes, bool writes, int lane) {
    if (address % bytes) fault(lane, "misaligned address " + hex(address) + " for " + std::to_string(bytes) + " bytes");
    switch (space) {
      case Space::kGlobal: return global(address, bytes, writes, lane);
      case Space::kShared: return shared(address & ~kWindowMask, bytes, writes, lane);
      case Space::kLocal: return local(address & ~kWindowMask, bytes, lane);
      case Space::kParameter: return parameter(address & ~kWindowMask, bytes, lane);
      default: return of(spaceOf(address), address, bytes, writes, lane);
    }
  }

  static Space spaceOf(uint64_t address) {
    switch (address & kWindowMask) {
      case kSharedWindow: return Space::kShared;
      case kLocalWindow: return Space::kLocal;
      case kParameterWindow: return Space::kParameter;
      default: return Space::kGlobal;
    }
  }
};

// Addresses of an operand and its offset.
struct Addresses {
  uint64_t at[kLanes];
  Addresses(Warp& w, uint32_t operand, int64_t offset, uint32_t lanes) {
    const uint64_t* base = w.lane<uint64_t>(operand);
    eachLane(lanes, [&](int l) { at[l] = base[l] + uint64_t(offset); });
  }
};

void countAccess(Warp& w, Space space, const Addresses& addresses, uint32_t lanes, uint32_t bytes, bool loads) {
  if (!w.block->settings.count || !lanes) return;
  if (space == Space::kGeneric) space = Target::spaceOf(addresses.at[std::countr_zero(lanes)]);
  if (space == Space::kGlobal) countGlobal(w, addresses.at, lanes, bytes, loads);
  if (space == Space::kShared) countShared(w, addresses.at, lanes, bytes);
}

uint64_t read(const uint8_t* from, int bytes, bool isSigned) {
  uint64_t value = 0;
  std::memcpy(&value, from, size_t(bytes));
  if (isSigned) value = uint64_t(int64_t(value << (64 - 8 * bytes)) >> (64 - 8 * bytes));
  return value;
}

// operand: registers…, address
void runLoad(Warp& w, const Instruction& i, uint32_t lanes) {
  const Access access = Access::of(i.option);
  const uint32_t bytes = uint32_t(access.element) * i.count;
  const Addresses addresses(w, i.operand[i.count], i.immediate, lanes);
  countAccess(w, access.space, addresses, lanes, bytes, true);
  Target target{w};
  eachLane(lanes, [&](int l) {
    const uint8_t* from = target.of(access.space, addresses.at[l], bytes, false, l);
    for (int k = 0; k < i.count; ++k) {
      const uint64_t value = read(from + k * access.element, access.element, access.isSigned);
      if (access.wide >> k & 1)
        w.lane<uint64_t>(i.operand[size_t(k)])[l] = value;
      else
        w.lane<uint32_t>(i.operand[size_t(k)])[l] = uint32_t(value);
    }
  });
}

// operand: address, registers…
void runStore(Warp& w, const Instruction& i, uint32_t lanes) {
  const Access access = Access::of(i.option);
  const uint32_t bytes = uint32_t(access.element) * i.count;
  const Addresses addresses(w, i.operand[0], i.immediate, lanes);
  countAccess(w, access.space, addresses, lanes, bytes, false);
  Target target{w};
  eachLane(lanes, [&](int l) {
    uint8_t* to = target.of(access.space, addresses.at[l], bytes, true, l);
    for (int k = 0; k < i.count; ++k) {
      const void* value = access.wide >> k & 1 ? static_cast<void*>(w.lane<uint64_t>(i.operand[size_t(k) + 1]) + l)
                                               : static_cast<void*>(w.lane<uint32_t>(i.operand[size_t(k) + 1]) + l);
      std::memcpy(to + k * access.element, value, access.element);
    }
  });
}

template <typename T>
T combined(AtomicKind kind, T old, T value, T other) {
  switch (kind) {
    case AtomicKind::kAdd: return T(old + value);
    case AtomicKind::kMin: return std::min(old, value);
    case AtomicKind::kMax: return std::max(old, value);
    case AtomicKind::kExchange: return value;
    case AtomicKind::kCompare: return old == value ? other : old;
    default: break;
  }
  if constexpr (std::is_integral_v<T>) {
    if (kind == AtomicKind::kAnd) return old & value;
    if (kind == AtomicKind::kOr) return old | value;
    if (kind == AtomicKind::kXor) return old ^ value;
    if (kind == AtomicKind::kIncrement) return old >= value ? T(0) : T(old + 1);
    if (kind == AtomicKind::kDecrement) return old == 0 || old > value ? value : T(old - 1);
  }
  return old;
}

template <typename T>
uint64_t exchange(uint8_t* at, AtomicKind kind, uint64_t value, uint64_t other) {
  T old, a, b;
  std::memcpy(&old, at, sizeof(T));
  std::memcpy(&a, &value, sizeof(T));
  std::memcpy(&b, &other, sizeof(T));
  const T result = combined(kind, old, a, b);
  std::memcpy(at, &result, sizeof(T));
  uint64_t bits = 0;
  std::memcpy(&bits, &old, sizeof(T));
  return bits;
}

// operand: old value, address, value, second value. option: access | kind << 12 | type << 16. Lanes take turns.
void runAtomic(Warp& w, const Instruction& i, uint32_t lanes) {
  const Access access = Access::of(i.option & 0xfff);
  const auto kind = AtomicKind(i.option >> 12 & 15);
  const auto type = ElementType(i.option >> 16 & 3);
  const Addresses addresses(w, i.operand[1], i.immediate, lanes);
  countAccess(w, access.space, addresses, lanes, access.element, false);
  Target target{w};
  const bool wide = access.element == 8;
  const auto value = [&](size_t operand, int l) {
    if (i.operand[operand] == kNoOperand) return uint64_t(0);
    return wide ? w.lane<uint64_t>(i.operand[operand])[l] : w.lane<uint32_t>(i.operand[operand])[l];
  };
  eachLane(lanes, [&](int l) {
    const uint64_t address = addresses.at[l];
    const Space space = access.space == Space::kGeneric ? Target::spaceOf(address) : access.space;
    if (address % access.element) fault(l, "misaligned address " + hex(address) + " of an atomic");
    uint8_t* at = nullptr;
    if (space == Space::kShared) {
      // Atomics of several warps are no hazard, but each reads what must be there.
      const uint64_t offset = address & ~kWindowMask;
      if (offset + access.element > w.block->shared.size()) fault(l, "an atomic out of bounds of shared memory");
      at = w.block->shared.data() + offset;
    } else {
      at = target.global(address, access.element, false, l);
    }
    std::lock_guard lock(w.block->global.atomic(address));
    uint64_t old = 0;
    const uint64_t a = value(2, l), b = value(3, l);
    if (type == ElementType::kFloat) {
      old = wide ? exchange<double>(at, kind, a, b) : exchange<float>(at, kind, a, b);
    } else if (type == ElementType::kSigned) {
      old = wide ? exchange<int64_t>(at, kind, a, b) : exchange<int32_t>(at, kind, a, b);
    } else {
      old = wide ? exchange<uint64_t>(at, kind, a, b) : exchange<uint32_t>(at, kind, a, b);
    }
    if (i.operand[0] == kNoOperand) return;
    if (wide)
      w.lane<uint64_t>(i.operand[0])[l] = old;
    else
      w.lane<uint32_t>(i.operand[0])[l] = uint32_t(old);
  });
}

// operand: shared address, global address, bytes given (or none). size: bytes of the copy. The bytes lie spoilt until
// the thread that asked for them has waited.
void runCopyAsync(Warp& w, const Instruction& i, uint32_t lanes) {
  const Addresses to(w, i.operand[0], i.immediate, lanes), from(w, i.operand[1], i.option, lanes);
  const uint32_t size = i.size;
  const uint32_t* given = i.operand[2] == kNoOperand ? nullptr : w.lane<uint32_t>(i.operand[2]);
  if (w.block->settings.count) {
    countShared(w, to.at, lanes, size);
    uint32_t reading = 0;
    eachLane(lanes, [&](int l) { reading |= uint32_t(!given || given[l] > 0) << l; });
    if (reading) countGlobal(w, from.at, reading, size, true);
  }
  Target target{w};
  eachLane(lanes, [&](int l) {
    AsyncCopy copy{uint32_t(to.at[l] & ~kWindowMask), size, given ? std::min(given[l], size) : size, {}};
    if (copy.to % size || from.at[l] % size)
      fault(l, "misaligned asynchronous copy of " + std::to_string(size) + " bytes");
    if (copy.given) std::memcpy(copy.data.data(), target.global(from.at[l], copy.given, false, l), copy.given);
    uint8_t* place = target.shared(copy.to, size, true, l);
    std::memset(place, 0xff, size);
    w.block->shared.markUnwritten(copy.to, size);
    auto& groups = w.copies[size_t(l)];
    if (groups.empty()) groups.emplace_back();
    groups.back().push_back(copy);
  });
}

void runCommit(Warp& w, const Instruction&, uint32_t lanes) {
  eachLane(lanes, [&](int l) {
    auto& groups = w.copies[size_t(l)];
    if (groups.empty()) groups.emplace_back();
    groups.emplace_back();
  });
}

// immediate: how many of the latest committed groups may stay under way; −1: none, nor what is not committed.
void runAwait(Warp& w, const Instruction& i, uint32_t lanes) {
  Target target{w};
  eachLane(lanes, [&](int l) {
    auto& groups = w.copies[size_t(l)];
    const size_t committed = groups.empty() ? 0 : groups.size() - 1;
    const size_t done = i.immediate < 0 ? groups.size() : committed - std::min(committed, size_t(i.immediate));
    for (size_t g = 0; g < done; ++g) {
      for (const AsyncCopy& copy : groups[g]) {
        std::memcpy(target.shared(copy.to, copy.size, true, l), copy.data.data(), copy.size);
      }
    }
    groups.erase(groups.begin(), groups.begin() + std::ptrdiff_t(done));
  });
}

// operand: registers…, address. Eight lanes each give the rows of a matrix of 8 × 8 16-bit elements. option:
// transposed.
void runLoadMatrix(Warp& w, const Instruction& i, uint32_t lanes) {
  if (lanes != kAllLanes) throw Fault("ldmatrix without all lanes");
  const Addresses addresses(w, i.operand[i.count], i.immediate, lanes);
  Target target{w};
  for (int m = 0; m < i.count; ++m) {
    uint16_t matrix[8][8];
    uint64_t rows[kLanes] = {};
    for (int r = 0; r < 8; ++r) {
      const int lane = m * 8 + r;
      std::memcpy(matrix[r], target.of(Space::kShared, addresses.at[lane], 16, false, lane), 16);
      rows[r] = addresses.at[lane];
    }
    if (w.block->settings.count) countShared(w, rows, 0xff, 16);
    uint32_t* d = w.lane<uint32_t>(i.operand[size_t(m)]);
    for (int l = 0; l < kLanes; ++l) {
      const int row = l / 4, column = l % 4 * 2;
      d[l] = i.option ? matrix[column][row] | uint32_t(matrix[column + 1][row]) << 16
                      : matrix[row][column] | uint32_t(matrix[row][column + 1]) << 16;
    }
  }
}

// As runLoadMatrix, the other way. operand: address, registers…
void runStoreMatrix(Warp& w, const Instruction& i, uint32_t lanes) {
  if (lanes != kAllLanes) throw Fault("stmatrix without all lanes");
  const Addresses addresses(w, i.operand[0], i.immediate, lanes);
  Target target{w};
  for (int m = 0; m < i.count; ++m) {
    uint16_t matrix[8][8];
    const uint32_t* s = w.lane<uint32_t>(i.operand[size_t(m) + 1]);
    for (int l = 0; l < kLanes; ++l) {
      for (int half = 0; half < 2; ++half) {
        const int row = l / 4, column = l % 4 * 2 + half;
        (i.option ? matrix[column][row] : matrix[row][column]) = uint16_t(s[l] >> 16 * half);
      }
    }
    for (int r = 0; r < 8; ++r) {
      std::memcpy(target.of(Space::kShared, addresses.at[m * 8 + r], 16, true, m * 8 + r), matrix[r], 16);
    }
  }
}

void runNarrow(Warp& w, const Instruction& i, uint32_t lanes) {
  auto* d = w.lane<uint32_t>(i.operand[0]);
  const auto* s = w.lane<uint64_t>(i.operand[1]);
  eachLane(lanes, [&](int l) { d[l] = uint32_t(s[l]); });
}
void runWiden(Warp& w, const Instruction& i, uint32_t lanes) {
  auto* d = w.lane<uint64_t>(i.operand[0]);
  const auto* s = w.lane<uint32_t>(i.operand[1]);
  eachLane(lanes, [&](int l) { d[l] = s[l]; });
}
void runWidenSigned(Warp& w, const Instruction& i, uint32_t lanes) {
  auto* d = w.lane<uint64_t>(i.operand[0]);
  const auto* s = w.lane<uint32_t>(i.operand[1]);
  eachLane(lanes, [&](int l) { d[l] = uint64_t(int64_t(int32_t(s[l]))); });
}

// mov of {a, b, …} into one register, or the other way. size: bits of a part; option: which sides have 8 bytes.
void runPack(Warp& w, const Instruction& i, uint32_t lanes) {
  eachLane(lanes, [&](int l) {
    uint64_t value = 0;
    for (int k = 0; k < i.count; ++k) {
      const uint64_t part = w.lane<uint32_t>(i.operand[size_t(k) + 1])[l];
      value |= (i.size == 32 ? part : part & 0xffff) << k * i.size;
    }
    if (i.option)
      w.lane<uint64_t>(i.operand[0])[l] = value;
    else
      w.lane<uint32_t>(i.operand[0])[l] = uint32_t(value);
  });
}
// operand: parts…, the whole
void runUnpack(Warp& w, const Instruction& i, uint32_t lanes) {
  eachLane(lanes, [&](int l) {
    const uint32_t from = i.operand[i.count];
    const uint64_t value = i.option ? w.lane<uint64_t>(from)[l] : w.lane<uint32_t>(from)[l];
    for (int k = 0; k < i.count; ++k) {
      if (i.operand[size_t(k)] == kNoOperand) continue;
      const auto part = uint32_t(value >> k * i.size);
      w.lane<uint32_t>(i.operand[size_t(k)])[l] = i.size == 32 ? part : part & 0xffff;
    }
  });
}

}  // namespace

namespace handlers {
const Handler load = runLoad, store = runStore, atomic = runAtomic;
const Handler copyAsync = runCopyAsync, commitCopies = runCommit, awaitCopies = runAwait;
const Handler loadMatrix = runLoadMatrix, storeMatrix = runStoreMatrix;
const Handler narrow = runNarrow, widen = runWiden, widenSigned = runWidenSigned, pack = runPack, unpack = runUnpack;
}  // namespace handlers

}  // namespace gpusim
