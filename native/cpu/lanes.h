// Loops over contiguous floats a register at a time: whole registers without masks, then one partial one.
//   forLanes(n, [&](int64_t i, auto lanes) { store(load(x + i, lanes) + load(y + i, lanes), z + i, lanes); });
#pragma once
#include "cpu/vec.h"

namespace duo::cpu::DUO_ISA {

struct AllLanes {};

inline VecF load(const float* p, AllLanes) { return VecF::load(p); }
inline VecF load(const float* p, int64_t n) { return VecF::load(p, n); }
inline void store(VecF v, float* p, AllLanes) { v.store(p); }
inline void store(VecF v, float* p, int64_t n) { v.store(p, n); }
// v, with `other` in the lanes that are not there.
inline VecF fillRest(VecF v, VecF, AllLanes) { return v; }
inline VecF fillRest(VecF v, VecF other, int64_t n) {
  float lanes[VecF::kLanes];
  other.store(lanes);
  v.store(lanes, n);
  return VecF::load(lanes);
}

template <typename Fn>
inline void forLanes(int64_t n, const Fn& fn) {
  int64_t i = 0;
  for (; i + VecF::kLanes <= n; i += VecF::kLanes) fn(i, AllLanes{});
  if (i < n) fn(i, n - i);
}

// Σ fn(i, lanes), fn giving 0 in the lanes that are not there. Four accumulators hide the latency of addition; how they
// are shared out depends on n alone.
template <typename Fn>
inline float sumLanes(int64_t n, const Fn& fn) {
  constexpr int64_t kLanes = VecF::kLanes;
  VecF a0 = VecF::zero(), a1 = a0, a2 = a0, a3 = a0;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a0 = a0 + fn(i, AllLanes{}), a1 = a1 + fn(i + kLanes, AllLanes{});
    a2 = a2 + fn(i + 2 * kLanes, AllLanes{}), a3 = a3 + fn(i + 3 * kLanes, AllLanes{});
  }
  for (; i + kLanes <= n; i += kLanes) a0 = a0 + fn(i, AllLanes{});
  if (i < n) a1 = a1 + fn(i, n - i);
  return sum((a0 + a1) + (a2 + a3));
}

}  // namespace duo::cpu::DUO_ISA
