// Runs a column: kernels see float32 in the layout that their op asked for; what differs is staged here, once for all.
#include <algorithm>
#include <cstring>

#include "core/half.h"
#include "cpu/column.h"
#include "cpu/thread_pool.h"
#include "ops/registry.h"

namespace duo::cpu {
namespace {

constexpr int64_t kGrain = 16384;  // elements a thread converts at a time
constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

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

bool stagesInput(const InputSpec& spec, const TensorArg& arg) {
  if (!arg.present || spec.mutated) return false;
  return (spec.kind == Kind::kFloat && narrow(arg.dtype)) || !meets(arg, spec.layout);
}

// A kernel that takes 16-bit floats as they are says so with Kind::kAny, and then writes them itself, too.
bool stagesOutput(const OpDef& def, const TensorArg& out) {
  if (!out.present || !narrow(out.dtype)) return false;
  return std::ranges::none_of(def.inputs, [](const InputSpec& spec) { return spec.kind == Kind::kAny; });
}

size_t stagedSize(const TensorArg& arg) {
  return aligned(size_t(arg.count()) * (narrow(arg.dtype) ? 4 : sizeOf(arg.dtype)));
}

template <typename Fn>
void forEachRow(const TensorArg& arg, const Fn& fn) {
  const int rank = arg.dims.rank();
  const int64_t columns = rank ? arg.dims.back() : 1, rows = columns ? arg.count() / columns : 0;
  parallelBlocks(rows, std::max<int64_t>(kGrain / std::max<int64_t>(columns, 1), 1), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t offset = 0, left = row;
      for (int d = rank - 2; d >= 0; --d) {
        offset += left % arg.dims[d] * arg.strides[d];
        left /= arg.dims[d];
      }
      fn(row, offset, columns, rank ? arg.strides[rank - 1] : 1);
    }
  });
}

template <typename From, typename To, typename Convert>
void gather(const TensorArg& from, To* to, Convert convert) {
  forEachRow(from, [&](int64_t row, int64_t offset, int64_t columns, int64_t step) {
    const From* source = from.as<const From>() + offset;
    To* target = to + row * columns;
    for (int64_t c = 0; c < columns; ++c) target[c] = convert(source[c * step]);
  });
}

void stageIn(const TensorArg& from, void* to) {
  const auto same = [](auto x) { return x; };
  switch (from.dtype) {
    case DType::kFloat16: return gather<uint16_t>(from, static_cast<float*>(to), floatFromFloat16);
    case DType::kBFloat16: return gather<uint16_t>(from, static_cast<float*>(to), floatFromBFloat16);
    case DType::kFloat32:
    case DType::kInt32: return gather<uint32_t>(from, static_cast<uint32_t*>(to), same);
    case DType::kUint8:
    case DType::kInt8: return gather<uint8_t>(from, static_cast<uint8_t*>(to), same);
  }
}

void stageOut(const float* from, const TensorArg& to) {
  const auto convert = to.dtype == DType::kFloat16 ? float16FromFloat : bfloat16FromFloat;
  parallelBlocks(to.count(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to.as<uint16_t>()[i] = convert(from[i]);
  });
}

void runStaged(const OpCall& original, char* staging) {
  OpCall call = original;
  for (size_t i = 0; i < call.slots.size(); ++i) {
    for (int j = 0; j < call.slots[i].second; ++j) {
      TensorArg& arg = call.inputs[call.slots[i].first + j];
      if (!stagesInput(call.def.inputs[i], arg)) continue;
      // A 16-bit operand of a kAny kernel is only made dense; its bits stay.
      TensorArg dense = arg;
      if (call.def.inputs[i].kind == Kind::kAny && narrow(arg.dtype)) {
        gather<uint16_t>(arg, reinterpret_cast<uint16_t*>(staging), [](uint16_t x) { return x; });
      } else {
        stageIn(arg, staging);
        if (narrow(arg.dtype)) dense.dtype = DType::kFloat32;
      }
      dense.data = staging;
      dense.strides = arg.dims.strides();
      staging += stagedSize(arg);
      arg = dense;
    }
  }
  std::vector<size_t> narrowed;
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    TensorArg& out = call.outputs[i];
    if (!stagesOutput(call.def, out)) continue;
    out.data = staging;
    out.dtype = DType::kFloat32;
    staging += stagedSize(original.outputs[i]);
    narrowed.push_back(i);
  }
  call.def.cpu.kernels[int(activeIsa())](call);
  for (const size_t i : narrowed) stageOut(call.outputs[i].f32(), original.outputs[i]);
}

}  // namespace

int scratchSlots() { return ThreadPool::maxThreads(); }

size_t stagingBytes(const OpCall& call) {
  size_t bytes = 0;
  for (size_t i = 0; i < call.slots.size(); ++i) {
    for (int j = 0; j < call.slots[i].second; ++j) {
      const TensorArg& arg = call.inputs[call.slots[i].first + j];
      if (stagesInput(call.def.inputs[i], arg)) bytes += std::max(stagedSize(arg), kAlignment);
    }
  }
  for (const TensorArg& out : call.outputs) {
    if (stagesOutput(call.def, out)) bytes += std::max(stagedSize(out), kAlignment);
  }
  return bytes;
}

void run(const OpCall& call, char* staging) {
  if (staging) {
    runStaged(call, staging);
  } else {
    call.def.cpu.kernels[int(activeIsa())](call);
  }
}

}  // namespace duo::cpu
