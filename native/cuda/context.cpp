#include "cuda/context.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/os/inflate.h"

namespace duo::cuda {
namespace {

constexpr int kOldestMajor = 8;  // what the kernels are compiled for: mma.sync on bfloat16, cp.async
constexpr size_t kSharedWithoutAsking = 48 << 10;

// Errors of a kernel that the driver cannot undo: every later call of this context says the same.
bool sticks(CUresult result) {
  constexpr CUresult kSticky[] = {214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719};
  return std::find(std::begin(kSticky), std::end(kSticky), result) != std::end(kSticky);
}

// A driver that is older than the compiler may refuse the fatbin, yet compile its text, which lies in it uncompressed.
const char* ptxOf(const std::string& fatbin) {
  const size_t version = fatbin.find(".version ");
  return version == std::string::npos ? nullptr : fatbin.data() + version;
}

void expectKernels() {
  if (images().empty()) fail(ErrorCode::kDevice, "cuda", "a build with CUDA kernels", buildVerdict());
}

}  // namespace

int Context::devices() {
  expectKernels();
  const Driver& driver = cuda::driver();
  int count = 0;
  cuda::check(driver, driver.cuDeviceGetCount(&count), "counting devices");
  return count;
}

std::shared_ptr<Context> Context::acquire(int ordinal) {
  const int count = devices();
  if (count == 0) fail(ErrorCode::kDevice, "cuda", "a CUDA device", "none");
  if (ordinal >= count) {
    fail(ErrorCode::kDevice, "cuda", "a device below cuda:" + std::to_string(count), "cuda:" + std::to_string(ordinal));
  }
  static std::mutex& mutex = *new std::mutex;
  static auto& contexts = *new std::unordered_map<int, std::weak_ptr<Context>>;
  std::lock_guard lock(mutex);
  std::shared_ptr<Context> context = contexts[ordinal].lock();
  if (!context) contexts[ordinal] = context = std::make_shared<Context>(cuda::driver(), ordinal);
  return context;
}

Context::Context(const Driver& table, int ordinal) : driver(table), modules_(images().size()) {
  cuda::check(driver, driver.cuDeviceGet(&device_, ordinal), "finding the device");
  char text[128] = "";
  cuda::check(driver, driver.cuDeviceGetName(text, sizeof text, device_), "naming the device");
  name_ = text;
  const auto attribute = [&](int which) {
    int value = 0;
    cuda::check(driver, driver.cuDeviceGetAttribute(&value, which, device_), "describing the device");
    return value;
  };
  limits_ = {attribute(kComputeCapabilityMajor), attribute(kComputeCapabilityMinor), attribute(kMultiprocessorCount),
             size_t(attribute(kMaxSharedPerBlockOptin))};
  if (limits_.major < kOldestMajor) {
    fail(ErrorCode::kDevice, "cuda", "a device of compute capability 8.0 or newer",
         name_ + " of " + std::to_string(limits_.major) + "." + std::to_string(limits_.minor));
  }
  cuda::check(driver, driver.cuDeviceTotalMem(&memory_, device_), "asking for the device's memory");
  cuda::check(driver, driver.cuDevicePrimaryCtxRetain(&context_, device_), "making a context");
}

Context::~Context() {
  driver.cuCtxSetCurrent(context_);
  for (CUmodule module : modules_) {
    if (module) driver.cuModuleUnload(module);
  }
  driver.cuCtxSetCurrent(nullptr);
  driver.cuDevicePrimaryCtxRelease(device_);
}

void Context::makeCurrent() const { driver.cuCtxSetCurrent(context_); }

void Context::check(CUresult result, const std::string& what) {
  if (result == kSuccess) return;
  if (sticks(result)) {
    std::lock_guard lock(mutex_);
    if (!lost_) {
      loss_ = driver.describe(result) + " at " + what;
      lost_ = true;
    }
  }
  if (lost_) fail(ErrorCode::kDevice, "cuda", "a device that works", "a lost one: " + loss_ + "; start a new process");
  fail(ErrorCode::kDevice, "cuda", what + " to succeed", driver.describe(result));
}

CUmodule Context::load(const Image& image) {
  CUmodule module = nullptr;
  const std::string fatbin = os::inflate(image.packed, "cuda");
  CUresult result = driver.cuModuleLoadData(&module, fatbin.data());
  const char* ptx = ptxOf(fatbin);
  if (ptx && (result == kInvalidImage || result == kNoBinaryForGpu || result == kUnsupportedPtxVersion ||
              result == kInvalidSource)) {
    result = driver.cuModuleLoadData(&module, ptx);
  }
  if (result != kSuccess) {
    fail(ErrorCode::kDevice, "cuda", std::string("a driver that takes the kernels of ") + image.family,
         driver.describe(result));
  }
  return module;
}

CUfunction Context::find(const std::string& kernel) {
  const auto all = images();
  for (size_t i = 0; i < all.size(); ++i) {
    if (!modules_[i]) modules_[i] = load(all[i]);
    CUfunction function = nullptr;
    const CUresult result = driver.cuModuleGetFunction(&function, modules_[i], kernel.c_str());
    if (result == kSuccess) return function;
    if (result != kNotFound) fail(ErrorCode::kDevice, "cuda", "the kernel " + kernel, driver.describe(result));
  }
  fail(ErrorCode::kDevice, "cuda", "the kernel " + kernel, "none of this name");
}

CUfunction Context::function(const std::string& kernel, size_t dynamicShared) {
  std::lock_guard lock(mutex_);
  Kernel& entry = kernels_[kernel];
  if (!entry.function) entry = {find(kernel), kSharedWithoutAsking};
  if (dynamicShared > entry.dynamicShared) {
    const CUresult result = driver.cuFuncSetAttribute(entry.function, kMaxDynamicShared, int(dynamicShared));
    if (result != kSuccess) {
      fail(ErrorCode::kDevice, "cuda", std::to_string(dynamicShared) + " bytes of shared memory for " + kernel,
           driver.describe(result));
    }
    entry.dynamicShared = dynamicShared;
  }
  return entry.function;
}

}  // namespace duo::cuda
