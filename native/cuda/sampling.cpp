// Launchers of what chooses tokens.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/logit_rows.h"
#include "cuda/row_walk.h"

namespace duo::cuda {
namespace launchers {

void argmax(Launch& launch) {
  const LogitRows logits = logitRows(launch.call);
  if (logits.rows == 0) return;
  launch.run("argmax", {blocksFor(logits.rows, 1)}, threadsForRow(logits.vocabulary), 0, logits,
             launch.call.out("ids").data, reporterOf(launch));
}

void topK(Launch& launch) {
  const LogitRows logits = logitRows(launch.call);
  if (logits.rows == 0) return;
  launch.run("topK", {blocksFor(logits.rows, 1)}, threadsForRow(logits.vocabulary), 0, logits, launch.call.integer("k"),
             launch.call.out("values").data, launch.call.out("ids").data, reporterOf(launch));
}

}  // namespace launchers
}  // namespace duo::cuda
