#include "core/ranges.h"

namespace duo {

void Ranges::insertFree(States::iterator range) {
  range->second.used = false;
  free_.emplace(range->second.bytes, range->first);
  freeBytes_ += range->second.bytes;
}

void Ranges::eraseFree(States::iterator range) {
  free_.erase({range->second.bytes, range->first});
  freeBytes_ -= range->second.bytes;
}

void Ranges::add(Range slab) {
  insertFree(states_.emplace(slab.data, State{slab.bytes, false, true}).first);
  newest_ = slab.data, newestEnd_ = slab.data + slab.bytes;
}

Range Ranges::openEnd() const {
  if (!newest_) return {};
  const auto last = std::prev(states_.lower_bound(newestEnd_));
  return last->second.used ? Range{newestEnd_, 0} : Range{last->first, last->second.bytes};
}

void Ranges::extend(size_t bytes) {
  insertFree(states_.emplace(newestEnd_, State{bytes, false, false}).first);
  newestEnd_ += bytes;
  join(std::prev(lastOfNewest()));
}

void Ranges::cut(size_t bytes) {
  const auto last = lastOfNewest();
  eraseFree(last);
  last->second.bytes -= bytes;
  newestEnd_ -= bytes;
  last->second.bytes > 0 ? insertFree(last) : void(states_.erase(last));
}

Range Ranges::take(size_t bytes) {
  const auto found = free_.lower_bound({bytes, nullptr});
  if (found == free_.end()) return {};
  const auto range = states_.find(found->second);
  eraseFree(range);
  range->second.used = true;
  const size_t rest = range->second.bytes - bytes;
  if (rest >= split_) {
    range->second.bytes = bytes;
    insertFree(states_.emplace(range->first + bytes, State{rest, false, false}).first);
  }
  return {range->first, range->second.bytes};
}

void Ranges::give(char* data) {
  const auto range = states_.find(data);
  insertFree(range);
  join(range);
  if (!range->second.opensSlab) join(std::prev(range));
}

void Ranges::join(States::iterator range) {
  const auto next = std::next(range);
  if (opensSlab(next) || range->second.used || next->second.used) return;
  eraseFree(range);
  eraseFree(next);
  range->second.bytes += next->second.bytes;
  states_.erase(next);
  insertFree(range);
}

std::vector<Range> Ranges::freeRanges() const {
  std::vector<Range> ranges;
  for (const auto& [bytes, data] : free_) ranges.push_back({data, bytes});
  return ranges;
}

std::vector<Range> Ranges::removeFreeSlabs() {
  std::vector<Range> removed;
  for (auto range = states_.begin(); range != states_.end();) {
    const auto next = std::next(range);
    if (range->second.opensSlab && !range->second.used && opensSlab(next)) {
      removed.push_back({range->first, range->second.bytes});
      if (range->first == newest_) newest_ = newestEnd_ = nullptr;
      eraseFree(range);
      states_.erase(range);
    }
    range = next;
  }
  return removed;
}

}  // namespace duo
