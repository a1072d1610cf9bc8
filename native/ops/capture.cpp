#include "ops/capture.h"

#include <algorithm>

namespace duo {

void Capture::add(const QueuedCall& call) {
  for (const auto& storages : {&call.reads, &call.writes}) {
    for (const auto& storage : *storages) storage->retainHandle();
  }
  calls_.push_back(call);
}

void Capture::setInputs(std::vector<Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.dtype != DType::kInt32 || !(input.strides == input.dims.strides())) {
      fail(ErrorCode::kDType, "capture", "inputs that are dense int32 tensors", "others");
    }
  }
  for (const Tensor& input : inputs) input.storage->retainHandle();
  inputs_ = std::move(inputs);
  for (size_t i = 0; i < calls_.size(); ++i) addVarying(i);
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
  for (const QueuedCall& call : calls_) {
    for (const auto& storages : {&call.reads, &call.writes}) {
      for (const auto& storage : *storages) storage->releaseHandle();
    }
  }
  for (const Tensor& input : inputs_) input.storage->releaseHandle();
}

size_t Capture::inputElements() const {
  size_t count = 0;
  for (const Tensor& input : inputs_) count += size_t(input.dims.count());
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
    const auto end = from + input.dims.count();
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
    if (source.storage) {
      const bool fits = source.dtype == DType::kInt32 && source.dims.count() == input.dims.count() &&
                        source.strides == source.dims.strides() && source.storage->device == input.storage->device;
      if (!fits || input.storage->host) {
        fail(ErrorCode::kShape, "capture", "a dense int32 tensor " + input.dims.text() + " of its device",
             "another for input " + std::to_string(i));
      }
    }
    sources_.push_back(source);
  }
}

void Replay::publish() const {
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i]) capture_->inputs_[i].storage->host = hosts_[i];
  }
}

void Replay::writeInputs(Backend& backend, const Queue& queue) {
  const int32_t* values = values_.data();
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Tensor &input = capture_->inputs_[i], &source = sources_[i];
    const auto count = input.dims.count();
    const size_t bytes = size_t(count) * sizeof(int32_t);
    input.storage->mark = Storage::kNeverWritten;
    if (source.storage) {
      Storages reads;
      reads.push_back(source.storage);
      checkMarks("capture", reads, queue);
      backend.copy(input.data(), source.data(), bytes);
    } else {
      backend.write(input.data(), values, bytes);
    }
    input.storage->mark = 0;
    values += count;
  }
}

void Replay::run(Backend& backend, Queue& queue, char* workspace) {
  const auto reported = [&](const auto& body) {
    try {
      body();
    } catch (const Error& error) {
      queue.report(error);
    }
  };
  reported([&] { writeInputs(backend, queue); });
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
    reported([&] { call.run(backend, queue, workspace); });
  }
}

}  // namespace duo
