// Launchers of the matrix products.
#include "cuda/convert.h"
#include "cuda/gemm_product.h"
#include "cuda/kernels.h"
#include "cuda/staging.h"
#include "ops/dropout.h"

namespace duo::cuda {
namespace {

constexpr int64_t kColumns = 8;  // that a thread of gemmEpilogueBwd takes
constexpr unsigned kThreads = 128;

// B as it comes: a matrix for each of the batch or one for all, or what gemmPack made of one.
TensorArg factorB(const OpCall& call) {
  if (!call.has("packedB")) return call.in("b");
  TensorArg packed = call.in("packedB");
  packed.dims = {call.dim("K"), call.integer("n")};
  packed.strides = packed.dims.strides();
  return packed;
}

TensorArg denseAs(const TensorArg& arg, DType dtype, void* data) {
  TensorArg result = arg;
  result.data = data, result.dtype = dtype, result.strides = arg.dims.strides();
  return result;
}

// All rows of a batch as one matrix, where one b serves all and the rows lie evenly.
bool flattenRows(Matrices& a) {
  int64_t rows = 1, stride = a.rowStride;
  const auto take = [&](int64_t size, int64_t step) {
    if (size == 1) return true;
    if (rows > 1 && step != rows * stride) return false;
    if (rows == 1) stride = step;
    rows *= size;
    return true;
  };
  if (!take(a.rows, a.rowStride)) return false;
  for (int d = a.leading.rank() - 1; d >= 0; --d) {
    if (!take(a.leading[d], a.leadingStrides[d])) return false;
  }
  a.rows = rows, a.rowStride = stride, a.leading = {}, a.leadingStrides = {};
  return true;
}

Product productOf(const OpCall& call, const TensorArg& b) {
  const TensorArg& a = call.in("a");
  Product product{.dtype = a.dtype, .tf32 = call.tf32, .a = matricesOf(a), .b = matricesOf(b)};
  if (b.dims.rank() > 2 || !flattenRows(product.a)) product.batch = call.rest.count();
  return product;
}

// A b of another type comes as a's first: rounded where a is narrower, as a 16-bit model's weights are.
size_t convertedBytes(const OpCall& call, const TensorArg& b) {
  const DType dtype = call.in("a").dtype;
  return b.dtype == dtype ? 0 : alignedSize(size_t(b.count()) * sizeOf(dtype));
}

void setDropout(GemmEpilogue& e, const OpCall& call) {
  const Dropout dropout(call);
  e.seed = dropout.at.seed, e.site = dropout.at.site, e.step = dropout.at.step;
  e.threshold = dropout.rule.threshold, e.scale = dropout.rule.scale;
}

GemmEpilogue epilogueOf(const OpCall& call) {
  GemmEpilogue e{};
  const int64_t n = call.out("y").dims.back();
  bool aligned = n % kColumns == 0;
  const auto input = [&](const char* name) -> const void* {
    if (!call.has(name)) return nullptr;
    aligned = aligned && liesAt16Bytes(call.in(name).data);
    return call.in(name).data;
  };
  e.alpha = call.f32("alpha"), e.beta = call.f32("beta");
  e.c = e.beta == 0.f ? nullptr : input("c");
  e.bias = input("bias"), e.gate = input("gate"), e.residual = input("residual");
  e.y = call.out("y").data;
  e.z = call.wants("z") ? call.out("z").data : nullptr;
  e.act = int32_t(call.integer("act"));
  e.vectors = aligned && liesAt16Bytes(e.y) && liesAt16Bytes(e.z);
  setDropout(e, call);
  return e;
}

int64_t blocksOfColumns(int64_t n) { return ceilDivide(ceilDivide(n, kColumns), kThreads); }

int64_t rowsOf(const OpCall& call) {
  const int64_t n = call.dim("N");
  return n ? call.in("dy").count() / n : 0;
}

}  // namespace

namespace workspaces {

size_t gemm(const OpCall& call, const Limits& limits) {
  const TensorArg b = factorB(call);
  const size_t converted = convertedBytes(call, b);
  const TensorArg factor = converted ? denseAs(b, call.in("a").dtype, nullptr) : b;
  return converted + productWorkspace(productOf(call, factor), limits);
}

size_t gemmEpilogueBwd(const OpCall& call, const Limits& limits) {
  if (!call.wants("dBias")) return 0;
  const int64_t n = call.dim("N");
  return size_t(rowChunks(rowsOf(call), blocksOfColumns(n), limits)) * size_t(n) * sizeof(float);
}

}  // namespace workspaces

namespace launchers {

void gemm(Launch& launch) {
  const OpCall& call = launch.call;
  if (call.out("y").count() == 0) return;
  char* scratch = launch.scratch<char>();
  TensorArg b = factorB(call);
  if (const size_t converted = convertedBytes(call, b)) {
    convert(launch, b, scratch, call.in("a").dtype);
    b = denseAs(b, call.in("a").dtype, scratch);
    scratch += converted;
  }
  multiply(launch, productOf(call, b), epilogueOf(call), scratch);
}

// The kernels read B as it is: packed is dense, in float32.
void gemmPack(Launch& launch) {
  convert(launch, launch.call.in("b"), launch.call.out("packedB").data, DType::kFloat32);
}

void gemmEpilogueBwd(Launch& launch) {
  const OpCall& call = launch.call;
  const int64_t n = call.dim("N"), rows = rowsOf(call);
  if (n == 0) return;
  GemmEpilogue e{};
  bool aligned = n % kColumns == 0;
  const auto place = [&](bool present, const TensorArg& arg) -> void* {
    if (!present) return nullptr;
    aligned = aligned && liesAt16Bytes(arg.data);
    return arg.data;
  };
  const auto input = [&](const char* name) { return place(call.has(name), call.in(name)); };
  const auto output = [&](const char* name) { return place(call.wants(name), call.out(name)); };
  void *dy = input("dy"), *z = input("z"), *gate = input("gate"), *dz = output("dz"), *dGate = output("dGate");
  float* sums = call.wants("dBias") ? launch.scratch<float>() : nullptr;
  e.act = int32_t(call.integer("act"));
  e.vectors = aligned;
  setDropout(e, call);
  const int64_t columns = blocksOfColumns(n), chunks = rowChunks(rows, columns, launch.limits);
  launch.run(kernelName("gemmEpilogueBwd", call.in("dy").dtype), {unsigned(columns), unsigned(chunks)}, kThreads, 0, dy,
             z, gate, dz, dGate, sums, rows, n, ceilDivide(rows, chunks), e);
  if (!sums) return;
  launch.run("columnSums", {blocksFor(n, kThreads)}, kThreads, 0, sums, call.out("dBias").data, chunks, n);
}

}  // namespace launchers
}  // namespace duo::cuda
