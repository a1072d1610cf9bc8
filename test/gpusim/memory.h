// Memory of the device and of blocks, with shadows that know what was written, and by whom since the last barrier.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace gpusim {

// Generic addresses of other spaces have a tag above their offset.
constexpr uint64_t kSharedWindow = uint64_t(1) << 56, kLocalWindow = uint64_t(2) << 56,
                   kParameterWindow = uint64_t(3) << 56, kWindowMask = uint64_t(0xff) << 56;

// Addresses are those of the host's memory that backs them.
class GlobalMemory {
 public:
  struct Block {
    uint64_t begin = 0, end = 0;
    uint8_t* written = nullptr;  // one byte for each: whether it was
    // Where touched bytes are counted, one byte for each: whether this launch read it, or wrote it.
    uint8_t *readNow = nullptr, *writtenNow = nullptr;
  };

  explicit GlobalMemory(size_t limit, bool countsTouched = false) : limit_(limit), countsTouched_(countsTouched) {}

  uint64_t take(size_t bytes);  // 0: there is no more
  bool give(uint64_t address);
  // The block that holds the bytes; an empty one where none does.
  Block find(uint64_t address, size_t bytes) const;
  void markWritten(uint64_t address, size_t bytes);
  // As the block of `from` has it, for a copy within the device.
  void copyWritten(uint64_t to, uint64_t from, size_t bytes);
  // Adds up the bytes touched since the last call, and their sectors of 32 bytes: once for reading, once for writing.
  void countTouched(uint64_t& bytes, uint64_t& sectors);
  std::string describe(uint64_t address) const;  // how an address lies to blocks
  size_t limit() const { return limit_; }
  std::mutex& atomic(uint64_t address) { return atomics_[address >> 6 & 63]; }

 private:
  struct Owned {
    std::unique_ptr<uint8_t[]> data, written;
    std::unique_ptr<uint8_t[]> readNow, writtenNow;
    size_t bytes;
  };
  mutable std::shared_mutex mutex_;
  std::map<uint64_t, Owned> blocks_;
  size_t limit_, taken_ = 0;
  bool countsTouched_;
  std::mutex atomics_[64];
};

// Of one block at a time. Two bytes share a shadow; what other warps did to them since the last barrier is a hazard.
class SharedMemory {
 public:
  void begin(size_t bytes);     // a new block: nothing is written
  void barrier() { ++epoch_; }  // of all threads
  uint8_t* data() { return data_.data(); }
  size_t size() const { return size_; }

  // What is wrong with an access, or null.
  const char* checkRead(uint32_t at, uint32_t bytes, int warp, bool uninitialised, bool races);
  const char* checkWrite(uint32_t at, uint32_t bytes, int warp, bool races);
  void markUnwritten(uint32_t at, uint32_t bytes);

 private:
  static constexpr uint16_t kSeveral = 0xffff;
  struct Shadow {
    uint32_t written = 0;  // the block that wrote
    uint32_t writeEpoch = 0, readEpoch = 0;
    uint16_t writer = 0, reader = 0;
  };
  std::vector<uint8_t> data_;
  std::vector<Shadow> shadow_;
  size_t size_ = 0;
  uint32_t block_ = 0, epoch_ = 0;
};

}  // namespace gpusim
