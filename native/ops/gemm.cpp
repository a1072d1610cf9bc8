// Matrix products with what surrounds them in a linear layer:
//   z = α·AB + β·C + bias;   y = dropout(act(z) ⊙ gate) + residual
// Transposes are views: both operands may have any strides. B may be given packed (gemmPack), for weights that are used
// many times. The gradients of A, B and C are products and scalings of dz, which gemmEpilogueBwd computes from dy.
#include "cpu/kernels.h"
#include "cuda/kernels.h"
#include "ops/dropout.h"
#include "ops/families.h"

namespace duo {
namespace {

using cpu::GemmTile;

GemmTile tile() { return cpu::gemmTile(cpu::activeIsa()); }

// Floats of a packed B. The kernels for CUDA read it row by row as it is.
int64_t packedFloats(const OpCall& call, int64_t k, int64_t n) {
  return call.device == DeviceKind::kCuda ? k * n : cpu::gemmPackedFloats(tile(), k, n);
}

std::vector<AttrSpec> epilogueAttrs(std::vector<AttrSpec> own) {
  own.push_back({"act", AttrType::kEnum, 0, 0, 0, {"none", "relu", "geluErf", "geluTanh", "silu"}});
  return withDropout(std::move(own));
}

// Columns of B, which is (K, N) or (..., K, N) with a's leading dimensions, or packed.
int64_t columnsOf(const OpCall& call) {
  const int64_t k = call.dim("K");
  call.expect(call.has("b") != call.has("packedB"), ErrorCode::kState, "either b or packedB",
              call.has("b") ? "both" : "neither");
  if (call.has("packedB")) {
    const int64_t n = call.integer("n");
    call.expectShape("packedB", {packedFloats(call, k, n)});
    return n;
  }
  const Dims& b = call.in("b").dims;
  call.expect(b.rank() >= 2, ErrorCode::kShape, "b (" + std::to_string(k) + ", N)", b.text());
  Dims expected;
  if (b.rank() > 2) expected = call.rest;
  expected.push(k);
  expected.push(b.back());
  call.expectShape("b", expected);
  return b.back();
}

std::vector<OutputShape> gemmShapes(const OpCall& call) {
  const int64_t n = columnsOf(call);
  Dims y = call.rest;
  y.push(call.dim("M"));
  y.push(n);
  for (const char* name : {"c", "gate", "residual"}) {
    if (call.has(name)) call.expectShape(name, y);
  }
  if (call.has("bias")) call.expectShape("bias", {n});
  const DType dtype = call.in("a").dtype;
  return {{y, dtype}, {y, dtype, call.flag("saveZ")}};
}

size_t gemmWorkspace(const OpCall& call) {
  const int64_t n = call.out("y").dims.back();
  return size_t(cpu::scratchSlots()) * size_t(cpu::gemmScratchFloats(tile(), n, call.dim("K"))) * sizeof(float);
}

double gemmFlops(const OpCall& call) { return 2. * double(call.out("y").count()) * double(call.dim("K")); }

std::vector<OutputShape> packShapes(const OpCall& call) {
  return {{{packedFloats(call, call.dim("K"), call.dim("N"))}, DType::kFloat32}};
}

// dz is left out where it equals dy.
std::vector<OutputShape> epilogueBwdShapes(const OpCall& call) {
  const TensorArg& dy = call.in("dy");
  const bool active = call.integer("act") != 0, gated = call.has("gate");
  call.expect(call.has("z") || !(active || gated), ErrorCode::kState, "z, which act and gate need", "none");
  for (const char* name : {"z", "gate"}) {
    if (call.has(name)) call.expectShape(name, dy.dims);
  }
  return {{dy.dims, dy.dtype, active || gated || call.number("dropoutP") > 0},
          {dy.dims, dy.dtype, gated},
          {{dy.dims.back()}, DType::kFloat32, call.flag("biasGrad")}};
}

size_t epilogueBwdWorkspace(const OpCall& call) {
  if (!call.wants("dBias")) return 0;
  const int64_t n = call.dim("N"), rows = n ? call.in("dy").count() / n : 0;
  return size_t(cpu::gemmRowChunks(rows)) * size_t(n) * sizeof(float);
}

}  // namespace

void registerGemm(std::vector<OpDef>& ops) {
  const auto optional = [](const char* name) {
    return InputSpec{.name = name, .dims = "*", .kind = Kind::kFloat, .optional = true};
  };
  ops.push_back({
      .name = "gemm",  // y (..., M, N)
      .inputs = {{"a", "... M K", Kind::kFloat, Layout::kStrided},
                 {"b", "*", Kind::kStored, Layout::kStrided, true},
                 {"packedB", "P", Kind::kFloat32, Layout::kContiguous, true},
                 optional("c"),
                 optional("bias"),
                 optional("gate"),
                 optional("residual")},
      .attrs = epilogueAttrs({{"alpha", AttrType::kFloat, 1},
                              {"beta", AttrType::kFloat, 1},
                              {"n", AttrType::kInt, 0, 0},  // columns of packedB
                              {"saveZ", AttrType::kBool, 0}}),
      .outputs = {{"y"}, {.name = "z", .optional = true}},
      .shapes = gemmShapes,
      .workspace = gemmWorkspace,
      .flops = gemmFlops,
      .cpu = cpu::gemm,
      .cuda = cuda::gemm,
  });
  ops.push_back({
      .name = "gemmPack",  // b in the order in which gemm reads it
      .inputs = {{"b", "K N", Kind::kFloat, Layout::kStrided}},
      .outputs = {{"packedB"}},
      .shapes = packShapes,
      .cpu = cpu::gemmPack,
      .cuda = cuda::gemmPack,
  });
  ops.push_back({
      .name = "gemmEpilogueBwd",  // dz, dGate and the column sums of dz
      .inputs = {{"dy", "... N"}, optional("z"), optional("gate")},
      .attrs = epilogueAttrs({{"biasGrad", AttrType::kBool, 0}}),
      .outputs = {{.name = "dz", .optional = true},
                  {.name = "dGate", .optional = true},
                  {.name = "dBias", .optional = true}},
      .shapes = epilogueBwdShapes,
      .workspace = epilogueBwdWorkspace,
      .cpu = cpu::gemmEpilogueBwd,
      .cuda = cuda::gemmEpilogueBwd,
  });
}

}  // namespace duo
