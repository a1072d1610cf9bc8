#include "napi/environment.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <system_error>

#include "napi/schema.h"

namespace duo {
namespace {

constexpr int kSlotBits = 22, kGenerationBits = 19, kEnvironmentBits = 12;
constexpr size_t kBufferDoubles = size_t(1) << 16;
// V8 is told about memory in steps: the call costs more than a small op.
constexpr size_t kReportStep = size_t(1) << 20;

std::atomic<uint64_t> environments{0};

}  // namespace

// ---------------------------------------------------------------- handles

Handles::Handles() : environment_(environments.fetch_add(1) % ((1 << kEnvironmentBits) - 1) + 1) {}

double Handles::add(Tensor tensor) {
  if (free_.empty()) {
    if (slots_.size() >> kSlotBits) {
      fail(ErrorCode::kState, "tensor", "at most " + std::to_string(1 << kSlotBits) + " live tensors", "one more");
    }
    free_.push_back(uint32_t(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  tensor.storage->retainHandle();
  slot.tensor = std::move(tensor);
  slot.used = true;
  const auto device = size_t(slot.tensor.storage->device);
  if (device >= live_.size()) live_.resize(device + 1);
  ++live_[device];
  return double((environment_ << (kSlotBits + kGenerationBits)) | (uint64_t(slot.generation) << kSlotBits) | index);
}

const Handles::Slot* Handles::find(double handle) const {
  if (!(handle >= 1 && handle <= 9007199254740991.0)) return nullptr;
  const uint64_t bits = uint64_t(handle), index = bits & ((1u << kSlotBits) - 1);
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  const bool valid = slot.used && slot.generation == ((bits >> kSlotBits) & ((1u << kGenerationBits) - 1)) &&
                     bits >> (kSlotBits + kGenerationBits) == environment_;
  return valid ? &slot : nullptr;
}

const Tensor& Handles::get(double handle, const char* op, const char* what) const {
  if (const Slot* slot = find(handle)) return slot->tensor;
  const bool foreign = handle >= 1 && uint64_t(handle) >> (kSlotBits + kGenerationBits) != environment_;
  fail(ErrorCode::kState, op, std::string(what) + " to be a live tensor of this thread",
       foreign ? "one of another thread" : "a disposed one");
}

void Handles::remove(double handle) {
  Slot* slot = const_cast<Slot*>(find(handle));
  if (!slot) return;
  --live_[size_t(slot->tensor.storage->device)];
  slot->tensor.storage->releaseHandle();
  slot->tensor = {};
  slot->used = false;
  slot->generation = slot->generation % ((1u << kGenerationBits) - 1) + 1;
  free_.push_back(uint32_t(slot - slots_.data()));
}

size_t Handles::live(int device) const { return size_t(device) < live_.size() ? live_[size_t(device)] : 0; }

void Handles::clear() {
  for (Slot& slot : slots_) {
    if (slot.used) slot.tensor.storage->releaseHandle();
  }
  slots_.clear();
  free_.clear();
}

// ---------------------------------------------------------------- environment

struct Environment::Wait {
  Environment* owner;
  Napi::Promise::Deferred deferred;
  Napi::Reference<Napi::Value> result;  // what the promise gives; the queue may write into its memory until then
  std::optional<Error> error;
};

template <Napi::Value (Environment::*method)(const Napi::CallbackInfo&)>
void Environment::bind(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New(
                        env,
                        [](const Napi::CallbackInfo& info) -> Napi::Value {
                          auto* self = static_cast<Environment*>(info.Data());
                          return self->guarded(info.Env(), [&] { return (self->*method)(info); });
                        },
                        name, this));
}

template <typename Body>
Napi::Value Environment::guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Napi::Error(env, errorValue(env, error));
  } catch (const std::bad_alloc&) {
    throw Napi::Error(env, errorValue(env, Error(ErrorCode::kDevice, "native: expected memory, got out of memory")));
  } catch (const std::system_error& error) {
    throw Napi::Error(
        env, errorValue(env, Error(ErrorCode::kDevice, std::string("native: expected a thread, got ") + error.what())));
  }
}

Environment::Environment(Napi::Env env, Napi::Object exports) {
  const auto name = Napi::String::New(env, "duoformer");
  const auto settle = [](napi_env e, napi_value, void*, void* data) {
    // No environment: it is being torn down, and its waits with it.
    if (!e) return;
    auto* wait = static_cast<Wait*>(data);
    Napi::HandleScope scope(e);
    try {
      wait->owner->settle(e, wait);
    } catch (const Napi::Error&) {
      // A worker that is being terminated runs no JavaScript any more, and nobody waits for its promises.
    }
  };
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, settle, &settled_);
  napi_unref_threadsafe_function(env, settled_);
  // Hooks run last registered first: this one must stop the queue before Node takes the function above away.
  napi_add_env_cleanup_hook(
      env, [](void* self) { static_cast<Environment*>(self)->shutdown(); }, this);

