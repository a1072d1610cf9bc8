// An addon of planted faults for `npm run test:sanitize`, linked with the library's own instrumented objects: what the
// sanitizers must find before a clean run of the suite means anything. Each function commits the fault of its name.
#include <node_api.h>

#include <climits>

#include "cpu/thread_pool.h"
#include "ops/device.h"

using namespace duo;

namespace {

// y = x, queued and awaited.
void copy(Device& device, const Tensor& x) {
  for (const OpDef& def : registry()) {
    if (std::string_view(def.name) != "affine") continue;
    OpCall call(def);
    call.slots.emplace_back(0, 1);
    for (const AttrSpec& spec : def.attrs) call.attrs.push_back(*spec.fallback);
    const Tensor* inputs[] = {&x};
    const auto results = device.enqueue(0, std::move(call), inputs);
    device.queue().drain();
  }
}

Tensor three(Device& device) {
  const float values[3] = {1, 2, 3};
  return device.upload({3}, DType::kFloat32, values);
}

// A kernel reads one element more than its operand has.
void overflow() {
  Device device(0);
  Tensor x = three(device);
  x.dims = {4};
  copy(device, x);
}

// A kernel reads an operand whose memory went back before the op was queued.
void useAfterFree() {
  Device device(0);
  const Tensor x = three(device);
  x.storage->retainHandle();
  x.storage->releaseHandle();
  device.queue().drain();
  copy(device, x);
}

void undefined() {
  volatile int most = INT_MAX;
  most = most + 1;
}

void leak() {
  static Storage* volatile lost = nullptr;
  Device device(0);
  lost = new Storage(device.allocator(), Block{});
  lost->retainHandle();
  lost = nullptr;
}

// Two threads of the pool add to one number.
void race() {
  const auto pool = cpu::ThreadPool::acquire();
  cpu::ThreadPool::setThreads(2);
  cpu::setCurrentPool(pool.get());
  int64_t sum = 0;
  cpu::parallelFor(1 << 20, [&](int64_t index, int) { sum += index; });
  cpu::setCurrentPool(nullptr);
}

template <void (*fault)()>
napi_value call(napi_env, napi_callback_info) {
  fault();
  return nullptr;
}

template <void (*fault)()>
void add(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call<fault>, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace

NAPI_MODULE_INIT() {
  add<overflow>(env, exports, "overflow");
  add<useAfterFree>(env, exports, "useAfterFree");
  add<undefined>(env, exports, "undefined");
  add<leak>(env, exports, "leak");
  add<race>(env, exports, "race");
  return exports;
}
