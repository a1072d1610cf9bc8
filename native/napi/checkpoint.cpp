// Checkpoints as JavaScript sees them: a number for an open one, a tensor handle for what was loaded from it.
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

// loadTensor(checkpoint, name, dtype): handle. The file is read when the queue gets there, closed or not by then.
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
  Tensor tensor = device_->produce(item.tensor->dims, dtype, "safetensors",
                                   [item, dtype](void* target) { item.file->read(*item.tensor, dtype, target); });
  const double handle = handles_.add(std::move(tensor));
  adjustExternalMemory(info.Env());
  return Napi::Number::New(info.Env(), handle);
}

Napi::Value Environment::closeCheckpoint(const Napi::CallbackInfo& info) {
  checkpoints_.erase(uint64_t(info[0].As<Napi::Number>().DoubleValue()));
  return info.Env().Undefined();
}

}  // namespace duo
