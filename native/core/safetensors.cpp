#include "core/safetensors.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "core/os/file.h"
#include "core/queue.h"

namespace duo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;      // the reference implementation's cap
constexpr uint64_t kMaxDim = (uint64_t(1) << 53) - 1;  // shapes are JavaScript numbers, too
constexpr size_t kChunkBytes = size_t(4) << 20;        // read or written at a time

[[noreturn]] void refuse(const std::string& expected, const std::string& got) {
  fail(ErrorCode::kCheckpoint, "safetensors", expected, got);
}

// A name from a file, made fit for a message: on one line, and not longer than it.
std::string named(std::string_view name) {
  constexpr size_t kMaxBytes = 120;
  std::string text = "\"";
  for (const char c : name.substr(0, kMaxBytes)) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", unsigned(uint8_t(c)));
    text += uint8_t(c) < 0x20 ? escape : std::string(1, c);
  }
  return text + (name.size() > kMaxBytes ? "…\"" : "\"");
}

uint64_t littleEndian64(const char* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | uint8_t(bytes[i]);
  return value;
}

std::string_view headerOf(const os::MappedFile& file) {
  if (file.size() < kLengthBytes) {
    refuse("at least 8 bytes in " + file.path(), std::to_string(file.size()));
  }
  const uint64_t length = littleEndian64(file.data()), most = std::min(kMaxHeaderBytes, file.size() - kLengthBytes);
  if (length > most) {
    refuse("a header of at most " + std::to_string(most) + " bytes in " + file.path(), std::to_string(length));
  }
  const std::string_view header(file.data() + kLengthBytes, length);
  if (!header.starts_with('{')) refuse("a header that begins with '{' in " + file.path(), "another byte");
  return header;
}

// One member of the header. Offsets are still those of the data's own start.
class TensorReader {
 public:
  TensorReader(JsonReader& json, const std::string& path, const std::string& name)
      : json_(json), where_("tensor " + named(name) + " of " + path) {
    tensor_.name = name;
  }

  StoredTensor read() {
    std::string header = json_.nameSource(where_);
    json_.object([this](const std::string& key) { member(key); });
    json_.nameSource(std::move(header));
    if (!tensor_.dtype || !hasShape_ || offsets_ != 2) {
      refuse("dtype, shape and data_offsets for " + where_, "only some of them");
    }
    checkSize();
    return std::move(tensor_);
  }

 private:
  void member(const std::string& key) {
    if (key == "dtype") {
      once(key, tensor_.dtype != nullptr);
      const std::string name = json_.string();
      tensor_.dtype = findStoredDType(name);
      if (!tensor_.dtype) refuse("a dtype of the format for " + where_, named(name));
    } else if (key == "shape") {
      once(key, hasShape_);
      hasShape_ = true;
      json_.array([this] { dimension(json_.integer()); });
    } else if (key == "data_offsets") {
      once(key, offsets_ > 0);
      json_.array([this] { offset(json_.integer()); });
      if (offsets_ != 2) refuse("two data_offsets for " + where_, std::to_string(offsets_));
    } else {
      json_.skip();
    }
  }

  void once(const std::string& key, bool before) const {
    if (before) refuse("one " + key + " for " + where_, "two");
  }

  void dimension(uint64_t size) {
    if (tensor_.dims.rank() == kMaxRank) {
      refuse("at most " + std::to_string(kMaxRank) + " dimensions for " + where_, "more");
    }
    if (size > kMaxDim) refuse("dimensions below 2^53 for " + where_, std::to_string(size));
    tensor_.dims.push(int64_t(size));
  }

  void offset(uint64_t value) {
    if (offsets_ < 2) (offsets_ == 0 ? tensor_.begin : tensor_.end) = value;
    ++offsets_;
  }

