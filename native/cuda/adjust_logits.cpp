// Launchers of the changes to the logits of listed tokens.
#include <algorithm>
#include <bit>
#include <limits>

#include "cuda/convert.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/logit_rows.h"
#include "cuda/walk.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;

// Blocks over the first argument along x and over rows along y.
Dim3 gridOver(int64_t count, int64_t rows) { return {blocksFor(count, kThreads), blocksFor(rows, 1)}; }

ListedTokens listOf(const Launch& launch, bool byRow) {
  const OpCall& call = launch.call;
  const TensorArg& tokens = call.in("tokens");
  return {byRow ? call.in("rows").i32() : nullptr,
          tokens.i32(),
          tokens.count(),
          call.dim("R"),
          call.dim("V"),
          reporterOf(launch)};
}

TokenRows tokenRows(const OpCall& call, const char* ids, const char* lengths) {
  return {call.in(ids).i32(), call.in(lengths).i32(), call.in(ids).dims.back()};
}

void copyLogits(Launch& launch) {
  convert(launch, launch.call.in("logits"), launch.call.out("scores").data, DType::kFloat32);
}

template <typename... Args>
void runOverList(Launch& launch, const char* kernel, const ListedTokens& list, const Args&... args) {
  if (list.count > 0) launch.run(kernel, {blocksFor(list.count, kThreads)}, kThreads, 0, list, args...);
}

}  // namespace

namespace workspaces {
size_t allowTokens(const OpCall& call, const Limits&) { return size_t(call.dim("R") / call.integer("group")); }
size_t forceTokens(const OpCall& call, const Limits&) { return size_t(call.dim("R")); }
}  // namespace workspaces

namespace launchers {

void penalizeRepetition(Launch& launch) {
  const OpCall& call = launch.call;
  copyLogits(launch);
  const TokenRows sequences = tokenRows(call, "ids", "lengths");
  launch.run("penalizeRepetition", gridOver(sequences.columns, call.dim("R")), kThreads, 0, logitRows(call), sequences,
             call.f32("penalty"), call.out("scores").data, reporterOf(launch));
}

void banRepeatedNgrams(Launch& launch) {
  const OpCall& call = launch.call;
  copyLogits(launch);
  const TokenRows sequences = tokenRows(call, "ids", "lengths");
  const TokenRows sources = call.has("sources") ? tokenRows(call, "sources", "sourceLengths") : sequences;
  const int64_t rows = call.dim("R");
  launch.run("banRepeatedNgrams", gridOver(sources.columns, rows), kThreads, 0, sequences, sources, call.integer("n"),
             call.out("scores").data, rows, call.dim("V"), reporterOf(launch));
}

void banTokens(Launch& launch) {
  copyLogits(launch);
  const ListedTokens list = listOf(launch, false);
  if (list.count == 0) return;
  launch.run("banTokens", gridOver(list.count, list.rowLimit), kThreads, 0, list, launch.call.out("scores").data);
}

void biasTokens(Launch& launch) {
  copyLogits(launch);
  runOverList(launch, "biasTokens", listOf(launch, true), launch.call.in("bias").data, launch.call.out("scores").data);
}

void allowTokens(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg& scores = call.out("scores");
  const ListedTokens list = listOf(launch, true);
  const int64_t group = call.integer("group"), count = scores.count();
  uint8_t* possible = launch.scratch<uint8_t>();
  if (count > 0) {
    launch.run("fill_4", {blocksFor(count, kThreads)}, kThreads, 0, scores.data, walkOf(scores.dims, scores.strides),
               count, std::bit_cast<uint32_t>(-std::numeric_limits<float>::infinity()));
    launch.zero(possible, size_t(list.rowLimit / group));
  }
  runOverList(launch, "allowTokens", list, logitRows(launch.call), group, scores.data, possible);
  runOverList(launch, "allowImpossibleTokens", list, group, possible, scores.data);
}

void forceTokens(Launch& launch) {
  const OpCall& call = launch.call;
  const TensorArg& scores = call.out("scores");
  const ListedTokens list = listOf(launch, true);
  uint8_t* marks = launch.scratch<uint8_t>();
  if (list.rowLimit > 0) launch.zero(marks, size_t(list.rowLimit));
  runOverList(launch, "markRows", list, marks);
  if (scores.count() > 0) {
    launch.run("copyUnmarkedRows", gridOver(list.vocabulary, list.rowLimit), kThreads, 0, logitRows(call), marks,
               scores.data);
  }
  runOverList(launch, "forceTokens", list, scores.data);
}

void boostTokens(Launch& launch) {
  copyLogits(launch);
  runOverList(launch, "boostTokens", listOf(launch, true), logitRows(launch.call), launch.call.in("factors").data,
              launch.call.out("scores").data);
}

void replaceNonFinite(Launch& launch) {
  const TensorArg& scores = launch.call.out("scores");
  if (scores.count() == 0) return;
  launch.run("replaceNonFinite", gridOver(scores.dims[1], scores.dims[0]), kThreads, 0, logitRows(launch.call),
             scores.data);
}

}  // namespace launchers
}  // namespace duo::cuda