  bind<&Environment::start>(env, exports, "start");
  bind<&Environment::enqueue>(env, exports, "enqueue");
  bind<&Environment::record>(env, exports, "record");
  bind<&Environment::recorded>(env, exports, "recorded");
  bind<&Environment::replay>(env, exports, "replay");
  bind<&Environment::closeCapture>(env, exports, "closeCapture");
  bind<&Environment::upload>(env, exports, "upload");
  bind<&Environment::view>(env, exports, "view");
  bind<&Environment::dispose>(env, exports, "dispose");
  bind<&Environment::read>(env, exports, "read");
  bind<&Environment::synchronize>(env, exports, "synchronize");
  bind<&Environment::memory>(env, exports, "memory");
  bind<&Environment::setMemoryLimit>(env, exports, "setMemoryLimit");
  bind<&Environment::counters>(env, exports, "counters");
  bind<&Environment::resetCounters>(env, exports, "resetCounters");
  bind<&Environment::resetPeak>(env, exports, "resetPeak");
  bind<&Environment::trim>(env, exports, "trim");
  bind<&Environment::openDevice>(env, exports, "openDevice");
  bind<&Environment::setTf32>(env, exports, "setTf32");
  bind<&Environment::transfer>(env, exports, "transfer");
  bind<&Environment::cudaInfo>(env, exports, "cudaInfo");
  bind<&Environment::setThreads>(env, exports, "setThreads");
  bind<&Environment::info>(env, exports, "info");
  bind<&Environment::openCheckpoint>(env, exports, "openCheckpoint");
  bind<&Environment::loadTensor>(env, exports, "loadTensor");
  bind<&Environment::closeCheckpoint>(env, exports, "closeCheckpoint");
  bind<&Environment::writeTensor>(env, exports, "writeTensor");
  bind<&Environment::tryLock>(env, exports, "tryLock");
}

Environment::~Environment() = default;

void Environment::shutdown() {
  for (const auto& device : devices_) {
    if (device) device->queue().stop();
  }
  for (const auto& [number, open] : captures_) open.capture->close();
  captures_.clear();
  handles_.clear();
  checkpoints_.clear();
  devices_.clear();
  for (Wait* wait : waits_) delete wait;
  waits_.clear();
  napi_release_threadsafe_function(settled_, napi_tsfn_abort);
}

Napi::Value Environment::errorValue(Napi::Env env, const Error& error) {
  if (makeError_.IsEmpty()) return Napi::Error::New(env, error.what()).Value();
  return makeError_.Call({Napi::Number::New(env, int(error.code())), Napi::String::New(env, error.what()),
                          Napi::Number::New(env, double(error.call))});
}

