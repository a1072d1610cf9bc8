// Instructions one by one. Inputs a, b, c are there in registers of every kind: %rd1…3, %r1…3 and %rs1…3 (their low
// bits), %f1…3, %fd1…3, and %h1…3 (16 bits); results are read from those that end in 9. Expected values follow from the
// ISA's text.
#include <bit>
#include <cmath>
#include <limits>

#include "program.h"

namespace gpusim::selftest {
namespace {

uint64_t f(float x) { return std::bit_cast<uint32_t>(x); }
uint64_t d(double x) { return std::bit_cast<uint64_t>(x); }

const char* const kBegin = R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry one(.param .u64 out, .param .u64 in)
{
  .reg .pred %p<10>;
  .reg .b16 %rs<10>;
  .reg .b32 %r<20>;
  .reg .f32 %f<10>;
  .reg .b64 %rd<20>;
  .reg .f64 %fd<10>;
  ld.param.u64 %rd10, [in];
  ld.param.u64 %rd11, [out];
  ld.global.u64 %rd1, [%rd10];
  ld.global.u64 %rd2, [%rd10+8];
  ld.global.u64 %rd3, [%rd10+16];
  cvt.u32.u64 %r1, %rd1;
  cvt.u32.u64 %r2, %rd2;
  cvt.u32.u64 %r3, %rd3;
  mov.b32 %f1, %r1;
  mov.b32 %f2, %r2;
  mov.b32 %f3, %r3;
  mov.b64 %fd1, %rd1;
  mov.b64 %fd2, %rd2;
  mov.b64 %fd3, %rd3;
  cvt.u16.u64 %rs1, %rd1;
  cvt.u16.u64 %rs2, %rd2;
  cvt.u16.u64 %rs3, %rd3;
  setp.ne.u64 %p1, %rd1, 0;
  setp.ne.u64 %p2, %rd2, 0;
)";

void check(const std::string& code, std::vector<uint64_t> inputs, uint64_t want) {
  inputs.resize(3);
  std::string end;
  if (code.find("%rd9") != std::string::npos)
    end = "st.global.u64 [%rd11], %rd9;";
  else if (code.find("%fd9") != std::string::npos)
    end = "st.global.f64 [%rd11], %fd9;";
  else if (code.find("%f9") != std::string::npos)
    end = "st.global.f32 [%rd11], %f9;";
  else if (code.find("%rs9") != std::string::npos)
    end = "st.global.u16 [%rd11], %rs9;";
  else if (code.find("%r9") != std::string::npos)
    end = "st.global.u32 [%rd11], %r9;";
  else
    end = "selp.u32 %r19, 1, 0, %p9; st.global.u32 [%rd11], %r19;";
  Device device;
  std::vector<uint8_t> bytes(24);
  std::memcpy(bytes.data(), inputs.data(), 24);
  const uint64_t in = device.put(bytes), out = device.put(std::vector<uint8_t>(8));
  const std::string wrong = device.run(kBegin + code + "\n" + end + "\nret;\n}\n", {out, in}, 1);
  uint64_t got = 0;
  std::memcpy(&got, reinterpret_cast<const void*>(out), 8);
  char text[96];
  std::snprintf(text, sizeof text, ": expected %llx, got %llx", static_cast<unsigned long long>(want),
                static_cast<unsigned long long>(got));
  expect(wrong.empty() && got == want, code + text + " " + wrong);
}

const uint64_t kNaN = 0x7fc00000, kInfinity = 0x7f800000;
constexpr uint32_t kMinusOne = ~0u;

void integers() {
  check("add.s32 %r9, %r1, %r2;", {0x7fffffff, 1}, 0x80000000);
  check("sub.s64 %rd9, %rd1, %rd2;", {0, 1}, ~uint64_t(0));
  check("mul.lo.s32 %r9, %r1, %r2;", {0x10001, 0x10001}, 0x20001);
  check("mul.hi.s32 %r9, %r1, %r2;", {kMinusOne, 2}, kMinusOne);
  check("mul.hi.u32 %r9, %r1, %r2;", {kMinusOne, 2}, 1);
  check("mul.wide.s32 %rd9, %r1, %r2;", {kMinusOne, 3}, uint64_t(-3));
  check("mul.wide.u32 %rd9, %r1, %r2;", {kMinusOne, 3}, uint64_t(kMinusOne) * 3);
  check("mul.wide.u16 %r9, %rs1, %rs2;", {0xffff, 0xffff}, 0xfffe0001);
  check("mul.hi.u64 %rd9, %rd1, %rd2;", {~uint64_t(0), 16}, 15);
  check("mad.lo.s32 %r9, %r1, %r2, %r3;", {5, 7, kMinusOne}, 34);
  check("mad.wide.s32 %rd9, %r1, %r2, %rd3;", {kMinusOne, 5, 2}, uint64_t(-3));
  check("div.s32 %r9, %r1, %r2;", {uint32_t(-7), 2}, uint32_t(-3));
  check("rem.s32 %r9, %r1, %r2;", {uint32_t(-7), 2}, uint32_t(-1));
  check("div.u32 %r9, %r1, %r2;", {uint32_t(-7), 2}, 0x7ffffffc);
  check("div.s64 %rd9, %rd1, %rd2;", {uint64_t(-9), 4}, uint64_t(-2));
  check("shl.b32 %r9, %r1, %r2;", {1, 32}, 0);
  check("shr.s32 %r9, %r1, %r2;", {0x80000000, 40}, kMinusOne);
  check("shr.u32 %r9, %r1, %r2;", {0x80000000, 31}, 1);
  check("shr.u64 %rd9, %rd1, %r2;", {uint64_t(1) << 63, 64}, 0);
  check("min.s32 %r9, %r1, %r2;", {kMinusOne, 1}, kMinusOne);
  check("min.u32 %r9, %r1, %r2;", {kMinusOne, 1}, 1);
  check("max.s64 %rd9, %rd1, %rd2;", {uint64_t(-5), 2}, 2);
  check("abs.s32 %r9, %r1;", {uint32_t(-5)}, 5);
  check("neg.s64 %rd9, %rd1;", {3}, uint64_t(-3));
  check("not.b32 %r9, %r1;", {0xf0f0f0f0}, 0x0f0f0f0f);
  check("popc.b32 %r9, %r1;", {0xf0f0}, 8);
  check("clz.b32 %r9, %r1;", {1}, 31);
  check("clz.b64 %r9, %rd1;", {1}, 63);
  check("brev.b32 %r9, %r1;", {1}, 0x80000000);
  check("bfind.u32 %r9, %r1;", {0x100}, 8);
  check("bfind.s32 %r9, %r1;", {kMinusOne}, kMinusOne);
  check("bfe.u32 %r9, %r1, 4, 8;", {0xabcde}, 0xcd);
  check("bfe.s32 %r9, %r1, 4, 8;", {0xabcde}, 0xffffffcd);
  check("bfi.b32 %r9, %r1, %r2, 8, 8;", {0xff, 0}, 0xff00);
  check("prmt.b32 %r9, %r1, %r2, 0x7531;", {0x33221100, 0x77665544}, 0x77553311);
  check("prmt.b32 %r9, %r1, %r2, 0xb0a8;", {0x80007f80, 0}, 0xff8000ff);
  check("lop3.b32 %r9, %r1, %r2, %r3, 0x96;", {0xf0, 0xcc, 0xaa}, 0xf0 ^ 0xcc ^ 0xaa);
  check("shf.l.wrap.b32 %r9, %r1, %r2, 8;", {0x12345678, 0x9abcdef0}, 0xbcdef012);
  check("shf.r.wrap.b32 %r9, %r1, %r2, 8;", {0x12345678, 0x9abcdef0}, 0xf0123456);
  check("dp4a.s32.s32 %r9, %r1, %r2, %r3;", {0xff010203, 0x01010101, 10}, 15);
  check("selp.b32 %r9, %r1, %r2, %p1;", {0, 7}, 7);
  check("setp.lt.s32 %p9, %r1, %r2;", {kMinusOne, 0}, 1);
  check("setp.lt.u32 %p9, %r1, %r2;", {kMinusOne, 0}, 0);
  check("setp.ge.s64 %p9, %rd1, %rd2;", {uint64_t(-1), 0}, 0);
  check("setp.eq.and.s32 %p9, %r1, %r2, %p1;", {4, 4}, 1);
  check("and.pred %p9, %p1, %p2;", {1, 0}, 0);
  check("xor.pred %p9, %p1, %p2;", {1, 0}, 1);
  check("not.pred %p9, %p2;", {1, 0}, 1);
}

void movesAndWidths() {
  check("mov.b64 %rd9, {%r1, %r2};", {0x11111111, 0x22222222}, 0x2222222211111111);
  check("mov.b64 {%r8, %r9}, %rd1;", {0x2222222211111111}, 0x22222222);
  check("mov.b32 %r9, {%rs1, %rs2};", {0x1111, 0x2222}, 0x22221111);
  check("mov.b32 {%rs8, %rs9}, %r1;", {0x22221111}, 0x2222);
  // Results and sources may be wider than the type: loads extend, others read the low half.
  check("ld.global.s8 %r9, [%rd10];", {0x80}, 0xffffff80);
  check("ld.global.s32 %rd9, [%rd10];", {0x80000000}, 0xffffffff80000000);
  check("ld.global.u32 %rd9, [%rd10];", {0xffffffff80000000}, 0x80000000);
  check("ld.global.u16 %r9, [%rd10];", {0x12348765}, 0x8765);
  check("cvt.s64.s32 %rd9, %rd1;", {0x1234567880000000}, 0xffffffff80000000);
  check("cvt.u64.u32 %rd9, %r1;", {0x80000000}, 0x80000000);
  check("cvt.s32.s8 %r9, %r1;", {0x1ff}, kMinusOne);
  check("cvt.u32.u8 %r9, %r1;", {0x1ff}, 0xff);
  check("cvt.sat.s8.s32 %r9, %r1;", {1000}, 127);
  check("cvt.sat.u8.s32 %r9, %r1;", {uint32_t(-4)}, 0);
}

void floats() {
  const float tiny = std::ldexp(1.f, -24);
  check("add.f32 %f9, %f1, %f2;", {f(1), f(tiny)}, f(1));  // a half of the last place: to even
  check("add.rz.f32 %f9, %f1, %f2;", {f(1), f(3 * tiny)}, f(1 + 2 * tiny));
  check("add.rp.f32 %f9, %f1, %f2;", {f(1), f(tiny / 4)}, f(1 + 2 * tiny));
  check("add.rm.f32 %f9, %f1, %f2;", {f(1), f(-tiny / 4)}, f(1 - tiny));
  check("sub.f32 %f9, %f1, %f2;", {kInfinity, kInfinity}, 0xffc00000);
  check("mul.rz.f32 %f9, %f1, %f2;", {f(1 + 2 * tiny), f(1 + 2 * tiny)}, f(1 + 4 * tiny));
  // One rounding: the square of 1 + 2⁻²³ less its rounded value is 2⁻⁴⁶.
  check("fma.rn.f32 %f9, %f1, %f2, %f3;", {f(1 + 2 * tiny), f(1 + 2 * tiny), f(-(1 + 4 * tiny))},
        f(std::ldexp(1.f, -46)));
  check("fma.rm.f32 %f9, %f1, %f2, %f3;", {f(1), f(-tiny / 4), f(1)}, f(1 - tiny));
  check("fma.rp.f32 %f9, %f1, %f2, %f3;", {f(1), f(tiny / 4), f(1)}, f(1 + 2 * tiny));
  check("div.rn.f32 %f9, %f1, %f2;", {f(1), f(3)}, f(1.f / 3));
  check("div.rz.f32 %f9, %f1, %f2;", {f(2), f(3)}, f(std::nextafter(2.f / 3, 0.f)));
  check("rcp.rn.f32 %f9, %f1;", {f(0)}, kInfinity);
  check("sqrt.rn.f32 %f9, %f1;", {f(2)}, f(std::sqrt(2.f)));
  check("min.f32 %f9, %f1, %f2;", {kNaN, f(1)}, f(1));
  check("max.f32 %f9, %f1, %f2;", {f(-0.f), f(0.f)}, f(0.f));
  check("min.f32 %f9, %f1, %f2;", {f(0.f), f(-0.f)}, f(-0.f));
  check("abs.f32 %f9, %f1;", {f(-2)}, f(2));
  check("neg.f32 %f9, %f1;", {f(0)}, f(-0.f));
  check("copysign.f32 %f9, %f1, %f2;", {f(-1), f(3)}, f(-3));
  check("add.ftz.f32 %f9, %f1, %f2;", {0x00400000, 0}, 0);
  check("setp.lt.f32 %p9, %f1, %f2;", {kNaN, f(1)}, 0);
  check("setp.ltu.f32 %p9, %f1, %f2;", {kNaN, f(1)}, 1);
  check("setp.neu.f32 %p9, %f1, %f2;", {kNaN, kNaN}, 1);
  check("setp.ne.f32 %p9, %f1, %f2;", {kNaN, f(1)}, 0);
  check("setp.num.f32 %p9, %f1, %f2;", {f(1), kNaN}, 0);
  check("setp.nan.f32 %p9, %f1, %f2;", {f(1), kNaN}, 1);
  check("ex2.approx.ftz.f32 %f9, %f1;", {f(3)}, f(8));
  check("lg2.approx.f32 %f9, %f1;", {f(8)}, f(3));
  check("rsqrt.approx.f32 %f9, %f1;", {f(4)}, f(0.5f));
  check("tanh.approx.f32 %f9, %f1;", {f(100)}, f(1));
  check("add.f64 %fd9, %fd1, %fd2;", {d(0.1), d(0.2)}, d(0.1 + 0.2));
  check("fma.rn.f64 %fd9, %fd1, %fd2, %fd3;", {d(0.1), d(10), d(-1)}, d(std::fma(0.1, 10, -1)));
  // Of 1/3 the upper 32 bits; the operand's lower ones do not count.
  check("rcp.approx.ftz.f64 %fd9, %fd1;", {d(3)}, 0x3fd5555500000000);
  check("rcp.approx.ftz.f64 %fd9, %fd1;", {d(4) + 0xffffffff}, d(0.25));
  check("rcp.approx.ftz.f64 %fd9, %fd1;", {d(-1e-310)}, d(-std::numeric_limits<double>::infinity()));
  check("sqrt.rn.f64 %fd9, %fd1;", {d(2)}, d(std::sqrt(2.0)));
}

void conversions() {
  check("cvt.rni.s32.f32 %r9, %f1;", {f(2.5f)}, 2);
  check("cvt.rni.s32.f32 %r9, %f1;", {f(3.5f)}, 4);
  check("cvt.rzi.s32.f32 %r9, %f1;", {f(-2.9f)}, uint32_t(-2));
  check("cvt.rmi.s32.f32 %r9, %f1;", {f(-2.1f)}, uint32_t(-3));
  check("cvt.rpi.s32.f32 %r9, %f1;", {f(2.1f)}, 3);
  check("cvt.rzi.s32.f32 %r9, %f1;", {f(3e9f)}, 0x7fffffff);
  check("cvt.rzi.u32.f32 %r9, %f1;", {f(-1)}, 0);
  check("cvt.rzi.s32.f32 %r9, %f1;", {kNaN}, 0);
  check("cvt.rn.f32.s32 %f9, %r1;", {16777217}, f(16777216));
  check("cvt.rz.f32.u32 %f9, %r1;", {kMinusOne}, f(4294967040.f));
  check("cvt.rp.f32.u32 %f9, %r1;", {16777217}, f(16777218));
  check("cvt.rni.f32.f32 %f9, %f1;", {f(-0.5f)}, f(-0.f));
  check("cvt.sat.f32.f32 %f9, %f1;", {f(2)}, f(1));
  check("cvt.sat.f32.f32 %f9, %f1;", {kNaN}, 0);
  check("cvt.rn.f32.f64 %f9, %fd1;", {d(0.1)}, f(0.1f));
  check("cvt.f64.f32 %fd9, %f1;", {f(0.1f)}, d(double(0.1f)));
  check("cvt.rn.f16.f32 %rs9, %f1;", {f(1 + std::ldexp(1.f, -11))}, 0x3c00);
  check("cvt.rn.f16.f32 %rs9, %f1;", {f(1 + 3 * std::ldexp(1.f, -11))}, 0x3c02);
  check("cvt.rn.f16.f32 %rs9, %f1;", {f(65520)}, 0x7c00);
  check("cvt.rn.f16.f32 %rs9, %f1;", {f(std::ldexp(1.f, -24))}, 1);
  check("cvt.f32.f16 %f9, %rs1;", {0x0001}, f(std::ldexp(1.f, -24)));
  check("cvt.rn.bf16.f32 %rs9, %f1;", {0x3f808000}, 0x3f80);
  check("cvt.rn.bf16.f32 %rs9, %f1;", {0x3f818000}, 0x3f82);
  check("cvt.rn.bf16.f32 %rs9, %f1;", {kNaN | 1}, 0x7fff);
  check("cvt.rn.bf16x2.f32 %r9, %f1, %f2;", {f(1), f(2)}, 0x3f804000);
  check("cvt.rn.f16x2.f32 %r9, %f1, %f2;", {f(1), f(2)}, 0x3c004000);
  check("cvt.rna.tf32.f32 %r9, %f1;", {0x3f801000}, 0x3f802000);
  check("fma.rn.f16 %rs9, %rs1, %rs2, %rs3;", {0x3c01, 0x3c01, 0xbc02}, 0x0010);
  check("add.f16x2 %r9, %r1, %r2;", {0x3c003c00, 0x40003c00}, 0x42004000);
  check("fma.rn.bf16x2 %r9, %r1, %r2, %r3;", {0x3f803f80, 0x40003f80, 0x3f803f80}, 0x40404000);
}

void atomics() {
  check("atom.global.add.u32 %r9, [%rd10], %r2;", {40, 2}, 40);
  check("atom.global.add.u32 %r8, [%rd10], %r2; ld.global.u32 %r9, [%rd10];", {40, 2}, 42);
  check("atom.global.cas.b32 %r8, [%rd10], %r1, %r2; ld.global.u32 %r9, [%rd10];", {5, 6}, 6);
  check("atom.global.max.s32 %r8, [%rd10], %r2; ld.global.u32 %r9, [%rd10];", {kMinusOne, 1}, 1);
  check("atom.global.inc.u32 %r8, [%rd10], %r2; ld.global.u32 %r9, [%rd10];", {7, 7}, 0);
  check("atom.global.exch.b64 %rd9, [%rd10], %rd2;", {77, 1}, 77);
  check("red.global.add.f32 [%rd10], %f2; ld.global.f32 %f9, [%rd10];", {f(1), f(2)}, f(3));
}

}  // namespace

void testInstructions() {
  integers();
  movesAndWidths();
  floats();
  conversions();
  atomics();
}

}  // namespace gpusim::selftest
