// The CUDA driver's interface over the machine: what is queued runs at once, in the order of the calls.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "machine.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace gpusim {
namespace {

enum Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kNotFound = 500,
  kIllegalAddress = 700,
  kLaunchOutOfResources = 701,
  kLaunchFailed = 719,
};

std::string variable(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

// A device as its attributes tell it.
struct Device {
  const char* name;
  int major, minor, multiprocessors;
  int sharedPerBlock;  // with the opt-in
};

const Device& device() {
  static const Device devices[] = {{"sm_80", 8, 0, 108, 163 << 10},
                                   {"sm_86", 8, 6, 82, 99 << 10},
                                   {"sm_90", 9, 0, 132, 227 << 10},
                                   {"sm_70", 7, 0, 80, 96 << 10}};
  static const Device& chosen = [&]() -> const Device& {
    const std::string wanted = variable("GPUSIM_ARCH", "sm_80");
    for (const Device& d : devices) {
      if (wanted == d.name) return d;
    }
    std::fprintf(stderr, "gpusim: expected GPUSIM_ARCH of sm_70, sm_80, sm_86 or sm_90, got %s\n", wanted.c_str());
    std::abort();
  }();
  return chosen;
}

int deviceCount() { return std::atoi(variable("GPUSIM_DEVICES", "1").c_str()); }

Settings settingsOfEnvironment() {
  Settings s;
  const std::string checks = variable("GPUSIM_CHECKS", "all");
  if (checks != "all") {
    const auto wants = [&](const char* name) { return checks.find(name) != std::string::npos; };
    s.uninitialised = wants("uninitialised"), s.races = wants("races"), s.convergence = wants("convergence");
  }
  s.count = variable("GPUSIM_COUNT", "0") == "1";
  s.jitter = std::strtoull(variable("GPUSIM_JITTER", "0").c_str(), nullptr, 10);
  s.shuffle = std::strtoull(variable("GPUSIM_SHUFFLE", "0").c_str(), nullptr, 10);
  s.wideSums = variable("GPUSIM_MMA", "f32") == "f64";
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  s.threads = unsigned(std::max(1, std::atoi(variable("GPUSIM_THREADS", std::to_string(cores).c_str()).c_str())));
  return s;
}

constexpr size_t kSharedWithoutAsking = 48 << 10;

struct LoadedFunction {
  std::unique_ptr<Kernel> kernel;
  size_t mostDynamicShared = kSharedWithoutAsking;
};

struct LoadedModule {
  std::shared_ptr<const Module> module;
  Places places;
  std::map<std::string, std::unique_ptr<LoadedFunction>> functions;
};

struct State {
  std::mutex mutex;
  Settings settings = settingsOfEnvironment();
  GlobalMemory memory{std::strtoull(variable("GPUSIM_MEMORY", "8589934592").c_str(), nullptr, 10), settings.count};
  std::map<std::string, Counters> counters;  // by kernel
  std::string report;                        // of the last fault
  int lost = 0;                              // after a fault, what every call says
};

State& state() {
  static State& s = *new State;
  return s;
}

// The PTX text of an image: of a fatbin, or the image itself.
std::string textOf(const void* image) {
  const auto* bytes = static_cast<const uint8_t*>(image);
  uint32_t magic = 0;
  std::memcpy(&magic, bytes, 4);
  if (magic != 0xba55ed50) return static_cast<const char*>(image);
  uint16_t header = 0;
  uint64_t size = 0;
  std::memcpy(&header, bytes + 6, 2);
  std::memcpy(&size, bytes + 8, 8);
  for (uint64_t at = header; at < header + size;) {
    uint16_t kind = 0;
    uint32_t entryHeader = 0;
    uint64_t entrySize = 0;
    std::memcpy(&kind, bytes + at, 2);
    std::memcpy(&entryHeader, bytes + at + 4, 4);
    std::memcpy(&entrySize, bytes + at + 8, 8);
    constexpr uint16_t kPtx = 1;
    if (kind == kPtx) {
      const auto* text = reinterpret_cast<const char*>(bytes + at + entryHeader);
      return std::string(text, strnlen(text, entrySize));
    }
    at += entryHeader + entrySize;
  }
  return "";
}

int load(LoadedModule** result, const void* image) {
  const std::string text = textOf(image);
  if (text.find(".version") == std::string::npos) return kInvalidImage;
  auto loaded = std::make_unique<LoadedModule>();
  try {
    auto module = std::make_shared<Module>(parse(text));
    for (const Variable& global : module->global) {
      const uint64_t address = state().memory.take(global.size);
      if (!address) return kOutOfMemory;
      auto* to = reinterpret_cast<uint8_t*>(address);
      std::memset(to, 0, global.size);
      std::copy(global.initial.begin(), global.initial.end(), to);
      state().memory.markWritten(address, global.size);
      loaded->places.global[global.name] = address;
    }
    loaded->module = std::move(module);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpusim: %s\n", error.what());
    return kInvalidImage;
  }
  *result = loaded.release();
  return kSuccess;
}

int find(LoadedFunction** result, LoadedModule* loaded, const std::string& name) {
  auto& known = loaded->functions[name];
  if (!known) {
    const auto& functions = loaded->module->functions;
    const auto found =
        std::find_if(functions.begin(), functions.end(), [&](const Function& f) { return f.name == name; });
    if (found == functions.end()) {
      loaded->functions.erase(name);
      return kNotFound;
    }
    known = std::make_unique<LoadedFunction>();
    try {
      known->kernel = decode(loaded->module, *found, loaded->places);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "gpusim: %s: %s\n", name.c_str(), error.what());
      loaded->functions.erase(name);
      return kInvalidImage;
    }
    for (const std::string& what : known->kernel->unsupported) {
      std::fprintf(stderr, "gpusim: %s holds what cannot be executed: %s\n", name.c_str(), what.c_str());
    }
  }
  *result = known.get();
  return kSuccess;
}

