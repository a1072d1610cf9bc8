// The CUDA driver API as a table of entry points that is filled at run time: nothing of CUDA is linked, or needed to
// build. Names and values are those of the driver's ABI.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace duo::cuda {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st*;
using CUmodule = struct CUmod_st*;
using CUfunction = struct CUfunc_st*;
using CUstream = struct CUstream_st*;
using CUevent = struct CUevent_st*;

constexpr CUresult kSuccess = 0, kOutOfMemory = 2, kDeinitialized = 4, kNoDevice = 100, kInvalidImage = 200,
                   kNoBinaryForGpu = 209, kUnsupportedPtxVersion = 222, kInvalidSource = 300, kNotFound = 500,
                   kLaunchOutOfResources = 701;

enum DeviceAttribute {
  kMultiprocessorCount = 16,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMaxSharedPerBlockOptin = 97,
};
enum FunctionAttribute { kMaxDynamicShared = 8 };
constexpr unsigned kStreamNonBlocking = 1, kEventDisableTiming = 2;

// name, the symbol that the driver exports, parameters
#define DUO_CUDA_DRIVER(ENTRY)                                                                                  \
  ENTRY(cuInit, "cuInit", (unsigned flags))                                                                     \
  ENTRY(cuDriverGetVersion, "cuDriverGetVersion", (int* version))                                               \
  ENTRY(cuDeviceGetCount, "cuDeviceGetCount", (int* count))                                                     \
  ENTRY(cuDeviceGet, "cuDeviceGet", (CUdevice * device, int ordinal))                                           \
  ENTRY(cuDeviceGetName, "cuDeviceGetName", (char* name, int length, CUdevice device))                          \
  ENTRY(cuDeviceGetAttribute, "cuDeviceGetAttribute", (int* value, int attribute, CUdevice device))             \
  ENTRY(cuDeviceTotalMem, "cuDeviceTotalMem_v2", (size_t * bytes, CUdevice device))                             \
  ENTRY(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (CUcontext * context, CUdevice device))           \
  ENTRY(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (CUdevice device))                           \
  ENTRY(cuCtxSetCurrent, "cuCtxSetCurrent", (CUcontext context))                                                \
  ENTRY(cuModuleLoadData, "cuModuleLoadData", (CUmodule * module, const void* image))                           \
  ENTRY(cuModuleUnload, "cuModuleUnload", (CUmodule module))                                                    \
  ENTRY(cuModuleGetFunction, "cuModuleGetFunction", (CUfunction * function, CUmodule module, const char* name)) \
  ENTRY(cuFuncSetAttribute, "cuFuncSetAttribute", (CUfunction function, int attribute, int value))              \
  ENTRY(cuLaunchKernel, "cuLaunchKernel",                                                                       \
        (CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, \
         unsigned blockZ, unsigned sharedBytes, CUstream stream, void** parameters, void** extra))              \
  ENTRY(cuStreamCreate, "cuStreamCreate", (CUstream * stream, unsigned flags))                                  \
  ENTRY(cuStreamDestroy, "cuStreamDestroy_v2", (CUstream stream))                                               \
  ENTRY(cuStreamSynchronize, "cuStreamSynchronize", (CUstream stream))                                          \
  ENTRY(cuEventCreate, "cuEventCreate", (CUevent * event, unsigned flags))                                      \
  ENTRY(cuEventDestroy, "cuEventDestroy_v2", (CUevent event))                                                   \
  ENTRY(cuEventRecord, "cuEventRecord", (CUevent event, CUstream stream))                                       \
  ENTRY(cuEventSynchronize, "cuEventSynchronize", (CUevent event))                                              \
  ENTRY(cuMemAlloc, "cuMemAlloc_v2", (CUdeviceptr * data, size_t bytes))                                        \
  ENTRY(cuMemFree, "cuMemFree_v2", (CUdeviceptr data))                                                          \
  ENTRY(cuMemAllocHost, "cuMemAllocHost_v2", (void** data, size_t bytes))                                       \
  ENTRY(cuMemFreeHost, "cuMemFreeHost", (void* data))                                                           \
  ENTRY(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (CUdeviceptr to, const void* from, size_t bytes, CUstream))  \
  ENTRY(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void* to, CUdeviceptr from, size_t bytes, CUstream))        \
  ENTRY(cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream))  \
  ENTRY(cuMemsetD8Async, "cuMemsetD8Async", (CUdeviceptr data, unsigned char value, size_t bytes, CUstream))    \
  ENTRY(cuGetErrorName, "cuGetErrorName", (CUresult result, const char** name))                                 \
  ENTRY(cuGetErrorString, "cuGetErrorString", (CUresult result, const char** text))

struct Driver {
#define DUO_ENTRY(name, symbol, parameters) CUresult(*name) parameters = nullptr;
  DUO_CUDA_DRIVER(DUO_ENTRY)
#undef DUO_ENTRY

  std::string describe(CUresult result) const;  // "CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)"
};

// The process's driver, loaded and initialised when first asked for: libcuda.so.1, or what DUOFORMER_CUDA_DRIVER names.
// Throws a device error that names what is missing: the library, a symbol, or what cuInit said.
const Driver& driver();

// Throws a device error when `result` is not success.
void check(const Driver& driver, CUresult result, const char* what);

inline CUdeviceptr address(const void* data) { return reinterpret_cast<CUdeviceptr>(data); }

}  // namespace duo::cuda
