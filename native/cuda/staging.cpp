#include "cuda/staging.h"

#include "cuda/convert.h"
#include "cuda/launch.h"
#include "cuda/stream.h"

namespace duo::cuda {
namespace {

bool narrow(DType t) { return t == DType::kFloat16 || t == DType::kBFloat16; }

bool meets(const TensorArg& arg, Layout layout) {
  if (layout == Layout::kStrided || arg.count() == 0) return true;
  const Dims dense = arg.dims.strides();
  for (int i = 0; i < arg.dims.rank(); ++i) {
    const bool last = i == arg.dims.rank() - 1;
    if (arg.dims[i] != 1 && arg.strides[i] != dense[i] && (layout == Layout::kContiguous || last)) return false;
  }
  return true;
}

// Whether kernels take the call's 16-bit floats as they are: they say so, and all operands agree, those included that
// are never converted.
bool takesNarrow(const OpCall& call) {
  if (call.def.cuda.operands != Operands::kNative) return false;
  std::optional<DType> common;
  for (size_t i = 0; i < call.slots.size(); ++i) {
    if (call.def.inputs[i].kind != Kind::kFloat && call.def.inputs[i].kind != Kind::kStored) continue;
    for (int j = 0; j < call.slots[i].second; ++j) {
      const DType dtype = call.inputs[size_t(call.slots[i].first + j)].dtype;
      if (common && *common != dtype) return false;
      common = dtype;
    }
  }
  return true;
}

// A kernel with an operand of any type writes 16-bit floats itself, as on the CPU.
bool convertsOutputs(const OpCall& call) {
  for (const InputSpec& spec : call.def.inputs) {
    if (spec.kind == Kind::kAny) return false;
  }
  return !takesNarrow(call);
}

// What each operand becomes: fn(index of input, what it must be), for those that must change.
template <typename Fn>
void forEachStaged(const OpCall& call, const Fn& fn) {
  const bool widens = !takesNarrow(call);
  for (size_t i = 0; i < call.slots.size(); ++i) {
    const InputSpec& spec = call.def.inputs[i];
    if (spec.mutated) continue;
    for (int j = 0; j < call.slots[i].second; ++j) {
      const size_t at = size_t(call.slots[i].first + j);
      const TensorArg& arg = call.inputs[at];
      const bool widen = widens && spec.kind == Kind::kFloat && narrow(arg.dtype);
      if (!widen && meets(arg, spec.layout)) continue;
      TensorArg staged = arg;
      staged.dtype = widen ? DType::kFloat32 : arg.dtype;
      staged.strides = arg.dims.strides();
      fn(at, staged);
    }
  }
}

template <typename Fn>
void forEachConvertedOutput(const OpCall& call, const Fn& fn) {
  if (!convertsOutputs(call)) return;
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    if (call.outputs[i].present && narrow(call.outputs[i].dtype)) fn(i);
  }
}

size_t bytesOf(const TensorArg& arg) { return alignedSize(size_t(arg.count()) * sizeOf(arg.dtype)); }

}  // namespace

OpCall stagedCall(const OpCall& original) {
  OpCall call = original;
  forEachStaged(original, [&](size_t at, const TensorArg& staged) { call.inputs[at] = staged; });
  forEachConvertedOutput(original, [&](size_t i) { call.outputs[i].dtype = DType::kFloat32; });
  return call;
}

size_t stagingBytes(const OpCall& call) {
  size_t bytes = 0;
  bool any = false;
  forEachStaged(call, [&](size_t, const TensorArg& staged) {
    bytes += bytesOf(staged);
    any = true;
  });
  forEachConvertedOutput(call, [&](size_t i) {
    TensorArg wide = call.outputs[i];
    wide.dtype = DType::kFloat32;
    bytes += bytesOf(wide);
    any = true;
  });
  return any ? std::max(bytes, kAlignment) : 0;
}

void runStaged(const OpCall& original, char* staging, uint64_t number, Stream& stream) {
  if (!staging) {
    Launch launch(original, number, original.workspace, stream);
    return original.def.cuda.launch(launch);
  }
  OpCall call = original;
  Launch launch(call, number, call.workspace, stream);
  forEachStaged(original, [&](size_t at, const TensorArg& staged) {
    convert(launch, original.inputs[at], staging, staged.dtype);
    call.inputs[at] = staged;
    call.inputs[at].data = staging;
    staging += bytesOf(staged);
  });
  forEachConvertedOutput(original, [&](size_t i) {
    call.outputs[i].data = staging;
    call.outputs[i].dtype = DType::kFloat32;
    staging += bytesOf(call.outputs[i]);
  });
  call.def.cuda.launch(launch);
  forEachConvertedOutput(original, [&](size_t i) {
    convert(launch, call.outputs[i], original.outputs[i].data, original.outputs[i].dtype);
  });
}

}  // namespace duo::cuda
