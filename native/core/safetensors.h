// Reader of safetensors: an 8-byte little-endian header length, a JSON header, then the tensors' bytes without gaps.
// https://github.com/huggingface/safetensors#format. A checkpoint is one such file, or shards with an index.
//
// Files come from strangers: all of a header is checked when its file is opened, so that a tensor of an opened file
// can be read without further thought. Errors are checkpoint errors that name file, tensor and reason.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/os/mapped_file.h"
#include "core/shape.h"
#include "core/stored_dtype.h"

namespace duo {

struct StoredTensor {
  std::string name;
  const StoredDType* dtype = nullptr;
  Dims dims;
  size_t begin = 0, end = 0;  // bytes in the file
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Reads the tensor as `dtype` (isConvertible says whether it can) to `target`, and gives the file's pages back as it
  // goes: a checkpoint never takes its memory twice. Throws when an integer does not fit, or the file was cut.
  void read(const StoredTensor& tensor, DType dtype, void* target) const;

 private:
  void checkLayout(size_t dataBegin) const;

  os::MappedFile file_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Writes `count` dense elements, as `stored` (isConvertible says whether they can be), into an existing file from
// `offset` on. Throws when the system does not take them all.
void writeTensor(const std::string& path, size_t offset, const void* elements, DType dtype, DType stored,
                 int64_t count);

class Checkpoint {
 public:
  struct Item {
    std::shared_ptr<const SafetensorsFile> file;
    const StoredTensor* tensor;
  };

  // `path`: a safetensors file; an index (*.index.json), its shards beside it; or a folder with model.safetensors or
  // else model.safetensors.index.json.
  explicit Checkpoint(const std::string& path) { open(path); }

  const std::map<std::string, Item>& items() const { return items_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  void open(const std::string& path);
  void openIndex(const std::string& path);
  std::shared_ptr<const SafetensorsFile> addFile(const std::string& path);  // all of its tensors become items

  std::map<std::string, Item> items_;
  std::map<std::string, std::string> metadata_;  // of the only file; of the first shard
};

}  // namespace duo
