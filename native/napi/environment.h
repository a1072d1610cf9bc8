// What one Node environment (the main thread, or a worker) owns: its device, its tensor handles, its pending waits.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/safetensors.h"
#include "ops/device.h"

namespace duo {

// Handles are numbers, not objects: environment (12 bits) · generation (19) · slot (22), exact in a double. A number
// that was disposed of, comes from another thread, or was made up finds a slot of another generation, and is refused.
class Handles {
 public:
  Handles();
  double add(Tensor tensor);
  const Tensor& get(double handle, const char* op, const char* what) const;  // throws a StateError
  void remove(double handle);  // nothing happens for a handle that is no longer valid
  void clear();
  size_t live(int device) const;  // of one device

 private:
  struct Slot {
    Tensor tensor;
    uint32_t generation = 1;
    bool used = false;
  };
  const Slot* find(double handle) const;

  uint64_t environment_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<size_t> live_;  // by device
};

class Environment {
 public:
  Environment(Napi::Env env, Napi::Object exports);
  ~Environment();

 private:
  struct Wait;
  struct OpenCapture {
    Device& device;
    std::shared_ptr<Capture> capture;
  };

  // JavaScript's side of a call: numbers in, numbers out, through one shared buffer (the layout is in
  // lib/native/load.ts).
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value enqueue(const Napi::CallbackInfo& info);
  Napi::Value record(const Napi::CallbackInfo& info);
  Napi::Value recorded(const Napi::CallbackInfo& info);
  Napi::Value replay(const Napi::CallbackInfo& info);
  Napi::Value closeCapture(const Napi::CallbackInfo& info);
  Napi::Value upload(const Napi::CallbackInfo& info);
  Napi::Value view(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value setMemoryLimit(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value resetCounters(const Napi::CallbackInfo& info);
  Napi::Value resetPeak(const Napi::CallbackInfo& info);
  Napi::Value trim(const Napi::CallbackInfo& info);
  Napi::Value openDevice(const Napi::CallbackInfo& info);
  Napi::Value setTf32(const Napi::CallbackInfo& info);
  Napi::Value transfer(const Napi::CallbackInfo& info);
  Napi::Value cudaInfo(const Napi::CallbackInfo& info);
  Napi::Value setThreads(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  // In checkpoint.cpp.
  Napi::Value openCheckpoint(const Napi::CallbackInfo& info);
  Napi::Value loadTensor(const Napi::CallbackInfo& info);
  Napi::Value closeCheckpoint(const Napi::CallbackInfo& info);
  Napi::Value writeTensor(const Napi::CallbackInfo& info);
  Napi::Value tryLock(const Napi::CallbackInfo& info);
  const Checkpoint& checkpoint(double number) const;

  // Runs `body`, turning duo::Error into the JavaScript error that lib/errors.ts makes of it.
  template <typename Body>
  Napi::Value guarded(Napi::Env env, const Body& body);
  Napi::Value errorValue(Napi::Env env, const Error& error);
  // A promise of `result`, kept when the task that `submit` queues calls what it is given.
  using Submit = std::function<void(const Device::Done&)>;
  Napi::Value wait(Napi::Env env, Napi::Value result, const Submit& submit);
  void settle(Napi::Env env, Wait* wait);
  void adjustExternalMemory(Napi::Env env);
  template <Napi::Value (Environment::*method)(const Napi::CallbackInfo&)>
  void bind(Napi::Env env, Napi::Object exports, const char* name);
  void shutdown();

  // By its number (Device); throws a state error for one that was not opened.
  Device& device(int number) const;
  Device& deviceOf(const Napi::Value& number) const;

  std::vector<std::unique_ptr<Device>> devices_;  // null for those that nobody asked for
  uint64_t calls_ = 0;                            // ops enqueued so far, on all devices
  Handles handles_;
  Device* recording_ = nullptr;
  std::unordered_map<uint64_t, OpenCapture> captures_;
  uint64_t lastCapture_ = 0;  // as below
  std::unordered_map<uint64_t, Checkpoint> checkpoints_;
  uint64_t lastCheckpoint_ = 0;  // numbers of checkpoints are never used again
  napi_threadsafe_function settled_ = nullptr;
  std::unordered_set<Wait*> waits_;
  Napi::FunctionReference makeError_;
  Napi::Reference<Napi::TypedArrayOf<double>> bufferReference_;
  double* buffer_ = nullptr;
  size_t reportedBytes_ = 0;  // what V8 was last told of live bytes
};

}  // namespace duo
