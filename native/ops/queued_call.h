// A checked call with what it needs to run: on its own, or as one of a capture.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/queue.h"
#include "core/small_vector.h"
#include "core/tensor.h"
#include "ops/backend.h"
#include "ops/registry.h"

namespace duo {

using Storages = SmallVector<std::shared_ptr<Storage>, 3>;

// Throws a state error where one of them is the result of a failed op.
void checkMarks(const char* op, const Storages& reads, const Queue& queue);

struct QueuedCall {
  uint64_t number;  // for errors
  OpCall call;
  Backend::Workspace workspace;
  Storages reads;                      // of call.inputs
  Storages writes;                     // of the outputs that are wanted
  std::atomic<uint64_t>* nanoseconds;  // where the time that it takes is added

  // Of the queue's thread. Marks what it should have written, and throws, where it fails. `place`: as many bytes as the
  // workspace takes.
  void run(Backend& backend, Queue& queue, char* place);

 private:
  void markResults(uint32_t epoch);
  std::string inputShapes() const;
};

// Operands once, those that are updated twice.
double bytesOf(const OpCall& call);

}  // namespace duo
