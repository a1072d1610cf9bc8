#include "cuda/driver.h"

#include <cstdlib>
#include <optional>

#include "core/error.h"
#include "core/os/library.h"

namespace duo::cuda {
namespace {

constexpr const char* kLibrary = "libcuda.so.1";

Driver load() {
  const char* named = std::getenv("DUOFORMER_CUDA_DRIVER");
  const std::string name = named && *named ? named : kLibrary;
  const os::Library library(name);
  if (!library.loaded()) fail(ErrorCode::kDevice, "cuda", "a CUDA driver, " + name, "none: " + library.error());
  Driver driver;
#define DUO_ENTRY(entry, exported, parameters)                                       \
  driver.entry = reinterpret_cast<CUresult(*) parameters>(library.symbol(exported)); \
  if (!driver.entry) fail(ErrorCode::kDevice, "cuda", "a driver " + name + " that has " + exported, "one without");
  DUO_CUDA_DRIVER(DUO_ENTRY)
#undef DUO_ENTRY
  const CUresult result = driver.cuInit(0);
  if (result == kNoDevice) fail(ErrorCode::kDevice, "cuda", "a CUDA device", "none: " + driver.describe(result));
  if (result != kSuccess) fail(ErrorCode::kDevice, "cuda", "a driver that starts", driver.describe(result));
  return driver;
}

struct Loaded {
  std::optional<Driver> driver;
  std::optional<Error> error;
};

}  // namespace

std::string Driver::describe(CUresult result) const {
  const char *name = nullptr, *text = nullptr;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  std::string description = name ? name : "error " + std::to_string(result);
  if (text) description.append(" (").append(text).append(")");
  return description;
}

const Driver& driver() {
  // Never destroyed: queues may still run when statics are. A failure is kept, too: every caller hears the same.
  static const Loaded& loaded = *[] {
    auto result = new Loaded;
    try {
      result->driver = load();
    } catch (const Error& error) {
      result->error = error;
    }
    return result;
  }();
  if (loaded.error) throw *loaded.error;
  return *loaded.driver;
}

void check(const Driver& driver, CUresult result, const char* what) {
  if (result != kSuccess) fail(ErrorCode::kDevice, "cuda", std::string(what) + " to succeed", driver.describe(result));
}

}  // namespace duo::cuda
