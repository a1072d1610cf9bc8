#include "cuda/backend.h"

#include <algorithm>
#include <vector>

#include "core/half.h"
#include "cuda/convert.h"
#include "cuda/launch.h"
#include "cuda/staging.h"
#include "cuda/stream.h"

namespace duo::cuda {
namespace {

// Blocks are taken on the JavaScript thread, at the call that needs them, so that a lack of memory throws there.
class DeviceMemory final : public MemorySource {
 public:
  explicit DeviceMemory(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  void* take(size_t bytes) override {
    context_->makeCurrent();
    CUdeviceptr data = 0;
    const CUresult result = context_->driver.cuMemAlloc(&data, std::max<size_t>(bytes, 1));
    if (result == kOutOfMemory) return nullptr;
    context_->check(result, "taking memory of the device");
    return reinterpret_cast<void*>(data);
  }
  void give(void* data, size_t) override {
    context_->makeCurrent();
    context_->driver.cuMemFree(address(data));
  }

 private:
  std::shared_ptr<Context> context_;
};

// `op`: null when its call is too long ago.
Error describe(const ErrorWord& report, const OpDef* op) {
  const std::string start = std::string(op ? op->name : "cuda") + ": expected ", index = std::to_string(report.index);
  if (report.kind == Report::kRow) {
    const char* rows = op && op->usableRows ? op->usableRows : "rows that the op can use";
    return {ErrorCode::kData, start + rows + ", got others at row " + index};
  }
  return {ErrorCode::kIndex, start + "an index in [0, " + std::to_string(report.limit) + "), got " + index};
}

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::shared_ptr<Context> context)
      : context_(context), memory_(context), stream_(std::move(context)) {}

  DeviceKind kind() const override { return DeviceKind::kCuda; }
  MemorySource& memory() override { return memory_; }
  size_t capacity() const override { return context_->memory(); }

  Workspace workspace(const OpCall& call) const override {
    const WorkspaceRule rule = call.def.cuda.workspace;
    // Rules see the call as the kernel will: a converted operand counts as float32.
    const size_t own = rule ? rule(stagedCall(call), context_->limits()) : 0;
    return {alignedSize(own), stagingBytes(call)};
  }

  void run(const OpCall& call, char* staging, uint64_t number) override {
    context_->makeCurrent();
    runStaged(call, staging, number, stream_);
    calls_.push_back({number, &call.def});
    if (calls_.size() > kRemembered) calls_.erase(calls_.begin(), calls_.begin() + kRemembered / 2);
  }

  void write(void* to, const void* from, size_t bytes) override {
    context_->makeCurrent();
    stream_.write(to, from, bytes);
  }
  void read(const void* from, void* to, size_t bytes) override {
    context_->makeCurrent();
    stream_.read(from, to, bytes);
  }
  void copy(void* to, const void* from, size_t bytes) override {
    context_->makeCurrent();
    stream_.copy(to, from, bytes);
  }

  // Made dense on the device, where the elements have gaps; 16-bit floats cross the bus as they are.
  void readElements(const TensorArg& from, void* to) override {
    context_->makeCurrent();
    const size_t count = size_t(from.count()), bytes = count * sizeOf(from.dtype);
    if (count == 0) return;
    const void* dense = from.data;
    CUdeviceptr temporary = 0;
    if (!(from.strides == from.dims.strides())) {
      context_->check(context_->driver.cuMemAlloc(&temporary, bytes), "taking memory to read a view");
      dense = reinterpret_cast<void*>(temporary);
      static const OpDef kNoOp{.name = "data", .inputs = {}};
      const OpCall call(kNoOp);
      Launch launch(call, 0, nullptr, stream_);
      convert(launch, from, reinterpret_cast<void*>(temporary), from.dtype);
    }
    if (sizeOf(from.dtype) == 2) {
      std::vector<uint16_t> halves(count);
      stream_.read(dense, halves.data(), bytes);
      const auto widen = from.dtype == DType::kFloat16 ? floatFromFloat16 : floatFromBFloat16;
      std::transform(halves.begin(), halves.end(), static_cast<float*>(to), widen);
    } else {
      stream_.read(dense, to, bytes);
    }
    if (temporary) context_->driver.cuMemFree(temporary);
  }

  std::optional<Error> settle() override {
    context_->makeCurrent();
    const std::optional<ErrorWord> report = stream_.takeReport();
    if (!report) {
      calls_.clear();
      return std::nullopt;
    }
    const OpDef* op = nullptr;
    for (const auto& [number, def] : calls_) {
      if (number == report->call) op = def;
    }
    calls_.clear();
    Error error = describe(*report, op);
    error.call = report->call;
    return error;
  }

 private:
  struct Call {
    uint64_t number;
    const OpDef* def;
  };
  static constexpr size_t kRemembered = 65536;

  std::shared_ptr<Context> context_;
  DeviceMemory memory_;
  Stream stream_;
  std::vector<Call> calls_;  // since the last wait: an error word has only a number
};

}  // namespace

std::unique_ptr<Backend> makeBackend(int ordinal) { return std::make_unique<CudaBackend>(Context::acquire(ordinal)); }

DeviceDescription describeDevice(int ordinal) {
  const auto context = Context::acquire(ordinal);
  const Limits& limits = context->limits();
  return {context->name(), limits.major, limits.minor, limits.multiprocessors, context->memory()};
}

int deviceCount() { return Context::devices(); }

const char* buildDescription() { return buildVerdict(); }

}  // namespace duo::cuda