  void checkSize() const {
    const auto [begin, end] = std::pair(tensor_.begin, tensor_.end);
    const int64_t count = tensor_.dims.count();  // saturates, and then the product below does not fit
    int64_t bytes;
    const bool overflow = __builtin_mul_overflow(count, int64_t(tensor_.dtype->size), &bytes) ||
                          count == std::numeric_limits<int64_t>::max();
    if (overflow) refuse("a shape whose bytes can be counted for " + where_, tensor_.dims.text());
    if (begin > end || end - begin != uint64_t(bytes)) {
      refuse(std::to_string(bytes) + " bytes for " + where_ + " " + tensor_.dims.text() + " of " +
                 std::string(tensor_.dtype->name),
             "data_offsets " + std::to_string(begin) + " to " + std::to_string(end));
    }
  }

  JsonReader& json_;
  std::string where_;
  StoredTensor tensor_;
  bool hasShape_ = false;
  int offsets_ = 0;
};

std::map<std::string, std::string> readStrings(JsonReader& json, const std::string& what) {
  std::map<std::string, std::string> strings;
  json.object([&](const std::string& key) {
    if (!strings.emplace(key, json.string()).second) refuse("each name once in " + what, named(key) + " twice");
  });
  return strings;
}

// A shard is a plain name beside its index. It may be a link into the folder itself, or, where the folder is a snapshot
// of the hub's cache (<repository>/snapshots/<revision>), into the blobs of that repository; nowhere else.
std::string shardPath(const fs::path& folder, const std::string& name, const std::string& index) {
  const bool plain = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
                     name.find('\\') == std::string::npos && name.find('\0') == std::string::npos;
  if (!plain) refuse("shards that are plain file names in " + index, named(name));
  const fs::path path = folder / name;
  std::error_code error;
  const fs::path target = fs::canonical(path, error), home = fs::canonical(folder, error);
  if (target.empty() || home.empty()) return path.string();  // opening it gives the reason
  const bool isSnapshot = home.parent_path().filename() == "snapshots";
  const fs::path blobs = home.parent_path().parent_path() / "blobs";
  if (target.parent_path() != home && !(isSnapshot && target.parent_path() == blobs)) {
    refuse("shards inside " + folder.string(), named(name) + ", a link to " + target.string());
  }
  return target.string();
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  const std::string_view header = headerOf(file_);
  JsonReader json(header, "the header of " + path);
  const size_t dataBegin = kLengthBytes + header.size();
  bool hasMetadata = false;
  json.object([&](const std::string& name) {
    if (name == "__metadata__") {
      if (std::exchange(hasMetadata, true)) refuse("one __metadata__ in " + path, "two");
      metadata_ = readStrings(json, "the metadata of " + path);
      return;
    }
    StoredTensor tensor = TensorReader(json, path, name).read();
    // Sizes are below 2^63 and offsets may be anything, so compare before adding.
    if (tensor.end > file_.size() - dataBegin) {
      refuse("tensor " + named(name) + " of " + path + " to end within the file's " +
                 std::to_string(file_.size() - dataBegin) + " bytes of data",
             std::to_string(tensor.end));
    }
    tensor.begin += dataBegin;
    tensor.end += dataBegin;
    if (!tensors_.emplace(name, std::move(tensor)).second) {
      refuse("each tensor once in " + path, named(name) + " twice");
    }
  });
  json.end();
  checkLayout(dataBegin);
}

// Tensors follow each other without gap or overlap, and nothing follows the last.
void SafetensorsFile::checkLayout(size_t dataBegin) const {
  std::vector<const StoredTensor*> order;
  for (const auto& [name, tensor] : tensors_) order.push_back(&tensor);
  std::ranges::sort(order, {}, [](const StoredTensor* tensor) { return std::pair(tensor->begin, tensor->end); });
  size_t at = dataBegin;
  for (const StoredTensor* tensor : order) {
    if (tensor->begin != at) {
      refuse("tensor " + named(tensor->name) + " of " + path() + " to begin where the one before it ends, at " +
                 std::to_string(at - dataBegin),
             std::to_string(tensor->begin - dataBegin));
    }
    at = tensor->end;
  }
  if (at != file_.size()) {
    refuse("tensors that cover all " + std::to_string(file_.size() - dataBegin) + " bytes of data in " + path(),
           std::to_string(at - dataBegin));
  }
}