std::string jsonOf(const Counters& c) {
  static const char* classes[] = {"integer", "float", "move", "control", "global", "shared", "other", "tensor"};
  std::string json;
  const auto add = [&](const char* name, uint64_t value) {
    json += (json.empty() ? "\"" : ",\"") + std::string(name) + "\":" + std::to_string(value);
  };
  for (size_t k = 0; k < c.instructions.size(); ++k) add(classes[k], c.instructions[k]);
  add("hotInstructions", c.hotInstructions);
  add("globalRequests", c.globalRequests), add("globalSectors", c.globalSectors);
  add("idealSectors", c.idealSectors), add("globalBytes", c.globalBytes);
  add("wideRequests", c.wideRequests), add("wideLoads", c.wideLoads);
  add("wideSectors", c.wideSectors), add("wideIdealSectors", c.wideIdealSectors);
  add("sharedRequests", c.sharedRequests), add("sharedConflicts", c.sharedConflicts);
  add("touchedBytes", c.touchedBytes), add("touchedSectors", c.touchedSectors);
  return json;
}

// Appends what a launch was and did to the file that GPUSIM_LAUNCHES names.
void note(const Launch& launch, const Counters& counters) {
  static FILE* const file = [] {
    const std::string path = variable("GPUSIM_LAUNCHES", "");
    return path.empty() ? nullptr : std::fopen(path.c_str(), "a");
  }();
  if (!file) return;
  std::fprintf(
      file,
      "{\"kernel\":\"%s\",\"grid\":[%u,%u,%u],\"block\":[%u,%u,%u],\"staticShared\":%zu,\"dynamicShared\":%zu,%s}\n",
      launch.kernel.name.c_str(), launch.grid[0], launch.grid[1], launch.grid[2], launch.block[0], launch.block[1],
      launch.block[2], launch.kernel.staticShared, launch.dynamicShared, jsonOf(counters).c_str());
  std::fflush(file);
}