// start(makeError: (code, message, call) => Error): Float64Array
Napi::Value Environment::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (buffer_) return bufferReference_.Value();
  makeError_ = Napi::Persistent(info[0].As<Napi::Function>());
  cpuRuntime();  // a wrong DUOFORMER_ISA is refused here
  devices_.push_back(std::make_unique<Device>(0));
  auto buffer = Napi::TypedArrayOf<double>::New(env, kBufferDoubles);
  buffer_ = buffer.Data();
  bufferReference_ = Napi::Persistent(buffer);
  return buffer;
}

Device& Environment::device(int number) const {
  if (number < 0 || size_t(number) >= devices_.size() || !devices_[size_t(number)]) {
    fail(ErrorCode::kState, "device", "the number of an open device", std::to_string(number));
  }
  return *devices_[size_t(number)];
}

Device& Environment::deviceOf(const Napi::Value& number) const {
  return device(number.As<Napi::Number>().Int32Value());
}

// openDevice(number): opens cuda:(number − 1) on this thread, unless it is
Napi::Value Environment::openDevice(const Napi::CallbackInfo& info) {
  const auto number = size_t(info[0].As<Napi::Number>().Uint32Value());
  if (number >= devices_.size() || !devices_[number]) {
    auto opened = std::make_unique<Device>(int(number));
    if (number >= devices_.size()) devices_.resize(number + 1);
    devices_[number] = std::move(opened);
  }
  return info.Env().Undefined();
}

// setTf32(device, allowed)
Napi::Value Environment::setTf32(const Napi::CallbackInfo& info) {
  deviceOf(info[0]).setTf32(info[1].ToBoolean());
  return info.Env().Undefined();
}

// transfer(handle, device): handle of a copy there. The tensor is dense.
Napi::Value Environment::transfer(const Napi::CallbackInfo& info) {
  const Tensor& tensor = handles_.get(info[0].As<Napi::Number>().DoubleValue(), "to", "the tensor");
  Tensor moved = deviceOf(info[1]).transfer(tensor, device(tensor.storage->device));
  const double handle = handles_.add(std::move(moved));
  adjustExternalMemory(info.Env());
  return Napi::Number::New(info.Env(), handle);
}

// enqueue(op): per input spec a handle, or for a list its length and its handles; 0 for an optional one that is not
// given; then the attributes. It runs on the device of its first tensor. Comes back as: number of the call, of the
// device, then per output handle (0: left out), dtype, rank, dims.
Napi::Value Environment::enqueue(const Napi::CallbackInfo& info) {
  const OpDef& def = registry()[info[0].As<Napi::Number>().Uint32Value()];
  OpCall call(def);
  SmallVector<const Tensor*, 16> inputs;
  const double* p = buffer_;
  for (const InputSpec& spec : def.inputs) {
    const int count = spec.list ? int(*p++) : *p != 0;
    call.slots.emplace_back(int(inputs.size()), count);
    for (int i = 0; i < count; ++i) inputs.push_back(&handles_.get(p[i], def.name, spec.name));
    p += spec.list ? count : 1;
  }
  for (size_t i = 0; i < def.attrs.size(); ++i) call.attrs.push_back(p[i]);

  const int number = inputs.empty() ? 0 : inputs[0]->storage->device;
  if (recording_ && recording_ != &device(number)) {
    fail(ErrorCode::kDevice, def.name, "tensors of the device whose calls are recorded", deviceName(number));
  }
  auto results = device(number).enqueue(++calls_, std::move(call), {inputs.data(), inputs.size()});
  double* out = buffer_;
  *out++ = double(calls_);
  *out++ = number;
  for (Tensor& tensor : results) {
    const bool present = tensor.storage != nullptr;
    const Dims dims = tensor.dims;
    const DType dtype = tensor.dtype;
    *out++ = present ? handles_.add(std::move(tensor)) : 0;
    *out++ = double(int(dtype));
    *out++ = dims.rank();
    for (const int64_t d : dims.span()) *out++ = double(d);
  }
  adjustExternalMemory(info.Env());
  return info.Env().Undefined();
}

