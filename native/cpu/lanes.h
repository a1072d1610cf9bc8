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

}  // namespace duo::cpu::DUO_ISA
