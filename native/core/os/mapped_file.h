// A file in memory, read only: pages come from the file when they are touched.
#pragma once
#include <cstddef>
#include <string>

namespace duo::os {

class MappedFile {
 public:
  // Throws a checkpoint error when there is no regular file at `path` that can be read.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }

  // Reading a mapping beyond the end of its file kills the process, so whoever is about to read much asks first
  // whether the file still has all of its bytes; throws a checkpoint error when it was cut since.
  void expectWhole() const;

  // Gives the pages that lie wholly in [begin, end) back; touching them again reads the file again.
  void release(size_t begin, size_t end) const;

 private:
  void unmap();

  std::string path_;
  int descriptor_ = -1;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace duo::os
