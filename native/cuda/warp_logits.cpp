// Launcher of the filters on rows of logits.
#include <algorithm>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/logit_rows.h"
#include "cuda/row_walk.h"

namespace duo::cuda {
namespace workspaces {
// The partial sums of each row's softmax and of its entropy.
size_t warpLogits(const OpCall& call, const Limits&) {
  return size_t(call.dim("R") * 2 * sumBlocksOf(call.dim("V"))) * sizeof(float);
}
}  // namespace workspaces

namespace launchers {

void warpLogits(Launch& launch) {
  const OpCall& call = launch.call;
  const LogitRows logits = logitRows(call);
  if (logits.rows == 0 || logits.vocabulary == 0) return;
  launch.run("warpLogits", {blocksFor(logits.rows, 1)}, threadsForRow(logits.vocabulary), 0, logits,
             int(call.integer("rule")), call.number("value"),
             std::min(call.integer("minTokensToKeep"), logits.vocabulary), sumBlocksOf(logits.vocabulary),
             launch.workspace, call.out("scores").data, reporterOf(launch));
}

}  // namespace launchers
}  // namespace duo::cuda
