// Shared libraries that are loaded at run time.
#pragma once
#include <string>

namespace duo::os {

// Stays loaded until the process ends: a driver does not survive being unloaded.
class Library {
 public:
  // Null and the system's reason in `error()` when it cannot be loaded.
  explicit Library(const std::string& name);
  // The program and what it was linked with.
  static Library process() { return Library(nullptr); }

  bool loaded() const { return handle_ != nullptr; }
  const std::string& error() const { return error_; }
  void* symbol(const char* name) const;  // null when there is none

 private:
  explicit Library(const char* path);

  void* handle_;
  std::string error_;
};

}  // namespace duo::os