int launch(LoadedFunction* function, std::array<uint32_t, 3> grid, std::array<uint32_t, 3> block,
           unsigned dynamicShared, void** parameters) {
  State& s = state();
  if (s.lost) return s.lost;
  const Kernel& kernel = *function->kernel;
  if (!grid[0] || !grid[1] || !grid[2] || grid[1] > 65535 || grid[2] > 65535) return kInvalidValue;
  if (!block[0] || block[0] * block[1] * block[2] > 1024) return kInvalidValue;
  if (dynamicShared > function->mostDynamicShared) return kInvalidValue;
  if (kernel.staticShared + dynamicShared > size_t(device().sharedPerBlock)) return kLaunchOutOfResources;
  Launch what{kernel, grid, block, dynamicShared, std::vector<uint8_t>(kernel.parameterBytes)};
  for (size_t p = 0; p < kernel.parameters.size(); ++p) {
    std::memcpy(what.parameters.data() + kernel.parameters[p].offset, parameters[p], kernel.parameters[p].size);
  }
  try {
    const Counters counters = run(what, s.memory, s.settings);
    s.counters[kernel.name].add(counters);
    note(what, counters);
    return kSuccess;
  } catch (const Fault& fault) {
    s.report = fault.what();
    std::fprintf(stderr, "gpusim: %s\n", fault.what());
    return s.lost = s.report.find("out of bounds") != std::string::npos ? kIllegalAddress : kLaunchFailed;
  }
}

// Memory of the device that a copy takes part in: its bytes must lie in one block.
int copy(uint64_t to, bool toDevice, uint64_t from, bool fromDevice, size_t bytes) {
  State& s = state();
  if (s.lost) return s.lost;
  if (bytes == 0) return kSuccess;
  if ((toDevice && !s.memory.find(to, bytes).end) || (fromDevice && !s.memory.find(from, bytes).end))
    return kInvalidValue;
  std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  if (toDevice && fromDevice)
    s.memory.copyWritten(to, from, bytes);
  else if (toDevice)
    s.memory.markWritten(to, bytes);
  return kSuccess;
}

uint64_t host(const void* data) { return reinterpret_cast<uint64_t>(data); }

char handle;  // what contexts, streams and events point to

}  // namespace
}  // namespace gpusim

using namespace gpusim;
using DevicePointer = unsigned long long;

EXPORT int cuInit(unsigned) { return deviceCount() > 0 ? kSuccess : kNoDevice; }
EXPORT int cuDriverGetVersion(int* version) { return *version = 13000, kSuccess; }
EXPORT int cuDeviceGetCount(int* count) { return *count = deviceCount(), kSuccess; }
EXPORT int cuDeviceGet(int* result, int ordinal) {
  *result = ordinal;
  return ordinal >= 0 && ordinal < deviceCount() ? kSuccess : kInvalidDevice;
}
EXPORT int cuDeviceGetName(char* name, int length, int) {
  std::snprintf(name, size_t(length), "simulated %s", device().name);
  return kSuccess;
}
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int) {
  constexpr int kMaxThreads = 1, kShared = 8, kWarp = 10, kMultiprocessors = 16, kMajor = 75, kMinor = 76,
                kSharedOptIn = 97;
  switch (attribute) {
    case kMaxThreads: *value = 1024; break;
    case kShared: *value = int(kSharedWithoutAsking); break;
    case kWarp: *value = kLanes; break;
    case kMultiprocessors: *value = device().multiprocessors; break;
    case kMajor: *value = device().major; break;
    case kMinor: *value = device().minor; break;
    case kSharedOptIn: *value = device().sharedPerBlock; break;
    default: return kInvalidValue;
  }
  return kSuccess;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = state().memory.limit(), kSuccess; }
