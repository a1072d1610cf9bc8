// dropout: y = x · factor(row, column). Rows are shared out; reads 4 and writes 4 bytes an element, and one Philox call
// makes the factors of eight.
#include "cpu/dropout.h"

#include "cpu/kernels.h"
#include "cpu/strided.h"

namespace duo::cpu::DUO_ISA {

namespace {
constexpr int64_t kGrain = 16384;  // elements for each thread
}

void dropout(const OpCall& call) {
  const TensorArg &x = call.in("x"), &y = call.out("y");
  const Dropout rule(call);
  const RowsAt<const float> from(x);
  parallelRows(rowsOf(x.dims), kGrain, [&, shape = rowsOf(x.dims)](int64_t row) {
    const float* px = from[row];
    float* py = y.f32() + row * shape.columns;
    forEachDropped(rule, row, shape.columns,
                   [&](int64_t c, int64_t n, Drop drop) { drop(VecF::load(px + c, n)).store(py + c, n); });
  });
}

}  // namespace duo::cpu::DUO_ISA
