// A kernel that is right, and what is found when it is broken: each break by the check that is there for it.
#include "program.h"

namespace gpusim::selftest {
namespace {

// Two warps: each thread brings 16 bytes by an asynchronous copy, adds up what the other warp brought, and the sums are
// reduced through shared memory and shuffles.
const std::string kRight = R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry pipeline(.param .u64 out, .param .u64 in)
{
  .reg .pred %p<4>;
  .reg .b32 %r<20>;
  .reg .b64 %rd<20>;
  .reg .f32 %f<20>;
  .shared .align 16 .b8 tile[1024];
  ld.param.u64 %rd1, [out];
  ld.param.u64 %rd2, [in];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd3, %r1, 16;
  add.s64 %rd4, %rd2, %rd3;
  mov.u32 %r2, tile;
  shl.b32 %r3, %r1, 4;
  add.s32 %r4, %r2, %r3;
  cp.async.cg.shared.global [%r4], [%rd4], 16;
  cp.async.commit_group;
  cp.async.wait_group 0;
  bar.sync 0; // landed
  xor.b32 %r5, %r3, 512;
  add.s32 %r6, %r2, %r5;
  ld.shared.v4.f32 {%f1, %f2, %f3, %f4}, [%r6];
  add.f32 %f5, %f1, %f2;
  add.f32 %f6, %f3, %f4;
  add.f32 %f7, %f5, %f6;
  bar.sync 0; // read
  shl.b32 %r7, %r1, 2;
  add.s32 %r8, %r2, %r7;
  st.shared.f32 [%r8], %f7;
  bar.sync 0; // summed
  setp.gt.u32 %p1, %r1, 31;
  @%p1 bra DONE;
  ld.shared.f32 %f8, [%r8+128];
  ld.shared.f32 %f9, [%r8];
  add.f32 %f10, %f8, %f9;
  mov.u32 %r11, 16;
FOLD:
  mov.b32 %r9, %f10;
  shfl.sync.bfly.b32 %r10, %r9, %r11, 31, -1;
  mov.b32 %f11, %r10;
  add.f32 %f10, %f10, %f11;
  shr.u32 %r11, %r11, 1;
  setp.ne.s32 %p2, %r11, 0;
  @%p2 bra FOLD;
  setp.ne.u32 %p3, %r1, 0;
  @%p3 bra DONE;
  st.global.f32 [%rd1], %f10;
DONE:
  ret;
}
)";

struct Mutation {
  const char *what, *from, *to;
  const char* finds;  // a part of the report; empty: nothing, it is right
};

const Mutation kMutations[] = {
    {"nothing", "", "", ""},
    {"no wait for the copies", "  cp.async.wait_group 0;\n", "", "that nobody wrote"},
    {"a wait that is one too lax", "wait_group 0", "wait_group 1", "that nobody wrote"},
    {"no barrier after the copies", "  bar.sync 0; // landed\n", "", "that nobody wrote"},
    {"a wait after the barrier", "  cp.async.wait_group 0;\n  bar.sync 0; // landed",
     "  bar.sync 0;\n  cp.async.wait_group 0;", "that nobody wrote"},
    {"no barrier before a tile is overwritten", "  bar.sync 0; // read\n", "", "another warp"},
    {"no barrier after sums are written", "  bar.sync 0; // summed\n", "", "another warp"},
    {"bounds off by one", "add.s64 %rd4, %rd2, %rd3;", "add.s64 %rd4, %rd2, %rd3; add.s64 %rd4, %rd4, 16;",
     "out of bounds: 0 bytes past"},
    {"a result beyond its block", "st.global.f32 [%rd1], %f10;", "st.global.f32 [%rd1+4], %f10;", "writes 4 bytes"},
    {"rows that lie askew", "shl.b32 %r3, %r1, 4;", "mul.lo.s32 %r3, %r1, 12;", "misaligned"},
    {"a swizzle that leaves the tile", "xor.b32 %r5, %r3, 512;", "xor.b32 %r5, %r3, 1024;",
     "of shared memory, out of bounds"},
    {"a tail that is not filled with zeros", "  cp.async.cg.shared.global [%r4], [%rd4], 16;\n",
     "  setp.lt.u32 %p1, %r1, 60;\n  @%p1 cp.async.cg.shared.global [%r4], [%rd4], 16;\n", "that nobody wrote"},
    {"one accumulator for all warps", "add.s32 %r8, %r2, %r7;", "and.b32 %r7, %r7, 127; add.s32 %r8, %r2, %r7;",
     "writes what another warp wrote"},
    {"a mask that leaves lanes out", "%r11, 31, -1;", "%r11, 31, 0xffff;", "that its mask does not name"},
    {"a mask of lanes that are elsewhere", "setp.gt.u32 %p1, %r1, 31;", "setp.gt.u32 %p1, %r1, 15;",
     "lanes that never come"},
    {"a shuffle from a lane that is not there", "setp.gt.u32 %p1, %r1, 31;\n  @%p1 bra DONE;",
     "setp.gt.u32 %p1, %r1, 15;\n  @%p1 bra DONE;\n  shfl.sync.bfly.b32 %r10, %r1, 16, 31, 0xffff;",
     "which is not there"},
    {"a barrier that half a warp reaches", "  bar.sync 0; // read\n",
     "  setp.gt.u32 %p1, %r1, 47;\n  @%p1 bra READ;\n  bar.sync 0;\nREAD:\n", "only some lanes"},
    {"a barrier that waits for more threads", "bar.sync 0; // summed", "bar.sync 0, 96;", "waits for ever"},
    {"a number that nobody wrote", "add.f32 %f10, %f8, %f9;", "ld.global.f32 %f10, [%rd1+-0];", "reads global memory"},
};

}  // namespace

