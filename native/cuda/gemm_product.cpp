#include "cuda/gemm_product.h"

#include "cuda/staging.h"
#include "cuda/walk.h"

namespace duo::cuda {
namespace {

constexpr int64_t kLineUnit = 8;  // 16-bit elements in the 16 bytes that are copied at a time
constexpr unsigned kThreads = 128;

bool isWide(const Product& p) { return p.dtype == DType::kFloat32; }

GemmPlan planOf(const Product& p, const Limits& limits) {
  const auto arithmetic =
      isWide(p) ? (p.tf32 ? GemmArithmetic::kTf32 : GemmArithmetic::kExact) : GemmArithmetic::kTensor;
  return planGemm(arithmetic, p.m(), p.n(), p.k(), p.batch, limits, p.mostSplits);
}

// Whether lines run along rows rather than down columns.
bool runsAlongRows(const Matrices& x) {
  if (x.columnStride == 1 || x.columns == 1) return true;
  return !(x.rowStride == 1 || x.rows == 1);
}

// The matrices with their lines as rows.
Matrices asLines(const Matrices& x) { return runsAlongRows(x) ? x : x.transposed(); }

// Whether the tensor kernels can read the lines where they lie.
bool isReady(const Matrices& lines) {
  const bool dense = lines.columnStride == 1 || lines.columns == 1;
  const bool whole = std::max(lines.readable, lines.columns) >= roundUpTo(lines.columns, kLineUnit);
  if (!dense || !whole || !liesAt16Bytes(lines.data)) return false;
  if (lines.rows > 1 && lines.rowStride % kLineUnit != 0) return false;
  for (int d = 0; d < lines.leading.rank(); ++d) {
    if (lines.leading[d] > 1 && lines.leadingStrides[d] % kLineUnit != 0) return false;
  }
  return true;
}

int64_t lineOfCopy(const Matrices& lines) { return roundUpTo(lines.columns, kLineUnit); }

size_t bytesOfCopy(const Matrices& x) {
  const Matrices lines = asLines(x);
  return isReady(lines)
             ? 0
             : alignedSize(size_t(lines.leading.count()) * size_t(lines.rows) * size_t(lineOfCopy(lines)) * 2);
}

GemmOperand operandOf(const Matrices& lines) {
  return {lines.data, lines.rows > 1 ? lines.rowStride : 0, lines.columns > 1 ? lines.columnStride : 1,
          walkOf(lines.leading, lines.leadingStrides)};
}

// The lines where they lie, or copied to `scratch`, which moves on, with zeros up to a multiple of 16 bytes.
GemmOperand readyLines(Launch& launch, const Matrices& x, char*& scratch) {
  Matrices lines = asLines(x);
  if (!isReady(lines)) {
    Dims dims = lines.leading, strides = lines.leadingStrides;
    for (const int64_t size : {lines.rows, lines.columns}) dims.push(size);
    for (const int64_t stride : {lines.rowStride, lines.columnStride}) strides.push(stride);
    const int64_t count = lines.leading.count() * lines.rows, line = lineOfCopy(lines);
    launch.run("gemmLines", {blocksFor(count * line, kThreads)}, kThreads, 0, lines.data, static_cast<void*>(scratch),
               walkOf(dims, strides), count, lines.columns, line);
    lines.data = scratch;
    lines.rowStride = line, lines.columnStride = 1;
    int64_t stride = line * lines.rows;
    for (int d = lines.leading.rank() - 1; d >= 0; --d) {
      lines.leadingStrides[d] = stride;
      stride *= lines.leading[d];
    }
    scratch += bytesOfCopy(x);
  }
  return operandOf(lines);
}

size_t bytesOfSums(const Product& p, const GemmPlan& plan) {
  if (plan.splits == 1) return 0;
  return alignedSize(size_t(plan.splits) * size_t(p.batch) * size_t(p.m()) * size_t(p.n()) * sizeof(float));
}

std::string kernelOf(const Product& p, const GemmPlan& plan) {
  if (isWide(p)) return p.tf32 ? "gemm_tf32" : "gemm_f32";
  // As BLAS has it: N where rows of A (of B) are dense.
  const char* layout = runsAlongRows(p.a) ? (runsAlongRows(p.b) ? "NN" : "NT") : (runsAlongRows(p.b) ? "TN" : "TT");
  return kernelName((std::string("gemm") + plan.tile.name + layout).c_str(), p.dtype);
}

}  // namespace

bool liesAt16Bytes(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

Matrices matricesOf(const TensorArg& arg) {
  const int rank = arg.dims.rank();
  Matrices result{.data = arg.data,
                  .rows = arg.dims[rank - 2],
                  .columns = arg.dims[rank - 1],
                  .rowStride = arg.strides[rank - 2],
                  .columnStride = arg.strides[rank - 1]};
  for (int d = 0; d < rank - 2; ++d) {
    result.leading.push(arg.dims[d]);
    result.leadingStrides.push(arg.strides[d]);
  }
  return result;
}

size_t productWorkspace(const Product& p, const Limits& limits) {
  if (p.m() * p.n() * p.batch == 0) return 0;
  const size_t copies = isWide(p) ? 0 : bytesOfCopy(p.a) + bytesOfCopy(p.b);
  return copies + bytesOfSums(p, planOf(p, limits));
}

void multiply(Launch& launch, const Product& p, const GemmEpilogue& epilogue, char* scratch) {
  if (p.m() * p.n() * p.batch == 0) return;
  const GemmPlan plan = planOf(p, launch.limits);
  GemmProblem problem{.a = {},
                      .b = {},
                      .m = p.m(),
                      .n = p.n(),
                      .k = p.k(),
                      .batch = p.batch,
                      .depth = plan.depth,
                      .tilesM = int32_t(plan.tilesM(p.m())),
                      .tilesN = int32_t(plan.tilesN(p.n()))};
  if (isWide(p)) {
    problem.a = operandOf(p.a.transposed());
    problem.b = operandOf(p.b);
  } else {
    problem.a = readyLines(launch, p.a, scratch);
    problem.b = readyLines(launch, p.b, scratch);
  }
  GemmEpilogue own = epilogue;
  if (plan.splits > 1) {
    own.sums = reinterpret_cast<float*>(scratch);
    own.line = p.n(), own.batchStride = p.m() * p.n(), own.splitStride = p.batch * own.batchStride;
    own.vectors = p.n() % 4 == 0, own.add = 0;
  }
  const unsigned blocks = unsigned(int64_t(problem.tilesM) * problem.tilesN * p.batch);
  launch.run(kernelOf(p, plan), {blocks, unsigned(plan.splits)}, unsigned(plan.tile.threads), plan.tile.shared, problem,
             own);
  if (plan.splits == 1) return;
  // The pass over the sums: into what the caller asked for.
  GemmEpilogue last = epilogue;
  if (epilogue.sums) {
    last.y = epilogue.sums, last.alpha = 1;
    if (epilogue.add) last.c = epilogue.sums, last.beta = 1;
    last.vectors = p.n() % kLineUnit == 0 && liesAt16Bytes(epilogue.sums);
  }
  last.sums = own.sums, last.splitStride = own.splitStride;
  const int64_t groups = p.batch * p.m() * ceilDivide(p.n(), kLineUnit);
  launch.run(kernelName("gemmReduce", epilogue.sums ? DType::kFloat32 : p.dtype), {blocksFor(groups, kThreads)},
             kThreads, 0, problem, last, int32_t(plan.splits));
}

}  // namespace duo::cuda
