// Launchers of binary cross-entropy.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/room.h"
#include "cuda/tuning.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kChunk = 2048;  // as the kernels have it
enum Reduction { kMean, kSum, kNone };

size_t bytesOf(const OpCall& call) {
  const int64_t chunks = ceilDivide(call.in("logits").count(), kChunk);
  return alignedSize(sizeof(float)) + alignedSize(size_t(chunks) * sizeof(double));
}

void run(Launch& launch, const char* kernel, const char* target, Reduction reduction) {
  const OpCall& call = launch.call;
  const TensorArg &logits = call.in("logits"), &mask = call.in("mask");
  const int64_t count = logits.count(), chunks = ceilDivide(count, kChunk);
  Room room(launch.workspace);
  auto* scale = room.take<float>(1);
  auto* sums = room.take<double>(size_t(chunks));
  const uint8_t* kept = mask.present ? mask.as<uint8_t>() : nullptr;
  if (kept && reduction == kMean) {
    launch.run("bceScale", {1}, kThreads, 0, kept, count, scale);
  } else {
    launch.upload(scale, std::vector<float>{reduction != kMean ? 1.f : count ? 1 / float(count) : 0.f});
  }
  if (count > 0) {
    launch.run(kernelName(kernel, logits.dtype), {blocksFor(chunks, 1)}, kThreads, 0, logits.data, call.in(target).data,
               kept, count, scale, reduction == kNone ? call.out("loss").data : nullptr,
               call.wants("dLogits") ? call.out("dLogits").data : nullptr, sums);
  }
  if (reduction == kNone) return;
  launch.run("bceSum", {1}, kThreads, 0, sums, count, scale, call.out("loss").data);
}

}  // namespace

namespace workspaces {

size_t bceWithLogits(const OpCall& call, const Limits&) { return bytesOf(call); }
size_t rtdLoss(const OpCall& call, const Limits&) { return bytesOf(call); }

}  // namespace workspaces

namespace launchers {

void bceWithLogits(Launch& launch) { run(launch, "bce", "targets", Reduction(launch.call.integer("reduction"))); }
void rtdLoss(Launch& launch) { run(launch, "rtd", "isReplaced", kMean); }

}  // namespace launchers
}  // namespace duo::cuda
