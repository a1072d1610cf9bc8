// What lanes of a warp tell each other: shuffles, votes, matches, reductions. All lanes of the mask are at this place
// when these run.
#include "ops.h"

namespace gpusim {
namespace {

// operand: d, mask, p or none, a, b, c. option: ShuffleKind
void runShuffle(Warp& w, const Instruction& i, uint32_t lanes) {
  auto* d = w.lane<uint32_t>(i.operand[0]);
  uint32_t before[kLanes];
  std::memcpy(before, w.lane<uint32_t>(i.operand[3]), sizeof before);
  const uint32_t *bs = w.lane<uint32_t>(i.operand[4]), *cs = w.lane<uint32_t>(i.operand[5]);
  uint32_t valid = 0;
  eachLane(lanes, [&](int l) {
    const int b = int(bs[l] & 31), clamp = int(cs[l] & 31), segment = int(cs[l] >> 8 & 31);
    const int most = (l & segment) | (clamp & ~segment), least = l & segment;
    int from = 0;
    bool inside = false;
    switch (ShuffleKind(i.option)) {
      case ShuffleKind::kUp: from = l - b, inside = from >= most; break;
      case ShuffleKind::kDown: from = l + b, inside = from <= most; break;
      case ShuffleKind::kButterfly: from = l ^ b, inside = from <= most; break;
      case ShuffleKind::kIndex: from = least | (b & ~segment), inside = from <= most; break;
    }
    if (!inside) from = l;
    if (w.block->settings.convergence && !(lanes >> from & 1)) {
      throw Fault("lane " + std::to_string(l) + ": shuffles from lane " + std::to_string(from) +
                  ", which is not there");
    }
    d[l] = before[from];
    valid |= uint32_t(inside) << l;
  });
  if (i.operand[2] != kNoOperand) {
    uint32_t& p = w.predicate(i.operand[2]);
    p = (p & ~lanes) | valid;
  }
}

// operand: d, mask, p. option: VoteKind; immediate: negate
void runVote(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t p = (i.immediate ? ~w.predicate(i.operand[2]) : w.predicate(i.operand[2])) & lanes;
  const auto kind = VoteKind(i.option);
  if (kind == VoteKind::kBallot) {
    auto* d = w.lane<uint32_t>(i.operand[0]);
    eachLane(lanes, [&](int l) { d[l] = p; });
    return;
  }
  const bool result = kind == VoteKind::kAll ? p == lanes : kind == VoteKind::kAny ? p != 0 : p == 0 || p == lanes;
  uint32_t& d = w.predicate(i.operand[0]);
  d = result ? d | lanes : d & ~lanes;
}

// operand: d, mask, a. option: 1: all equal, else the lanes that are; size: bytes of a
void runMatch(Warp& w, const Instruction& i, uint32_t lanes) {
  const auto value = [&](int l) {
    return i.size == 8 ? w.lane<uint64_t>(i.operand[2])[l] : w.lane<uint32_t>(i.operand[2])[l];
  };
  uint32_t result[kLanes] = {};
  eachLane(lanes, [&](int l) {
    eachLane(lanes, [&](int other) { result[l] |= uint32_t(value(l) == value(other)) << other; });
    if (i.option && result[l] != lanes) result[l] = 0;
  });
  auto* d = w.lane<uint32_t>(i.operand[0]);
  eachLane(lanes, [&](int l) { d[l] = result[l]; });
}

// operand: d, mask, a. option: AtomicKind | signed << 8
void runReduce(Warp& w, const Instruction& i, uint32_t lanes) {
  const auto* a = w.lane<uint32_t>(i.operand[2]);
  const auto kind = AtomicKind(i.option & 0xff);
  const bool isSigned = i.option >> 8;
  uint32_t sum = 0;
  bool first = true;
  eachLane(lanes, [&](int l) {
    const uint32_t x = a[l];
    if (first) {
      sum = x;
    } else if (kind == AtomicKind::kAdd) {
      sum += x;
    } else if (kind == AtomicKind::kAnd) {
      sum &= x;
    } else if (kind == AtomicKind::kOr) {
      sum |= x;
    } else if (kind == AtomicKind::kXor) {
      sum ^= x;
    } else {
      const bool less = isSigned ? int32_t(x) < int32_t(sum) : x < sum;
      if (less == (kind == AtomicKind::kMin)) sum = x;
    }
    first = false;
  });
  auto* d = w.lane<uint32_t>(i.operand[0]);
  eachLane(lanes, [&](int l) { d[l] = sum; });
}

void runActiveMask(Warp& w, const Instruction& i, uint32_t lanes) {
  auto* d = w.lane<uint32_t>(i.operand[0]);
  eachLane(lanes, [&](int l) { d[l] = lanes; });
}

}  // namespace

namespace handlers {
const Handler shuffle = runShuffle, vote = runVote, match = runMatch, reduceLanes = runReduce,
              activeMask = runActiveMask;
}  // namespace handlers

}  // namespace gpusim
