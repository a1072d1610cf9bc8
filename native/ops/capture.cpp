#include "ops/capture.h"

#include <algorithm>

namespace duo {

namespace {

// Blocks of a plan begin at cache lines, as all do.
constexpr size_t kLine = 64;
// Enough for any plan; no byte of it is touched.
constexpr size_t kPlanBytes = size_t(1) << 46;
char* const kPlan = reinterpret_cast<char*>(kLine);

bool dense(const Tensor& tensor) { return tensor.strides == tensor.dims.strides(); }

size_t bytesOf(const Tensor& tensor) { return size_t(tensor.dims.count()) * sizeOf(tensor.dtype); }

}  // namespace

Capture::Capture(std::vector<Tensor> inputs) : inputs_(std::move(inputs)), plan_(kLine) {
  plan_.add({kPlan, kPlanBytes});
  for (const Tensor& input : inputs_) {
    if (!dense(input)) fail(ErrorCode::kDType, "capture", "inputs that are dense tensors", "others");
    // Never free, whatever becomes of the tensor.
    const char* place = planned(input.storage);
    inputPlaces_.push_back(size_t(place - kPlan) + size_t(input.offset) * sizeOf(input.dtype));
  }
}

Capture::~Capture() { endRecording(); }

char* Capture::planned(const std::shared_ptr<Storage>& storage) {
  const size_t bytes = std::max<size_t>((storage->bytes() + kLine - 1) / kLine, 1) * kLine;
  char* place = plan_.take(bytes).data;
  places_.emplace(storage.get(), Place{place, storage});
  memory_ = std::max(memory_, size_t(place - kPlan) + bytes);
  return place;
}

void Capture::made(const std::shared_ptr<Storage>& storage) {
  planned(storage);
  storage->watch = this;
}

void Capture::released(const Storage& storage) {
  const auto found = places_.find(&storage);
  plan_.give(found->second.data);
  places_.erase(found);
}

void Capture::keep(const std::shared_ptr<Storage>& storage) {
  if (const auto found = places_.find(storage.get()); found != places_.end()) {
    plan_.give(found->second.data);
    places_.erase(found);
    storage->watch = nullptr;
  }
  storage->retainHandle();
  kept_.push_back(storage);
}

void Capture::add(const QueuedCall& call) {
  const size_t index = calls_.size();
  calls_.push_back(call);
  for (size_t i = 0; i < call.reads.size(); ++i) place(index, false, i, call.reads[i]);
  for (size_t i = 0, written = 0; i < call.call.outputs.size(); ++i) {
    if (call.call.outputs[i].present) place(index, true, i, call.writes[written++]);
  }
}

void Capture::place(size_t call, bool output, size_t argument, const std::shared_ptr<Storage>& storage) {
  const auto found = places_.find(storage.get());
  if (found == places_.end()) return keep(storage);
  const OpCall& of = calls_[call].call;
  const void* data = (output ? of.outputs[argument] : of.inputs[argument]).data;
  const size_t within = size_t(static_cast<const char*>(data) - static_cast<const char*>(storage->block.data));
  placed_.push_back({call, output, argument, size_t(found->second.data - kPlan) + within});
}

void Capture::finish(Tensor result) {
  if (!dense(result)) fail(ErrorCode::kDType, "capture", "a result that is a dense tensor", "another");
  if (const auto found = places_.find(result.storage.get()); found != places_.end()) {
    resultPlace_ = size_t(found->second.data - kPlan) + size_t(result.offset) * sizeOf(result.dtype);
  } else {
    keep(result.storage);
  }
  result_ = std::move(result);
  endRecording();
  for (size_t i = 0; i < calls_.size(); ++i) addVarying(i);
}

// Storages that live on are their handles' affair from here on.
void Capture::endRecording() {
  for (const auto& [_, place] : places_) {
    if (const auto storage = place.of.lock()) storage->watch = nullptr;
  }
  places_.clear();
}

void Capture::addVarying(size_t index) {
  const OpCall& call = calls_[index].call;
  Varying varying{index, call, {}};
  for (size_t arg = 0; arg < call.inputs.size(); ++arg) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (call.inputs[arg].host && call.inputs[arg].host == inputs_[i].storage->host)
        varying.hosts.emplace_back(arg, i);
    }
  }
  if (!varying.hosts.empty()) {
    varying_.push_back(std::move(varying));
    return;
  }
  const Backend::Workspace need = calls_[index].workspace;
  workspace_ = std::max(workspace_, need.own + need.staging);
  const size_t op = size_t(&call.def - registry().data());
  auto count = std::ranges::find(fixed_, op, &Count::op);
  if (count == fixed_.end()) count = fixed_.insert(count, {op, 0, 0, 0});
  ++count->calls;
  count->flops += call.def.flops ? call.def.flops(call) : 0;
  count->bytes += bytesOf(call);
}