// record(device, inputs: number[]): from here on the device keeps what is enqueued
Napi::Value Environment::record(const Napi::CallbackInfo& info) {
  const auto handles = info[1].As<Napi::Array>();
  std::vector<Tensor> inputs;
  for (uint32_t i = 0; i < handles.Length(); ++i) {
    inputs.push_back(handles_.get(handles.Get(i).As<Napi::Number>().DoubleValue(), "capture", "each input"));
  }
  deviceOf(info[0]).record(std::move(inputs));
  recording_ = &deviceOf(info[0]);
  return info.Env().Undefined();
}

// recorded(device, result): number of the capture; without a result drops it
Napi::Value Environment::recorded(const Napi::CallbackInfo& info) {
  Device& on = deviceOf(info[0]);
  const OpenCapture open{on, on.recorded()};
  recording_ = nullptr;
  if (!open.capture) fail(ErrorCode::kState, "capture", "calls that are recorded", "none");
  const double result = info[1].As<Napi::Number>().DoubleValue();
  try {
    if (result == 0) {
      open.capture->close();
      return info.Env().Null();
    }
    open.capture->finish(handles_.get(result, "capture", "the result"));
  } catch (const Error&) {
    open.capture->close();
    throw;
  }
  captures_.emplace(++lastCapture_, open);
  return Napi::Number::New(info.Env(), double(lastCapture_));
}

// replay(capture, values: Int32Array): handle of the result; in the buffer, for each input the handle of a tensor that
// it takes, or 0
Napi::Value Environment::replay(const Napi::CallbackInfo& info) {
  const auto found = captures_.find(uint64_t(info[0].As<Napi::Number>().DoubleValue()));
  if (found == captures_.end()) fail(ErrorCode::kState, "capture", "an open capture", "a disposed one");
  const auto& [device, capture] = found->second;
  const auto values = info[1].As<Napi::Int32Array>();
  std::vector<const Tensor*> sources(capture->inputs(), nullptr);
  for (size_t i = 0; i < sources.size(); ++i) {
    if (buffer_[i] != 0) sources[i] = &handles_.get(buffer_[i], "capture", "each tensor");
  }
  Tensor result = device.replay(capture, {values.Data(), values.ElementLength()}, sources);
  const double handle = handles_.add(std::move(result));
  adjustExternalMemory(info.Env());
  return Napi::Number::New(info.Env(), handle);
}

Napi::Value Environment::closeCapture(const Napi::CallbackInfo& info) {
  const auto found = captures_.find(uint64_t(info[0].As<Napi::Number>().DoubleValue()));
  if (found == captures_.end()) return info.Env().Undefined();
  found->second.capture->close();
  captures_.erase(found);
  adjustExternalMemory(info.Env());
  return info.Env().Undefined();
}

// upload(dtype, shape: number[], bytes: Uint8Array | null, host: boolean, device): handle; null leaves the contents
// undefined
Napi::Value Environment::upload(const Napi::CallbackInfo& info) {
  const auto dtype = DType(info[0].As<Napi::Number>().Uint32Value());
  const auto shape = info[1].As<Napi::Array>();
  Dims dims;
  for (uint32_t i = 0; i < shape.Length(); ++i) dims.push(shape.Get(i).As<Napi::Number>().Int64Value());
  Device& on = deviceOf(info[4]);
  Tensor tensor;
  if (info[2].IsNull()) {
    tensor = on.empty(dims, dtype, "tensor");
  } else {
    const auto bytes = info[2].As<Napi::Uint8Array>();
    const size_t expected = size_t(dims.count()) * sizeOf(dtype);
    if (bytes.ByteLength() != expected) {
      fail(ErrorCode::kShape, "tensor", std::to_string(expected) + " bytes for " + dims.text(),
           std::to_string(bytes.ByteLength()));
    }
    tensor = on.upload(dims, dtype, bytes.Data());
    if (info[3].ToBoolean() && dtype == DType::kInt32) {
      const auto* values = reinterpret_cast<const int32_t*>(bytes.Data());
      tensor.storage->host = std::make_shared<const std::vector<int32_t>>(values, values + dims.count());
    }
  }
  const double handle = handles_.add(std::move(tensor));
  adjustExternalMemory(info.Env());
  return Napi::Number::New(info.Env(), handle);
}

