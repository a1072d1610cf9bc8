// ldmatrix and mma.sync against products of whole matrices, in both orders of summation.
#include "../value.h"
#include "program.h"

namespace gpusim::selftest {
namespace {

// a (16, K) by rows and b (8, K), that is (K, 8) by columns, are in shared memory; each lane takes its elements by
// ldmatrix. K is 16 elements of 16 bits, 32 bytes a row.
std::string kernel(const std::string& type, bool transposed) {
  const std::string b =
      transposed
          // b as (16, 8) by rows: ldmatrix turns it
          ? "shl.b32 %r5, %r1, 4; and.b32 %r5, %r5, 255; add.s32 %r5, %r5, %r3; add.s32 %r5, %r5, 512;\n"
            "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r14, %r15}, [%r5];\n"
          : "and.b32 %r5, %r1, 7; shl.b32 %r5, %r5, 5; and.b32 %r6, %r1, 8; shl.b32 %r6, %r6, 1;\n"
            "add.s32 %r5, %r5, %r6; add.s32 %r5, %r5, %r3; add.s32 %r5, %r5, 512;\n"
            "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r14, %r15}, [%r5];\n";
  return R"(.version 7.4
.target sm_80
.address_size 64
.visible .entry product(.param .u64 out, .param .u64 in)
{
  .reg .b32 %r<20>;
  .reg .f32 %f<10>;
  .reg .b64 %rd<10>;
  .shared .align 16 .b8 tiles[768];
  ld.param.u64 %rd1, [out];
  ld.param.u64 %rd2, [in];
  mov.u32 %r1, %tid.x;
  mov.u32 %r3, tiles;
  mul.wide.u32 %rd3, %r1, 24;
  add.s64 %rd4, %rd2, %rd3;
  mad.lo.s32 %r4, %r1, 24, %r3;
  ld.global.v2.u32 {%r7, %r8}, [%rd4];
  st.shared.v2.u32 [%r4], {%r7, %r8};
  ld.global.v2.u32 {%r7, %r8}, [%rd4+8];
  st.shared.v2.u32 [%r4+8], {%r7, %r8};
  ld.global.v2.u32 {%r7, %r8}, [%rd4+16];
  st.shared.v2.u32 [%r4+16], {%r7, %r8};
  bar.warp.sync -1;
  and.b32 %r5, %r1, 15;
  shl.b32 %r5, %r5, 5;
  and.b32 %r6, %r1, 16;
  add.s32 %r5, %r5, %r6;
  add.s32 %r5, %r5, %r3;
  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r5];
)" + b + "  mma.sync.aligned.m16n8k16.row.col.f32." +
         type + "." + type +
         ".f32 {%f1, %f2, %f3, %f4}, {%r10, %r11, %r12, %r13}, {%r14, %r15}, {0f3F800000, 0f00000000, 0f00000000, "
         "0f00000000};\n"
         R"(
  mul.wide.u32 %rd5, %r1, 16;
  add.s64 %rd6, %rd1, %rd5;
  st.global.v4.f32 [%rd6], {%f1, %f2, %f3, %f4};
  ret;
}
)";
}

void check(const std::string& type, bool transposed, bool wideSums) {
  const bool bfloat = type == "bf16";
  std::vector<uint8_t> bytes(768);
  float a[16][16], b[16][8];
  const auto put = [&](size_t element, float value) {
    const uint16_t bits = bfloat ? bfloatOf(value) : halfOf(value);
    std::memcpy(bytes.data() + element * 2, &bits, 2);
  };
  // Small whole numbers: every product and sum is exact, whatever the order.
  for (size_t m = 0; m < 16; ++m) {
    for (size_t k = 0; k < 16; ++k) put(m * 16 + k, a[m][k] = float(int((m * 5 + k * 3) % 13) - 6));
  }
  for (size_t k = 0; k < 16; ++k) {
    for (size_t n = 0; n < 8; ++n) {
      put(256 + (transposed ? k * 8 + n : n * 16 + k), b[k][n] = float(int((k * 7 + n * 4) % 11) - 5));
    }
  }
  Device device;
  device.settings.wideSums = wideSums;
  const uint64_t in = device.put(bytes), out = device.put(std::vector<uint8_t>(512));
  const std::string wrong = device.run(kernel(type, transposed), {out, in}, 32);
  bool right = wrong.empty();
  for (int l = 0; l < 32 && right; ++l) {
    for (int part = 0; part < 4; ++part) {
      const int m = l / 4 + part / 2 * 8, n = l % 4 * 2 + part % 2;
      float want = part == 0 ? 1.f : 0.f, got = 0;
      for (int k = 0; k < 16; ++k) want += a[m][k] * b[k][n];
      std::memcpy(&got, reinterpret_cast<const void*>(out + size_t(l * 4 + part) * 4), 4);
      right = right && got == want;
    }
  }
  expect(right, "mma of " + type + (transposed ? ", b transposed " : " ") + wrong);
}

}  // namespace

void testMatrices() {
  for (const char* type : {"f16", "bf16"}) {
    for (const bool transposed : {false, true}) {
      for (const bool wideSums : {false, true}) check(type, transposed, wideSums);
    }
  }
}

}  // namespace gpusim::selftest