EXPORT int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &handle, kSuccess; }
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
EXPORT int cuCtxSetCurrent(void*) { return kSuccess; }
EXPORT int cuModuleLoadData(void** module, const void* image) {
  std::lock_guard lock(state().mutex);
  return load(reinterpret_cast<LoadedModule**>(module), image);
}
EXPORT int cuModuleUnload(void* module) {
  delete static_cast<LoadedModule*>(module);
  return kSuccess;
}
EXPORT int cuModuleGetFunction(void** function, void* module, const char* name) {
  std::lock_guard lock(state().mutex);
  return find(reinterpret_cast<LoadedFunction**>(function), static_cast<LoadedModule*>(module), name);
}
EXPORT int cuFuncSetAttribute(void* function, int attribute, int value) {
  constexpr int kMaxDynamicShared = 8;
  if (attribute != kMaxDynamicShared) return kInvalidValue;
  auto* loaded = static_cast<LoadedFunction*>(function);
  if (loaded->kernel->staticShared + size_t(value) > size_t(device().sharedPerBlock)) return kInvalidValue;
  loaded->mostDynamicShared = size_t(value);
  return kSuccess;
}
EXPORT int cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                          unsigned blockY, unsigned blockZ, unsigned sharedBytes, void*, void** parameters, void**) {
  std::lock_guard lock(state().mutex);
  return launch(static_cast<LoadedFunction*>(function), {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes,
                parameters);
}
EXPORT int cuStreamCreate(void** stream, unsigned) { return *stream = &handle, kSuccess; }
EXPORT int cuStreamDestroy_v2(void*) { return kSuccess; }
EXPORT int cuStreamSynchronize(void*) { return state().lost; }
EXPORT int cuEventCreate(void** event, unsigned) { return *event = &handle, kSuccess; }
EXPORT int cuEventDestroy_v2(void*) { return kSuccess; }
EXPORT int cuEventRecord(void*, void*) { return state().lost; }
EXPORT int cuEventSynchronize(void*) { return state().lost; }
EXPORT int cuMemAlloc_v2(DevicePointer* data, size_t bytes) {
  if (bytes == 0) return kInvalidValue;
  *data = state().memory.take(bytes);
  return *data ? kSuccess : kOutOfMemory;
}
EXPORT int cuMemFree_v2(DevicePointer data) { return state().memory.give(data) ? kSuccess : kInvalidValue; }
EXPORT int cuMemAllocHost_v2(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  return *data ? kSuccess : kOutOfMemory;
}
EXPORT int cuMemFreeHost(void* data) { return std::free(data), kSuccess; }
EXPORT int cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, void*) {
  std::lock_guard lock(state().mutex);
  return copy(to, true, host(from), false, bytes);
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, void*) {
  std::lock_guard lock(state().mutex);
  return copy(host(to), false, from, true, bytes);
}
EXPORT int cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, void*) {
  std::lock_guard lock(state().mutex);
  return copy(to, true, from, true, bytes);
}
EXPORT int cuMemsetD8Async(DevicePointer data, unsigned char value, size_t bytes, void*) {
  std::lock_guard lock(state().mutex);
  State& s = state();
  if (s.lost) return s.lost;
  if (!s.memory.find(data, bytes).end) return kInvalidValue;
  std::memset(reinterpret_cast<void*>(data), value, bytes);
  s.memory.markWritten(data, bytes);
  return kSuccess;
}
EXPORT int cuGetErrorName(int result, const char** name) {
  switch (result) {
    case kSuccess: *name = "CUDA_SUCCESS"; break;
    case kInvalidValue: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case kOutOfMemory: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case kNoDevice: *name = "CUDA_ERROR_NO_DEVICE"; break;
    case kInvalidDevice: *name = "CUDA_ERROR_INVALID_DEVICE"; break;
    case kInvalidImage: *name = "CUDA_ERROR_INVALID_IMAGE"; break;
    case kNotFound: *name = "CUDA_ERROR_NOT_FOUND"; break;
    case kIllegalAddress: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    case kLaunchOutOfResources: *name = "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"; break;
    case kLaunchFailed: *name = "CUDA_ERROR_LAUNCH_FAILED"; break;
    default: *name = "CUDA_ERROR_UNKNOWN";
  }
  return kSuccess;
}
EXPORT int cuGetErrorString(int, const char** text) {
  *text = state().report.empty() ? "on the simulated driver" : state().report.c_str();
  return kSuccess;
}

// Beyond the driver's interface: what the last fault was, and what was counted, as JSON by kernel, up to `size` bytes.
EXPORT const char* gpusimLastReport() { return state().report.c_str(); }
EXPORT size_t gpusimCounters(char* text, size_t size) {
  std::string json = "{";
  for (const auto& [name, c] : state().counters) {
    if (json.size() > 1) json += ",";
    json += "\"" + name + "\":{" + jsonOf(c) + "}";
  }
  json += "}";
  if (size) {
    const size_t length = std::min(json.size(), size - 1);
    std::memcpy(text, json.data(), length);
    text[length] = 0;
  }
  return json.size();
}
EXPORT void gpusimResetCounters() { state().counters.clear(); }
