#include "memory.h"

#include <algorithm>

namespace gpusim {
namespace {

constexpr uint8_t kPoison = 0xcd;
constexpr size_t kAlignment = 256;

}  // namespace

uint64_t GlobalMemory::take(size_t bytes) {
  std::unique_lock lock(mutex_);
  if (bytes > limit_ - taken_) return 0;
  auto data = std::unique_ptr<uint8_t[]>(new uint8_t[bytes + kAlignment]);
  auto written = std::make_unique<uint8_t[]>(bytes);
  std::memset(data.get(), kPoison, bytes + kAlignment);
  const uint64_t address = (reinterpret_cast<uint64_t>(data.get()) + kAlignment - 1) / kAlignment * kAlignment;
  const auto flags = [&] { return std::make_unique<uint8_t[]>(countsTouched_ ? bytes : 0); };
  blocks_[address] = {std::move(data), std::move(written), flags(), flags(), bytes};
  taken_ += bytes;
  return address;
}

bool GlobalMemory::give(uint64_t address) {
  std::unique_lock lock(mutex_);
  const auto found = blocks_.find(address);
  if (found == blocks_.end()) return false;
  taken_ -= found->second.bytes;
  blocks_.erase(found);
  return true;
}

GlobalMemory::Block GlobalMemory::find(uint64_t address, size_t bytes) const {
  std::shared_lock lock(mutex_);
  auto after = blocks_.upper_bound(address);
  if (after == blocks_.begin()) return {};
  const auto& [begin, owned] = *--after;
  if (address + bytes > begin + owned.bytes) return {};
  return {begin, begin + owned.bytes, owned.written.get(), owned.readNow.get(), owned.writtenNow.get()};
}

void GlobalMemory::markWritten(uint64_t address, size_t bytes) {
  const Block block = find(address, bytes);
  if (block.written) std::memset(block.written + (address - block.begin), 1, bytes);
}

void GlobalMemory::copyWritten(uint64_t to, uint64_t from, size_t bytes) {
  const Block target = find(to, bytes), source = find(from, bytes);
  if (!target.written || !source.written) return;
  std::memcpy(target.written + (to - target.begin), source.written + (from - source.begin), bytes);
}

void GlobalMemory::countTouched(uint64_t& bytes, uint64_t& sectors) {
  std::shared_lock lock(mutex_);
  constexpr size_t kSector = 32;  // blocks begin at one
  for (auto& [begin, owned] : blocks_) {
    for (uint8_t* flags : {owned.readNow.get(), owned.writtenNow.get()}) {
      for (size_t at = 0; at < owned.bytes; at += kSector) {
        const size_t end = std::min(at + kSector, owned.bytes);
        const auto touched = uint64_t(std::count(flags + at, flags + end, uint8_t(1)));
        bytes += touched, sectors += touched > 0;
      }
      std::memset(flags, 0, owned.bytes);
    }
  }
}

std::string GlobalMemory::describe(uint64_t address) const {
  std::shared_lock lock(mutex_);
  auto after = blocks_.upper_bound(address);
  if (after == blocks_.begin()) return "below all memory that was taken";
  const auto& [begin, owned] = *--after;
  const uint64_t past = address - begin;
  return past < owned.bytes
             ? "at byte " + std::to_string(past) + " of a block of " + std::to_string(owned.bytes)
             : std::to_string(past - owned.bytes) + " bytes past a block of " + std::to_string(owned.bytes);
}

void SharedMemory::begin(size_t bytes) {
  size_ = bytes;
  data_.assign(bytes, kPoison);
  if (shadow_.size() < (bytes + 1) / 2) shadow_.resize((bytes + 1) / 2);
  ++block_;
  epoch_ += 2;
}

const char* SharedMemory::checkRead(uint32_t at, uint32_t bytes, int warp, bool uninitialised, bool races) {
  for (uint32_t i = at / 2; i <= (at + bytes - 1) / 2; ++i) {
    Shadow& s = shadow_[i];
    if (uninitialised && s.written != block_) return "reads shared memory that nobody wrote";
    if (!races) continue;
    if (s.writeEpoch == epoch_ && s.writer != warp) return "reads what another warp wrote, without a barrier between";
    s.reader = s.readEpoch == epoch_ && s.reader != warp ? kSeveral : uint16_t(warp);
    s.readEpoch = epoch_;
  }
  return nullptr;
}

const char* SharedMemory::checkWrite(uint32_t at, uint32_t bytes, int warp, bool races) {
  for (uint32_t i = at / 2; i <= (at + bytes - 1) / 2; ++i) {
    Shadow& s = shadow_[i];
    s.written = block_;
    if (!races) continue;
    if (s.writeEpoch == epoch_ && s.writer != warp) return "writes what another warp wrote, without a barrier between";
    if (s.readEpoch == epoch_ && s.reader != warp) return "writes what another warp reads, without a barrier between";
    s.writer = uint16_t(warp);
    s.writeEpoch = epoch_;
  }
  return nullptr;
}

void SharedMemory::markUnwritten(uint32_t at, uint32_t bytes) {
  for (uint32_t i = at / 2; i <= (at + bytes - 1) / 2; ++i) shadow_[i].written = block_ - 1;
}

}  // namespace gpusim
