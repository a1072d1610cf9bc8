#include "ops/queued_call.h"

#include <chrono>

namespace duo {

void checkMarks(const char* op, const Storages& reads, const Queue& queue) {
  for (const auto& storage : reads) {
    if (storage->marked(queue.epoch()))
      fail(ErrorCode::kState, op, "inputs that were computed", "the result of a failed op");
  }
}

void QueuedCall::run(Backend& backend, Queue& queue, char* place) {
  try {
    checkMarks(call.def.name, reads, queue);
    call.workspace = place;
    const auto start = std::chrono::steady_clock::now();
    backend.run(call, workspace.staging > 0 ? place + workspace.own : nullptr, number);
    const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - start;
    nanoseconds->fetch_add(uint64_t(time.count()), std::memory_order_relaxed);
  } catch (const Error& error) {
    markResults(queue.epoch());
    Error located(error.code(), error.what() + inputShapes());
    located.call = number;
    throw located;
  }
}

void QueuedCall::markResults(uint32_t epoch) {
  for (const auto& storage : writes) storage->mark = Storage::kNeverWritten;
  for (size_t i = 0; i < call.slots.size(); ++i) {
    if (!call.def.inputs[i].mutated) continue;
    const auto [first, count] = call.slots[i];
    // What was never written stays so: no later epoch makes it good.
    for (int j = first; j < first + count; ++j) {
      if (reads[size_t(j)]->mark != Storage::kNeverWritten) reads[size_t(j)]->mark = epoch;
    }
  }
}

std::string QueuedCall::inputShapes() const {
  std::string text = " [inputs";
  for (const TensorArg& arg : call.inputs) text.append(" ").append(arg.dims.text());
  return text.append("]");
}

double bytesOf(const OpCall& call) {
  double bytes = 0;
  const auto add = [&](const TensorArg& arg, int times) {
    if (arg.present) bytes += times * double(arg.count()) * double(sizeOf(arg.dtype));
  };
  for (size_t i = 0; i < call.slots.size(); ++i) {
    const auto [first, count] = call.slots[i];
    for (int j = first; j < first + count; ++j) add(call.inputs[j], call.def.inputs[i].mutated ? 2 : 1);
  }
  for (const TensorArg& out : call.outputs) add(out, 1);
  return bytes;
}

}  // namespace duo
