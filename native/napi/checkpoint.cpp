// Checkpoints as JavaScript sees them: a number for an open one, a tensor handle for what was loaded from it.
#include "core/os/file.h"
#include "napi/environment.h"

namespace duo {
namespace {

Napi::Object describe(Napi::Env env, const StoredTensor& tensor) {
  auto shape = Napi::Array::New(env, size_t(tensor.dims.rank()));
  for (int i = 0; i < tensor.dims.rank(); ++i) shape.Set(uint32_t(i), double(tensor.dims[i]));
  auto object = Napi::Object::New(env);
  object.Set("name", tensor.name);
  object.Set("dtype", std::string(tensor.dtype->name));
  object.Set("native", tensor.dtype->native ? int(*tensor.dtype->native) : -1);
  object.Set("shape", shape);
  return object;
}

}  // namespace

const Checkpoint& Environment::checkpoint(double number) const {
  const auto found = checkpoints_.find(number >= 0 ? uint64_t(number) : 0);
  if (found == checkpoints_.end()) fail(ErrorCode::kState, "safetensors", "an open checkpoint", "a closed one");
  return found->second;
}

// openCheckpoint(path): { number, tensors: { name, dtype, native, shape }[], metadata: [key, value, key, …] }; keys of
// strangers never become names of properties
Napi::Value Environment::openCheckpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Checkpoint opened(info[0].As<Napi::String>().Utf8Value());
  auto tensors = Napi::Array::New(env, opened.items().size());
  uint32_t i = 0;
  for (const auto& [name, item] : opened.items()) {
    Napi::HandleScope scope(env);
    tensors.Set(i++, describe(env, *item.tensor));
  }
  auto metadata = Napi::Array::New(env);
  for (const auto& [key, value] : opened.metadata()) {
    metadata.Set(metadata.Length(), key);
    metadata.Set(metadata.Length(), value);
  }
  auto result = Napi::Object::New(env);
  result.Set("metadata", metadata);
  result.Set("number", double(++lastCheckpoint_));
  result.Set("tensors", tensors);
  checkpoints_.emplace(lastCheckpoint_, std::move(opened));
  return result;
}

// loadTensor(checkpoint, name, dtype, device): handle. The file is read when the queue gets there, closed or not by
// then.
Napi::Value Environment::loadTensor(const Napi::CallbackInfo& info) {
  const Checkpoint& source = checkpoint(info[0].As<Napi::Number>().DoubleValue());
  const std::string name = info[1].As<Napi::String>().Utf8Value();
  const auto dtype = DType(info[2].As<Napi::Number>().Uint32Value());
  const auto found = source.items().find(name);
  if (found == source.items().end()) {
    fail(ErrorCode::kCheckpoint, "safetensors", "a tensor of the checkpoint", "\"" + name + "\"");
  }
  const Checkpoint::Item item = found->second;
  const StoredDType& stored = *item.tensor->dtype;
  if (!isConvertible(stored, dtype)) {
    fail(stored.native ? ErrorCode::kDType : ErrorCode::kCheckpoint, "safetensors",
         "tensor \"" + name + "\" of " + item.file->path() + " in a dtype that becomes " + nameOf(dtype),
         std::string(stored.name));
  }
  Tensor tensor = deviceOf(info[3]).produce(item.tensor->dims, dtype, "safetensors", [item, dtype](void* target) {
    item.file->read(*item.tensor, dtype, target);
  });
  const double handle = handles_.add(std::move(tensor));
  adjustExternalMemory(info.Env());
  return Napi::Number::New(info.Env(), handle);
}

Napi::Value Environment::closeCheckpoint(const Napi::CallbackInfo& info) {
  checkpoints_.erase(uint64_t(info[0].As<Napi::Number>().DoubleValue()));
  return info.Env().Undefined();
}

// writeTensor(handle, dtype, path, offset): Promise<void>. The dense tensor's elements, as `dtype`, into an existing
// file; the promise has the error of this write, and the queue does not remember it.
Napi::Value Environment::writeTensor(const Napi::CallbackInfo& info) {
  const Tensor& tensor = handles_.get(info[0].As<Napi::Number>().DoubleValue(), "safetensors", "the tensor");
  const auto stored = DType(info[1].As<Napi::Number>().Uint32Value());
  const std::string path = info[2].As<Napi::String>().Utf8Value();
  const auto offset = size_t(info[3].As<Napi::Number>().Int64Value());
  const DType dtype = tensor.dtype;
  const int64_t count = tensor.dims.count();
  for (int i = 0; i < tensor.dims.rank(); ++i) {
    if (tensor.dims[i] != 1 && tensor.strides[i] != tensor.dims.strides()[i]) {
      fail(ErrorCode::kShape, "safetensors", "a dense tensor", "one with gaps");
    }
  }
  if (stored != dtype && !(isFloat(stored) && isFloat(dtype))) {
    fail(ErrorCode::kDType, "safetensors", std::string("a tensor that becomes ") + nameOf(stored), nameOf(dtype));
  }
  const auto write = [=](const void* elements) { duo::writeTensor(path, offset, elements, dtype, stored, count); };
  return wait(info.Env(), info.Env().Undefined(),
              [&](const Device::Done& done) { device(tensor.storage->device).consume(tensor, write, done); });
}

// tryLock(descriptor): 0 taken, 1 busy, 2 no locks on this file system
Napi::Value Environment::tryLock(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), int(os::tryLock(info[0].As<Napi::Number>().Int32Value())));
}

}  // namespace duo
