// Launchers of what chooses tokens.
#include "core/rng.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/logit_rows.h"
#include "cuda/row_walk.h"

namespace duo::cuda {
namespace {

// Where candidates go; laid out as the kernels have it.
struct Candidates {
  void *scores, *parents, *tokens;
  int64_t k;
};

Candidates candidatesOf(const OpCall& call) {
  return {call.out("scores").data, call.out("parents").data, call.out("tokens").data, call.integer("k")};
}

RandomSite siteOf(const OpCall& call) {
  return {uint64_t(call.integer("seed")), uint32_t(call.integer("site")), uint32_t(call.integer("step"))};
}

}  // namespace

namespace workspaces {

size_t sampleCategorical(const OpCall& call, const Limits&) {
  return size_t(call.dim("R") * sumBlocksOf(call.dim("V"))) * sizeof(float);
}
size_t sampleCandidates(const OpCall& call, const Limits&) {
  return size_t(call.dim("R") * call.dim("V")) * sizeof(float);
}

}  // namespace workspaces

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

void sampleCategorical(Launch& launch) {
  const OpCall& call = launch.call;
  const LogitRows logits = logitRows(call);
  if (logits.rows == 0) return;
  launch.run("sampleCategorical", {blocksFor(logits.rows, 1)}, threadsForRow(logits.vocabulary), 0, logits,
             call.in("streams").data, siteOf(call), sumBlocksOf(logits.vocabulary), launch.workspace,
             call.out("ids").data, reporterOf(launch));
}

void beamCandidates(Launch& launch) {
  const OpCall& call = launch.call;
  const LogitRows logits = logitRows(call);
  const int64_t sentences = call.dim("B"), beams = call.dim("b");
  if (sentences == 0) return;
  launch.run("beamCandidates", {blocksFor(sentences, 1)}, threadsForRow(beams * logits.vocabulary), 0, logits,
             call.in("beamScores").data, sentences, beams, candidatesOf(call), reporterOf(launch));
}

void runningBeams(Launch& launch) {
  const OpCall& call = launch.call;
  const int64_t sentences = call.dim("B");
  if (sentences == 0) return;
  launch.run("runningBeams", {blocksFor(sentences, 32)}, 32, 0, call.in("scores").data, call.in("parents").data,
             call.in("tokens").data, call.in("ends").data, call.dim("E"), call.f32("demotion"), sentences,
             call.dim("k"), call.integer("beams"), call.out("beamScores").data, call.out("rows").data,
             call.out("running").data);
}

void sampleCandidates(Launch& launch) {
  constexpr unsigned kThreads = 128;
  const OpCall& call = launch.call;
  const LogitRows logits = logitRows(call);
  const int64_t sentences = call.dim("B"), beams = call.dim("b");
  if (sentences == 0) return;
  const void* before = call.in("beamScores").data;
  float* keys = launch.scratch<float>();
  // A row's words begin and end inside a call of Philox: up to one call more than a quarter of them.
  launch.run("gumbelKeys", {blocksFor(logits.vocabulary / 4 + 2, kThreads), blocksFor(logits.rows, 1)}, kThreads, 0,
             logits, before, call.in("streams").data, beams, siteOf(call), keys, reporterOf(launch));
  launch.run("sampleCandidates", {blocksFor(sentences, 1)}, threadsForRow(beams * logits.vocabulary), 0, logits, before,
             keys, sentences, beams, candidatesOf(call), reporterOf(launch));
}

}  // namespace launchers
}  // namespace duo::cuda
