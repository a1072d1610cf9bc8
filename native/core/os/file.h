// Files that are written, and locks between processes.
#pragma once
#include <cstddef>
#include <string>

namespace duo::os {

// A file opened for writing at any place; it must exist.
class OutputFile {
 public:
  // Throws a checkpoint error when there is no file at `path` that can be written.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;

  // Writes all bytes from `offset` on; throws a checkpoint error with the system's reason (a full disk) when it cannot.
  void write(const void* data, size_t bytes, size_t offset) const;

 private:
  std::string path_;
  int descriptor_;
};

enum class Lock { kTaken, kBusy, kUnsupported };

// Takes the exclusive lock of an open file (flock), without waiting. It ends when the descriptor is closed, at the
// latest with its process. Some network file systems have no locks.
Lock tryLock(int descriptor);

}  // namespace duo::os
