// Control flow and what lanes and warps do together: each kernel writes one number for each thread.
#include "program.h"

namespace gpusim::selftest {
namespace {

std::string kernel(const std::string& body) {
  return R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry many(.param .u64 out)
{
  .reg .pred %p<10>;
  .reg .b32 %r<20>;
  .reg .b64 %rd<10>;
  .shared .align 4 .b8 words[1024];
  ld.param.u64 %rd1, [out];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  mov.u32 %r15, words;
  shl.b32 %r16, %r1, 2;
  add.s32 %r17, %r15, %r16;
)" + body +
         R"(
  st.global.u32 [%rd3], %r9;
  ret;
}
)";
}

template <typename F>
void check(const char* what, const std::string& body, uint32_t threads, F&& want) {
  for (const uint64_t shuffle : {0, 1, 2}) {
    Device device;
    device.settings.shuffle = shuffle;
    const uint64_t out = device.put(std::vector<uint8_t>(size_t(threads) * 4, 0xff));
    const std::string wrong = device.run(kernel(body), {out}, threads);
    bool right = wrong.empty();
    for (uint32_t t = 0; right && t < threads; ++t) {
      uint32_t got = 0;
      std::memcpy(&got, reinterpret_cast<const void*>(out + t * 4), 4);
      right = got == uint32_t(want(t));
      if (!right) std::printf("thread %u: got %u\n", t, got);
    }
    expect(right, std::string(what) + " " + wrong);
  }
}

uint32_t collatz(uint32_t n) {
  uint32_t steps = 0;
  for (; n != 1; ++steps) n = n % 2 ? 3 * n + 1 : n / 2;
  return steps;
}

}  // namespace

