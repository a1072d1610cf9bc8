#include "core/os/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.h"

namespace duo::os {
namespace {

[[noreturn]] void refuse(const std::string& path) {
  fail(ErrorCode::kCheckpoint, "safetensors", "to write " + path, std::generic_category().message(errno));
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  descriptor_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor_ < 0) refuse(path);
}

OutputFile::~OutputFile() { close(descriptor_); }

void OutputFile::write(const void* data, size_t bytes, size_t offset) const {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor_, next, bytes, off_t(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) refuse(path_);
    next += written;
    offset += size_t(written);
    bytes -= size_t(written);
  }
}

Lock tryLock(int descriptor) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return Lock::kTaken;
  return errno == EWOULDBLOCK ? Lock::kBusy : Lock::kUnsupported;
}

}  // namespace duo::os
