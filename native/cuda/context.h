// A device's context and its kernels: one for the whole process and device, shared by the Node environments in it.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/column.h"
#include "cuda/driver.h"
#include "cuda/image.h"

namespace duo::cuda {

class Context {
 public:
  // Throws a device error that names the cause: a build without kernels, no driver, no such device, one too old.
  static std::shared_ptr<Context> acquire(int ordinal);
  static int devices();  // throws likewise

  Context(const Driver& driver, int ordinal);
  ~Context();
  Context(const Context&) = delete;

  const Driver& driver;
  const Limits& limits() const { return limits_; }
  const std::string& name() const { return name_; }
  size_t memory() const { return memory_; }  // bytes of the whole device

  void makeCurrent() const;  // on the calling thread; what the driver is asked for comes after it
  // Throws a device error when `result` is not success. One that sticks makes the device lost for the whole process.
  void check(CUresult result, const std::string& what);
  // The kernel, allowed to take `dynamicShared` bytes of shared memory.
  CUfunction function(const std::string& kernel, size_t dynamicShared);

 private:
  struct Kernel {
    CUfunction function = nullptr;
    size_t dynamicShared = 0;  // what it may take
  };
  CUmodule load(const Image& image);
  CUfunction find(const std::string& kernel);

  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  Limits limits_;
  std::string name_;
  size_t memory_ = 0;
  std::atomic<bool> lost_{false};
  std::string loss_;               // written once, before lost_
  std::mutex mutex_;               // of what follows, and of loss_
  std::vector<CUmodule> modules_;  // of images(), null for those that no kernel was asked of
  std::unordered_map<std::string, Kernel> kernels_;
};

}  // namespace duo::cuda
