// A CUDA driver without kernels, for tests of what the addon makes of a driver's answers: memory of the device is
// memory of the host, launches do nothing, and the environment says what goes wrong.
//   FAKE_CUDA_DEVICES   number of devices [1]          FAKE_CUDA_MAJOR    compute capability [8]
//   FAKE_CUDA_MEMORY    bytes that can be taken        FAKE_CUDA_LAUNCH   what launching a kernel answers [0]
//   FAKE_CUDA_INIT      what cuInit answers [0]
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#define EXPORT extern "C" __attribute__((visibility("default"))) int

namespace {

constexpr int kOutOfMemory = 2, kNoDevice = 100, kInvalidDevice = 101;
using Address = unsigned long long;

long setting(const char* name, long fallback) {
  const char* value = std::getenv(name);
  return value ? std::atol(value) : fallback;
}

std::mutex mutex;
std::map<Address, size_t> blocks;
size_t taken = 0;
char object;  // what handles point to

int take(void** data, size_t bytes) {
  std::lock_guard lock(mutex);
  if (taken + bytes > size_t(setting("FAKE_CUDA_MEMORY", 1L << 32))) return kOutOfMemory;
  *data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  blocks[reinterpret_cast<Address>(*data)] = bytes;
  taken += bytes;
  return 0;
}

int copy(void* to, const void* from, size_t bytes) {
  std::memcpy(to, from, bytes);
  return 0;
}

template <typename T>
int give(T** handle) {
  *handle = reinterpret_cast<T*>(&object);
  return 0;
}

void* at(Address address) { return reinterpret_cast<void*>(address); }

}  // namespace

EXPORT cuInit(unsigned) { return int(setting("FAKE_CUDA_INIT", 0)); }
EXPORT cuDriverGetVersion(int* version) { return *version = 12000, 0; }
EXPORT cuDeviceGetCount(int* count) { return *count = int(setting("FAKE_CUDA_DEVICES", 1)), 0; }
EXPORT cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal < setting("FAKE_CUDA_DEVICES", 1) ? 0 : kInvalidDevice;
}
EXPORT cuDeviceGetName(char* name, int length, int) {
  std::strncpy(name, "Fake GPU", size_t(length));
  return 0;
}
EXPORT cuDeviceGetAttribute(int* value, int attribute, int) {
  constexpr int kMultiprocessors = 16, kMajor = 75, kMinor = 76;
  *value = attribute == kMajor             ? int(setting("FAKE_CUDA_MAJOR", 8))
           : attribute == kMinor           ? 0
           : attribute == kMultiprocessors ? 108
                                           : 166912;
  return 0;
}
EXPORT cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = size_t(setting("FAKE_CUDA_MEMORY", 1L << 32)), 0; }
EXPORT cuDevicePrimaryCtxRetain(void** context, int) { return give(context); }
EXPORT cuDevicePrimaryCtxRelease_v2(int) { return 0; }
EXPORT cuCtxSetCurrent(void*) { return 0; }
EXPORT cuModuleLoadData(void** module, const void*) { return give(module); }
EXPORT cuModuleUnload(void*) { return 0; }
EXPORT cuModuleGetFunction(void** function, void*, const char*) { return give(function); }
EXPORT cuFuncSetAttribute(void*, int, int) { return 0; }
EXPORT cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**,
                      void**) {
  return int(setting("FAKE_CUDA_LAUNCH", 0));
}
EXPORT cuStreamCreate(void** stream, unsigned) { return give(stream); }
EXPORT cuStreamDestroy_v2(void*) { return 0; }
EXPORT cuStreamSynchronize(void*) { return 0; }
EXPORT cuEventCreate(void** event, unsigned) { return give(event); }
EXPORT cuEventDestroy_v2(void*) { return 0; }
EXPORT cuEventRecord(void*, void*) { return 0; }
EXPORT cuEventSynchronize(void*) { return 0; }
EXPORT cuMemAlloc_v2(Address* data, size_t bytes) {
  void* taken = nullptr;
  const int result = take(&taken, bytes);
  *data = reinterpret_cast<Address>(taken);
  return result;
}
EXPORT cuMemFree_v2(Address data) {
  std::lock_guard lock(mutex);
  taken -= blocks[data];
  blocks.erase(data);
  std::free(at(data));
  return 0;
}
EXPORT cuMemAllocHost_v2(void** data, size_t bytes) { return *data = std::malloc(bytes), 0; }
EXPORT cuMemFreeHost(void* data) { return std::free(data), 0; }
EXPORT cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void*) { return copy(at(to), from, bytes); }
EXPORT cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void*) { return copy(to, at(from), bytes); }
EXPORT cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void*) { return copy(at(to), at(from), bytes); }
EXPORT cuMemsetD8Async(Address data, unsigned char value, size_t bytes, void*) {
  std::memset(at(data), value, bytes);
  return 0;
}
EXPORT cuGetErrorName(int result, const char** name) {
  *name = result == kNoDevice ? "CUDA_ERROR_NO_DEVICE"
          : result == 700     ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                              : "CUDA_ERROR_FAKE";
  return 0;
}
EXPORT cuGetErrorString(int, const char** text) { return *text = "as the test wants it", 0; }
