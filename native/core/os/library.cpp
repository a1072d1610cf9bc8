#include "core/os/library.h"

#include <dlfcn.h>

namespace duo::os {

Library::Library(const std::string& name) : Library(name.c_str()) {}

Library::Library(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) {
    const char* reason = dlerror();
    error_ = reason ? reason : "no reason given";
  }
}

void* Library::symbol(const char* name) const { return handle_ ? dlsym(handle_, name) : nullptr; }

}  // namespace duo::os