// view(handle, rank): in the buffer dims, strides, then the offset, all in elements of the parent's storage
Napi::Value Environment::view(const Napi::CallbackInfo& info) {
  const Tensor& parent = handles_.get(info[0].As<Napi::Number>().DoubleValue(), "view", "the tensor");
  const int rank = info[1].As<Napi::Number>().Int32Value();
  Tensor tensor = parent;
  tensor.dims = {};
  tensor.strides = {};
  int64_t last = tensor.offset = int64_t(buffer_[2 * rank]);
  bool empty = false;
  for (int i = 0; i < rank; ++i) {
    tensor.dims.push(int64_t(buffer_[i]));
    tensor.strides.push(int64_t(buffer_[rank + i]));
    empty |= tensor.dims[i] == 0;
    if (tensor.dims[i] < 0 || tensor.strides[i] < 0) fail(ErrorCode::kShape, "view", "sizes and strides >= 0", "less");
    last += (tensor.dims[i] - 1) * tensor.strides[i];
  }
  const int64_t elements = int64_t(parent.storage->bytes() / sizeOf(parent.dtype));
  if (tensor.offset < 0 || (!empty && last >= elements)) {
    fail(ErrorCode::kShape, "view", "elements below " + std::to_string(elements), std::to_string(last));
  }
  return Napi::Number::New(info.Env(), handles_.add(std::move(tensor)));
}

Napi::Value Environment::dispose(const Napi::CallbackInfo& info) {
  handles_.remove(info[0].As<Napi::Number>().DoubleValue());
  adjustExternalMemory(info.Env());
  return info.Env().Undefined();
}

// read(handle): Promise<Float32Array | Int32Array | Uint8Array | Int8Array>
Napi::Value Environment::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Tensor& tensor = handles_.get(info[0].As<Napi::Number>().DoubleValue(), "data", "the tensor");
  const size_t count = size_t(tensor.dims.count());
  Napi::TypedArray array;
  switch (tensor.dtype) {
    case DType::kInt32: array = Napi::Int32Array::New(env, count); break;
    case DType::kUint8: array = Napi::Uint8Array::New(env, count); break;
    case DType::kInt8: array = Napi::Int8Array::New(env, count); break;
    default: array = Napi::Float32Array::New(env, count);
  }
  void* target = array.ArrayBuffer().Data();
  return wait(env, array, [&](const Device::Done& done) { device(tensor.storage->device).read(tensor, target, done); });
}

Napi::Value Environment::synchronize(const Napi::CallbackInfo& info) {
  Device& on = deviceOf(info[0]);
  return wait(info.Env(), info.Env().Undefined(), [&](const Device::Done& done) { on.fence(done); });
}

Napi::Value Environment::wait(Napi::Env env, Napi::Value result, const Submit& submit) {
  auto* pending = new Wait{this, Napi::Promise::Deferred::New(env), {}, {}};
  if (result.IsObject()) pending->result = Napi::Reference<Napi::Value>::New(result, 1);
  if (waits_.empty()) napi_ref_threadsafe_function(env, settled_);
  waits_.insert(pending);
  submit([pending, function = settled_](std::optional<Error> error) {
    pending->error = std::move(error);
    napi_call_threadsafe_function(function, pending, napi_tsfn_nonblocking);
  });
  return pending->deferred.Promise();
}