void Capture::close() {
  endRecording();
  for (const auto& storage : kept_) storage->releaseHandle();
  kept_.clear();
}

size_t Capture::inputElements() const {
  size_t count = 0;
  for (const Tensor& input : inputs_) count += input.dtype == DType::kInt32 ? size_t(input.dims.count()) : 0;
  return count;
}

Replay::Replay(std::shared_ptr<Capture> capture, std::span<const int32_t> values,
               std::span<const Tensor* const> sources, const Backend& backend)
    : capture_(std::move(capture)), values_(values.begin(), values.end()) {
  if (values.size() != capture_->inputElements()) {
    fail(ErrorCode::kShape, "capture", std::to_string(capture_->inputElements()) + " values",
         std::to_string(values.size()));
  }
  takeSources(sources);
  auto from = values_.begin();
  for (const Tensor& input : capture_->inputs_) {
    const auto end = from + (input.dtype == DType::kInt32 ? input.dims.count() : 0);
    hosts_.push_back(input.storage->host ? std::make_shared<const std::vector<int32_t>>(from, end) : nullptr);
    from = end;
  }
  workspace_ = capture_->workspace_;
  for (Capture::Varying& varying : capture_->varying_) {
    OpCall& call = varying.call;
    for (const auto& [arg, input] : varying.hosts) call.inputs[arg].host = hosts_[input];
    if (call.def.check) call.def.check(call);
    workspaces_.push_back(backend.workspace(call));
    workspace_ = std::max(workspace_, workspaces_.back().own + workspaces_.back().staging);
  }
}

void Replay::takeSources(std::span<const Tensor* const> sources) {
  for (size_t i = 0; i < capture_->inputs_.size(); ++i) {
    const Tensor& input = capture_->inputs_[i];
    const Tensor source = sources[i] ? *sources[i] : Tensor{};
    const bool fits = source.storage
                          ? source.dtype == input.dtype && source.dims.count() == input.dims.count() && dense(source) &&
                                source.storage->device == input.storage->device && !input.storage->host
                          : input.dtype == DType::kInt32;
    if (!fits) {
      fail(ErrorCode::kShape, "capture",
           std::string("a dense ") + nameOf(input.dtype) + " tensor " + input.dims.text() + " of its device",
           "another for input " + std::to_string(i));
    }
    sources_.push_back(source);
  }
}

void Replay::writeInputs(Backend& backend, const Queue& queue, char* memory) {
  const int32_t* values = values_.data();
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Tensor &input = capture_->inputs_[i], &source = sources_[i];
    char* place = memory + capture_->inputPlaces_[i];
    if (source.storage) {
      Storages reads;
      reads.push_back(source.storage);
      checkMarks("capture", reads, queue);
      backend.copy(place, source.data(), bytesOf(input));
    } else {
      backend.write(place, values, bytesOf(input));
    }
    input.storage->mark = 0;
    if (input.dtype == DType::kInt32) values += input.dims.count();
  }
}

void Replay::placeArguments(char* memory) {
  for (const auto& [index, output, argument, offset] : capture_->placed_) {
    OpCall& call = capture_->calls_[index].call;
    (output ? call.outputs[argument] : call.inputs[argument]).data = memory + offset;
  }
}

void Replay::copyResult(Backend& backend, const Queue& queue, char* memory) {
  const Tensor& result = capture_->result_;
  Storages reads;
  reads.push_back(result.storage);
  checkMarks("capture", reads, queue);
  backend.copy(result_.data(), capture_->resultPlace_ ? memory + *capture_->resultPlace_ : result.data(),
               bytesOf(result));
}

void Replay::run(Backend& backend, Queue& queue, char* memory) {
  bool failed = false;
  const auto reported = [&](const auto& body) {
    try {
      body();
    } catch (const Error& error) {
      failed = true;
      queue.report(error);
    }
  };
  // What is not written now, calls find not to be computed.
  for (const Tensor& input : capture_->inputs_) input.storage->mark = Storage::kNeverWritten;
  reported([&] { writeInputs(backend, queue, memory); });
  placeArguments(memory);
  for (size_t i = 0; i < workspaces_.size(); ++i) {
    const Capture::Varying& varying = capture_->varying_[i];
    QueuedCall& call = capture_->calls_[varying.index];
    for (const auto& [arg, input] : varying.hosts) call.call.inputs[arg].host = hosts_[input];
    call.workspace = workspaces_[i];
  }
  for (QueuedCall& call : capture_->calls_) {
    if (Queue::interrupted()) return;
    // What an earlier time left unwritten is written now.
    for (const auto& storage : call.writes) storage->mark = 0;
    reported([&] { call.run(backend, queue, memory + capture_->memory_); });
  }
  reported([&] { copyResult(backend, queue, memory); });
  if (failed) result_.storage->mark = Storage::kNeverWritten;
}

}  // namespace duo