void SafetensorsFile::read(const StoredTensor& tensor, DType dtype, void* target) const {
  const int64_t step = int64_t(kChunkBytes / tensor.dtype->size), count = tensor.dims.count();
  for (int64_t first = 0; first < count && !Queue::interrupted(); first += step) {
    file_.expectWhole();
    const int64_t some = std::min(step, count - first);
    const size_t begin = tensor.begin + size_t(first) * tensor.dtype->size,
                 end = begin + size_t(some) * tensor.dtype->size;
    char* to = static_cast<char*>(target) + size_t(first) * sizeOf(dtype);
    const int64_t done = convertStored(*tensor.dtype, file_.data() + begin, dtype, to, some);
    if (done < some) {
      refuse(std::string(nameOf(dtype)) + " values in tensor " + named(tensor.name) + " of " + path(),
             "one out of range at element " + std::to_string(first + done));
    }
    file_.release(begin, end);
  }
}

void writeTensor(const std::string& path, size_t offset, const void* elements, DType dtype, DType stored,
                 int64_t count) {
  const os::OutputFile file(path);
  const StoredDType& from = storedDTypeOf(dtype);
  const size_t size = sizeOf(stored);
  const int64_t step = int64_t(kChunkBytes / size);
  std::vector<char> converted(dtype == stored ? 0 : size_t(std::min(step, count)) * size);
  for (int64_t first = 0; first < count && !Queue::interrupted(); first += step) {
    const int64_t some = std::min(step, count - first);
    const char* source = static_cast<const char*>(elements) + size_t(first) * from.size;
    if (dtype != stored) {
      convertStored(from, source, stored, converted.data(), some);
      source = converted.data();
    }
    file.write(source, size_t(some) * size, offset + size_t(first) * size);
  }
}

void Checkpoint::open(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (path.ends_with(".index.json")) return openIndex(path);
    metadata_ = addFile(path)->metadata();
    return;
  }
  const fs::path file = fs::path(path) / "model.safetensors", index = fs::path(path) / "model.safetensors.index.json";
  if (fs::exists(file, error)) return open(file.string());
  if (fs::exists(index, error)) return openIndex(index.string());
  refuse("model.safetensors or model.safetensors.index.json in " + path, "neither");
}

void Checkpoint::openIndex(const std::string& path) {
  const os::MappedFile text(path);
  if (text.size() > kMaxHeaderBytes) {
    refuse("an index of at most " + std::to_string(kMaxHeaderBytes) + " bytes in " + path, std::to_string(text.size()));
  }
  JsonReader json(std::string_view(text.data(), text.size()), path);
  std::map<std::string, std::string> shardOf;
  bool hasMap = false;
  json.object([&](const std::string& key) {
    if (key != "weight_map") return json.skip();
    if (std::exchange(hasMap, true)) refuse("one weight_map in " + path, "two");
    shardOf = readStrings(json, "the weight_map of " + path);
  });
  json.end();
  if (!hasMap) refuse("a weight_map in " + path, "none");

  const fs::path parent = fs::path(path).parent_path(), folder = parent.empty() ? fs::path(".") : parent;
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> shards;
  for (const auto& [name, shard] : shardOf) {
    auto& file = shards[shard];
    if (!file) file = addFile(shardPath(folder, shard, path));
    if (!file->tensors().contains(name)) {
      refuse("tensor " + named(name) + " in " + file->path() + ", as " + path + " says", "none of that name");
    }
  }
  if (!shards.empty()) metadata_ = shards.begin()->second->metadata();
}

// A tensor that lies in two shards could be either of them.
std::shared_ptr<const SafetensorsFile> Checkpoint::addFile(const std::string& path) {
  const auto file = std::make_shared<const SafetensorsFile>(path);
  for (const auto& [name, tensor] : file->tensors()) {
    const auto [item, isNew] = items_.emplace(name, Item{file, &tensor});
    if (!isNew) {
      refuse("tensor " + named(name) + " in one shard", "it in " + item->second.file->path() + " and " + path);
    }
  }
  return file;
}

}  // namespace duo
