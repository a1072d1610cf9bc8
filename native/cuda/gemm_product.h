// Matrix products on a device, as launchers ask for them: operands at any strides, which are brought into the form that
// the kernels read; the plan of tuning.h; and the epilogue.
#pragma once
#include "cuda/kernels/gemm_params.h"
#include "cuda/launch.h"
#include "cuda/tuning.h"

namespace duo::cuda {

// One matrix for each of a batch, (rows, columns), at strides in elements.
struct Matrices {
  const void* data = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t rowStride = 0, columnStride = 1;
  Dims leading = {}, leadingStrides = {};  // of the batch; none: one matrix for all
  // Elements of a dense line that may be read: more than the matrix has where a buffer's lines are longer.
  int64_t readable = 0;

  Matrices transposed() const {
    Matrices result = *this;
    std::swap(result.rows, result.columns);
    std::swap(result.rowStride, result.columnStride);
    return result;
  }
};

// The last two dimensions of `arg` as a matrix.
Matrices matricesOf(const TensorArg& arg);

struct Product {
  DType dtype;  // of both factors; float32 or one of the 16-bit floats
  bool tf32 = false;
  Matrices a, b;  // (m, k), (k, n)
  int64_t batch = 1;
  int64_t mostSplits = 32;

  int64_t m() const { return a.rows; }
  int64_t n() const { return b.columns; }
  int64_t k() const { return a.columns; }
};

// Bytes of scratch memory for `multiply`, a multiple of 256.
size_t productWorkspace(const Product& product, const Limits& limits);

// y = epilogue(a·b). The epilogue's operands have the product's dtype, and are dense; `scratch` is productWorkspace.
// Where `epilogue.sums` is given, the sums themselves are written there, in lines of epilogue.line floats, without gaps
// where k may be cut into ranges.
void multiply(Launch& launch, const Product& product, const GemmEpilogue& epilogue, char* scratch);

bool liesAt16Bytes(const void* data);

}  // namespace duo::cuda
