// Launchers of softmax.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/row_walk.h"

namespace duo::cuda {
namespace {

constexpr int64_t kThreads = 512;  // of a block, at most

}  // namespace

namespace launchers {

void softmax(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &y = launch.call.out("y");
  if (x.count() == 0) return;
  const int64_t columns = x.dims.back(), rows = x.count() / columns;
  Operands16 operands(columns);
  operands.add(true, x), operands.add(true, y);
  launch.run(kernelName("softmax", x.dtype), {blocksFor(rows, 1)}, threadsForColumns(columns, kThreads), 0, x.data,
             y.data, rowWalkOf(x), rows, columns, operands.vectors(), launch.call.flag("log"));
}

void softmaxBwd(Launch& launch) {
  const TensorArg &y = launch.call.in("y"), &dY = launch.call.in("dY"), &dX = launch.call.out("dX");
  if (y.count() == 0) return;
  const int64_t columns = y.dims.back(), rows = y.count() / columns;
  Operands16 operands(columns);
  operands.add(true, y), operands.add(true, dY), operands.add(true, dX);
  launch.run(kernelName("softmaxBwd", y.dtype), {blocksFor(rows, 1)}, threadsForColumns(columns, kThreads), 0, y.data,
             dY.data, dX.data, rowWalkOf(y), rowWalkOf(dY), rows, columns, operands.vectors(), launch.call.flag("log"));
}

}  // namespace launchers
}  // namespace duo::cuda