void testControl() {
  check("a loop that lanes leave at different times", R"(
  add.s32 %r2, %r1, 1;
  mov.u32 %r9, 0;
LOOP:
  setp.eq.s32 %p1, %r2, 1;
  @%p1 bra DONE;
  and.b32 %r3, %r2, 1;
  setp.eq.s32 %p2, %r3, 0;
  @%p2 bra EVEN;
  mad.lo.s32 %r2, %r2, 3, 1;
  bra.uni NEXT;
EVEN:
  shr.u32 %r2, %r2, 1;
NEXT:
  add.s32 %r9, %r9, 1;
  bra.uni LOOP;
DONE:)",
        100, [](uint32_t t) { return collatz(t + 1); });
  check("a predicate guards single instructions", R"(
  setp.gt.u32 %p1, %r1, 10;
  mov.u32 %r9, 1;
  @%p1 mov.u32 %r9, 2;
  @!%p1 add.s32 %r9, %r9, 4;)",
        40, [](uint32_t t) { return t > 10 ? 2 : 5; });
  check("early exits leave the others a barrier", R"(
  mov.u32 %r9, 3;
  st.global.u32 [%rd3], %r9;
  setp.gt.u32 %p1, %r1, 50;
  @%p1 ret;
  bar.sync 0;
  mov.u32 %r9, 4;)",
        64, [](uint32_t t) { return t > 50 ? 3 : 4; });
  check("a barrier orders warps", R"(
  st.shared.u32 [%r17], %r1;
  bar.sync 0;
  xor.b32 %r2, %r16, 128;
  add.s32 %r3, %r15, %r2;
  ld.shared.u32 %r9, [%r3];)",
        64, [](uint32_t t) { return t ^ 32; });
  check("bar.arrive of producers lets consumers go", R"(
  setp.gt.u32 %p1, %r1, 31;
  mov.u32 %r9, 0;
  @%p1 bra CONSUME;
  st.shared.u32 [%r17], %r1;
  bar.arrive 1, 64;
  bra.uni END;
CONSUME:
  bar.sync 1, 64;
  ld.shared.u32 %r9, [%r17+-128];
END:)",
        64, [](uint32_t t) { return t < 32 ? 0 : t - 32; });
  check("bar.red counts, and's and or's", R"(
  setp.lt.u32 %p1, %r1, 40;
  bar.red.popc.u32 %r2, 0, %p1;
  bar.red.or.pred %p2, 0, %p1;
  bar.red.and.pred %p3, 0, %p1;
  selp.u32 %r3, 1000, 0, %p2;
  selp.u32 %r4, 5000, 0, %p3;
  add.s32 %r9, %r2, %r3;
  add.s32 %r9, %r9, %r4;)",
        64, [](uint32_t) { return 1040; });
  check("shuffles: up, down, butterfly, index, in segments", R"(
  shfl.sync.up.b32 %r2|%p1, %r1, 1, 0, -1;
  shfl.sync.down.b32 %r3, %r1, 2, 31, -1;
  shfl.sync.bfly.b32 %r4, %r1, 5, 31, -1;
  shfl.sync.idx.b32 %r5, %r1, 3, 0x1807, -1;
  selp.u32 %r6, 0, 1000000, %p1;
  mad.lo.s32 %r9, %r2, 32, %r3;
  mad.lo.s32 %r9, %r9, 32, %r4;
  mad.lo.s32 %r9, %r9, 32, %r5;
  add.s32 %r9, %r9, %r6;)",
        32, [](uint32_t t) {
          const uint32_t up = t ? t - 1 : 0, down = t + 2 < 32 ? t + 2 : t;
          return ((up * 32 + down) * 32 + (t ^ 5)) * 32 + (t / 8 * 8 + 3) + (t ? 0 : 1000000);
        });
  check("votes, matches and reductions of lanes", R"(
  setp.lt.u32 %p1, %r1, 5;
  vote.sync.ballot.b32 %r2, %p1, -1;
  vote.sync.any.pred %p2, %p1, -1;
  vote.sync.all.pred %p3, %p1, -1;
  and.b32 %r3, %r1, 3;
  match.any.sync.b32 %r4, %r3, -1;
  popc.b32 %r5, %r4;
  redux.sync.add.s32 %r6, %r1, -1;
  redux.sync.max.u32 %r7, %r1, -1;
  selp.u32 %r8, 1, 0, %p2;
  selp.u32 %r10, 1, 0, %p3;
  add.s32 %r9, %r2, %r5;
  add.s32 %r9, %r9, %r6;
  add.s32 %r9, %r9, %r7;
  mad.lo.s32 %r9, %r8, 10000, %r9;
  mad.lo.s32 %r9, %r10, 20000, %r9;)",
        32, [](uint32_t) { return 31 + 8 + 496 + 31 + 10000; });
  check("half a warp shuffles by itself", R"(
  mov.u32 %r9, 7;
  setp.gt.u32 %p1, %r1, 15;
  @%p1 bra END;
  shfl.sync.bfly.b32 %r9, %r1, 8, 31, 0xffff;
END:)",
        32, [](uint32_t t) { return t < 16 ? t ^ 8 : 7; });
  check("lanes that come later are waited for", R"(
  setp.gt.u32 %p1, %r1, 15;
  mov.u32 %r2, 1;
  @%p1 bra MEET;
  add.s32 %r2, %r2, 1;
  add.s32 %r2, %r2, 1;
MEET:
  redux.sync.add.s32 %r9, %r2, -1;)",
        32, [](uint32_t) { return 16 * 3 + 16; });
  check("local memory is each lane's own", R"(
  {
  .local .align 4 .b8 depot[8];
  .reg .b64 %rd;
  mov.u64 %rd, depot;
  st.local.u32 [%rd+4], %r1;
  ld.local.u32 %r9, [%rd+4];
  })",
        64, [](uint32_t t) { return t; });
  check("generic addresses reach shared memory", R"(
  cvt.u64.u32 %rd4, %r17;
  cvta.shared.u64 %rd5, %rd4;
  st.u32 [%rd5], %r1;
  ld.shared.u32 %r9, [%r17];)",
        64, [](uint32_t t) { return t; });
  check("labels of a block are its own", R"(
  mov.u32 %r9, 0;
  { bra.uni L; L: add.s32 %r9, %r9, 1; }
  { bra.uni L; L: add.s32 %r9, %r9, 1; })",
        32, [](uint32_t) { return 2; });

  Device device;
  const uint64_t out = device.put(std::vector<uint8_t>(128));
  const std::string unknown = device.run(kernel("frobnicate.b32 %r9, %r1;"), {out}, 32);
  expect(unknown.find("frobnicate.b32") != std::string::npos, "an unknown instruction is named: " + unknown);
}

}  // namespace gpusim::selftest