void Environment::settle(Napi::Env env, Wait* wait) {
  if (waits_.erase(wait) == 0) return;
  const std::unique_ptr<Wait> owned(wait);
  if (waits_.empty()) napi_unref_threadsafe_function(env, settled_);
  if (wait->error) {
    wait->deferred.Reject(errorValue(env, *wait->error));
  } else {
    wait->deferred.Resolve(wait->result.IsEmpty() ? env.Undefined() : wait->result.Value());
  }
}

Napi::Value Environment::memory(const Napi::CallbackInfo& info) {
  Device& on = deviceOf(info[0]);
  const MemoryUse use = on.allocator().use();
  auto object = Napi::Object::New(info.Env());
  object.Set("live", double(use.live));
  object.Set("cached", double(use.cached));
  object.Set("peak", double(use.peak));
  object.Set("tensors", double(handles_.live(on.number())));
  return object;
}

Napi::Value Environment::setMemoryLimit(const Napi::CallbackInfo& info) {
  deviceOf(info[0]).allocator().setLimit(size_t(info[1].As<Napi::Number>().DoubleValue()));
  return info.Env().Undefined();
}

// counters(): { <name of op>: { calls, flops, bytes, seconds } }, of ops that were called
Napi::Value Environment::counters(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  Device& device = deviceOf(info[0]);
  const auto counts = device.counts();
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].calls == 0) continue;
    auto count = Napi::Object::New(info.Env());
    count.Set("calls", double(counts[i].calls));
    count.Set("flops", counts[i].flops);
    count.Set("bytes", counts[i].bytes);
    count.Set("seconds", double(device.nanoseconds(i)) * 1e-9);
    result.Set(registry()[i].name, count);
  }
  return result;
}

Napi::Value Environment::resetCounters(const Napi::CallbackInfo& info) {
  deviceOf(info[0]).resetCounts();
  return info.Env().Undefined();
}

Napi::Value Environment::resetPeak(const Napi::CallbackInfo& info) {
  deviceOf(info[0]).allocator().resetPeak();
  return info.Env().Undefined();
}

Napi::Value Environment::trim(const Napi::CallbackInfo& info) {
  deviceOf(info[0]).allocator().trim();
  return info.Env().Undefined();
}

Napi::Value Environment::setThreads(const Napi::CallbackInfo& info) {
  setCpuThreads(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

Napi::Value Environment::info(const Napi::CallbackInfo& info) {
  auto object = Napi::Object::New(info.Env());
  const CpuRuntime cpu = cpuRuntime();
  object.Set("isa", cpu.isa);
  object.Set("threads", cpu.threads);
  object.Set("maxThreads", cpu.maxThreads);
  object.Set("schema", schemaJson());
  return object;
}

// cudaInfo(): { build, problem, devices: { name, major, minor, multiprocessors, memory }[] }; loads the driver
Napi::Value Environment::cudaInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CudaRuntime cuda = cudaRuntime();
  auto devices = Napi::Array::New(env, cuda.devices.size());
  for (size_t i = 0; i < cuda.devices.size(); ++i) {
    auto device = Napi::Object::New(env);
    device.Set("name", cuda.devices[i].name);
    device.Set("major", cuda.devices[i].major);
    device.Set("minor", cuda.devices[i].minor);
    device.Set("multiprocessors", cuda.devices[i].multiprocessors);
    device.Set("memory", double(cuda.devices[i].memory));
    devices.Set(uint32_t(i), device);
  }
  auto object = Napi::Object::New(env);
  object.Set("build", cuda.build);
  object.Set("problem", cuda.problem);
  object.Set("devices", devices);
  return object;
}

void Environment::adjustExternalMemory(Napi::Env env) {
  size_t live = 0;
  for (const auto& device : devices_) live += device ? device->allocator().use().live : 0;
  const size_t change = live > reportedBytes_ ? live - reportedBytes_ : reportedBytes_ - live;
  if (change < kReportStep) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, int64_t(live) - int64_t(reportedBytes_));
  reportedBytes_ = live;
}

}  // namespace duo
