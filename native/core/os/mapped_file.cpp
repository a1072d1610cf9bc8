#include "core/os/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.h"

namespace duo::os {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& got) {
  fail(ErrorCode::kCheckpoint, "safetensors", "a readable file " + path, got);
}

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) refuse(path, reason());
  try {
    struct stat status;
    if (fstat(descriptor_, &status) != 0) refuse(path, reason());
    if (!S_ISREG(status.st_mode)) refuse(path, S_ISDIR(status.st_mode) ? "a folder" : "something not a regular file");
    size_ = size_t(status.st_size);
    if (size_ == 0) return;  // an empty mapping is refused by the system
    void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_, 0);
    if (data == MAP_FAILED) refuse(path, reason());
    data_ = static_cast<const char*>(data);
  } catch (...) {
    unmap();
    throw;
  }
}

MappedFile::~MappedFile() { unmap(); }

void MappedFile::unmap() {
  if (data_) munmap(const_cast<char*>(data_), size_);
  if (descriptor_ >= 0) close(descriptor_);
}

void MappedFile::expectWhole() const {
  struct stat status;
  if (fstat(descriptor_, &status) != 0) refuse(path_, reason());
  if (size_t(status.st_size) < size_) {
    fail(ErrorCode::kCheckpoint, "safetensors", path_ + " to keep its " + std::to_string(size_) + " bytes while open",
         std::to_string(status.st_size));
  }
}

void MappedFile::release(size_t begin, size_t end) const {
  const size_t page = size_t(sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end) madvise(const_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace duo::os
