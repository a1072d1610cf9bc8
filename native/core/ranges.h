// Ranges of large pieces of memory ("slabs"), handed out and taken back in any order: neighbours that are free become
// one again, so that what a training step leaves free serves any size in the next.
#pragma once
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace duo {

struct Range {
  char* data = nullptr;
  size_t bytes = 0;
};

class Ranges {
 public:
  // `split`: what would be left of a range is handed out with it where it is smaller.
  explicit Ranges(size_t split) : split_(split) {}

  void add(Range slab);
  // The smallest that is large enough, the lowest of equal ones; no data where there is none.
  Range take(size_t bytes);
  void give(char* data);
  // What is free at the end of the newest slab; where nothing is, that end without bytes, and without a slab nothing.
  Range openEnd() const;
  // The newest slab becomes longer by free bytes, or shorter by the last of its open end, while it is not all free.
  void extend(size_t bytes);
  void cut(size_t bytes);
  std::vector<Range> freeRanges() const;
  size_t freeBytes() const { return freeBytes_; }
  // Slabs of which nothing is in use, and that are no longer part of this.
  std::vector<Range> removeFreeSlabs();

 private:
  struct State {
    size_t bytes;
    bool used;
    bool opensSlab;
  };
  using States = std::map<char*, State>;

  void insertFree(States::iterator range);
  void eraseFree(States::iterator range);
  // The last range of the newest slab.
  States::iterator lastOfNewest() { return std::prev(states_.lower_bound(newestEnd_)); }
  // Makes `range` and the one after it one, if both are free and of one slab.
  void join(States::iterator range);
  bool opensSlab(States::iterator range) const { return range == states_.end() || range->second.opensSlab; }

  const size_t split_;
  States states_;           // by first byte
  char* newest_ = nullptr;  // the newest slab's first byte, and the first behind it
  char* newestEnd_ = nullptr;
  std::set<std::pair<size_t, char*>> free_;  // by size
  size_t freeBytes_ = 0;
};

}  // namespace duo