void testMutations() {
  for (const Mutation& mutation : kMutations) {
    std::string text = kRight;
    if (*mutation.from) {
      const size_t at = text.find(mutation.from);
      expect(at != std::string::npos, std::string("the place to break: ") + mutation.what);
      if (at == std::string::npos) continue;
      text.replace(at, std::strlen(mutation.from), mutation.to);
    }
    Device device;
    std::vector<uint8_t> bytes(1024);
    for (size_t i = 0; i < 256; ++i) {
      const float value = float(i);
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
    const uint64_t in = device.put(bytes), out = device.memory.take(4);
    const std::string report = device.run(text, {out, in}, 64);
    if (*mutation.finds) {
      expect(report.find(mutation.finds) != std::string::npos, std::string(mutation.what) + ": " + report);
      continue;
    }
    float sum = 0;
    std::memcpy(&sum, reinterpret_cast<const void*>(out), 4);
    expect(report.empty() && sum == 255.f * 128, std::string(mutation.what) + ": " + report);
  }

  // Conflicts and sectors are counted where asked for: lanes that read every 32nd word meet in one bank.
  Device device;
  device.settings.count = true;
  const uint64_t out = device.memory.take(128);
  const auto strided = [&](const char* stride, uint32_t blocks = 1) {
    return device.run(std::string(R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry strided(.param .u64 out)
{
  .reg .b32 %r<10>;
  .reg .b64 %rd<5>;
  .shared .align 4 .b8 words[4096];
  ld.param.u64 %rd1, [out];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, words;
  mad.lo.s32 %r3, %r1, )") +
                          stride + R"(, %r2;
  st.shared.u32 [%r3], %r1;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r1;
  ret;
}
)",
                      {out}, 32, blocks);
  };
  expect(strided("4").empty() && device.counters.sharedConflicts == 0 && device.counters.globalSectors == 4,
         "neighbours: no conflict, four sectors");
  expect(strided("128").empty() && device.counters.sharedConflicts == 31, "one bank: 31 more passes");
  expect(strided("4", 2).empty() && device.counters.globalBytes == 256 && device.counters.touchedBytes == 128 &&
             device.counters.touchedSectors == 4 && device.counters.idealSectors == 8,
         "what two blocks write at one place is touched once");

  const auto looping = [&](const char* barrier) {
    return device.run(std::string(R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry looping(.param .u64 out)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .f32 %f<5>;
  mov.u32 %r1, 0;
$outer:
  )") + barrier + R"(
  mov.u32 %r2, 0;
  mov.u32 %r3, 0;
$inner:
  mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r3, %r3, %r3, %r3}, {%r3, %r3}, {0f3F800000, 0f00000000, 0f00000000, 0f00000000};
  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p1, %r2, 5;
  @%p1 bra $inner;
  add.u32 %r1, %r1, 1;
  setp.lt.u32 %p1, %r1, 3;
  @%p1 bra $outer;
  ret;
}
)",
                      {out}, 32);
  };
  const std::string inner = looping("");
  expect(inner.empty() && device.counters.hotInstructions == 3 * 5 * 4,
         "the hot loop is the innermost one with tensor instructions: " + inner);
  const std::string outer = looping("bar.sync 0;");
  expect(outer.empty() && device.counters.hotInstructions == 3 * (3 + 5 * 4 + 3),
         "or the one around it that has a barrier: " + outer);
}

}  // namespace gpusim::selftest
