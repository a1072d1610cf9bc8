// How the decode form of attention is cut into tasks, and the memory that takes. All of it depends on the host copies
// of slots, lengths and offsets alone.
#pragma once
#include <algorithm>
#include <numeric>
#include <vector>

#include "core/relative_position.h"
#include "cpu/column.h"
#include "ops/registry.h"

namespace duo::cpu {

// Query rows that go through one slot's keys together: beams that share a source, tokens to verify, or both. With
// sixteen, arithmetic takes about as long as fetching a key from memory.
constexpr size_t kDecodeRows = 16;

// One query row; rows are those of q and o.
struct DecodeRow {
  int64_t row;
  int64_t position;  // of the key at distance 0
  int64_t keys;      // how many it sees
};

// Rows of one slot, for one head at a time.
struct DecodeTask {
  int64_t slot;
  int64_t keys = 0;  // the most that a row sees
  std::vector<DecodeRow> rows;
};

struct DecodePlan {
  explicit DecodePlan(const OpCall& call)
      : heads(call.dim("H")), size(call.dim("D")), hasTable(call.has("biasTable")), causal_(call.flag("causal")) {
    const auto slots = call.host("slots"), offsets = call.host("cuSeqlens"), lengths = call.host("lengths");
    std::vector<size_t> order(slots.size());
    std::iota(order.begin(), order.end(), size_t(0));
    // With a table of slots, even sequences of the same slot see other keys than that slot's own.
    const bool shared = !call.has("slotTable");
    if (shared) std::ranges::stable_sort(order, {}, [&](size_t i) { return slots[i]; });
    int64_t reached = 0;
    for (size_t n = 0; n < order.size(); ++n) {
      const size_t i = order[n];
      const int64_t rows = offsets[i + 1] - offsets[i];
      if (n == 0 || !shared || slots[i] != tasks.back().slot) tasks.push_back({slots[i], 0, {}});
      for (int64_t r = 0; r < rows; ++r) add(offsets[i] + r, lengths[i] - rows + r, lengths[i]);
      reached = std::max<int64_t>({reached, lengths[i], rows});
    }
    for (const DecodeTask& task : tasks) longest = std::max(longest, task.keys);
    if (!hasTable) return;
    rule = {call.dim("numBuckets"), call.flag("bidirectional"), call.integer("maxDistance")};
    reach = std::min(rule.maxDistance, reached);
  }

  // The bias along relative positions −reach … reach, beyond which it is constant.
  int64_t windowSize() const { return hasTable ? 2 * reach + 1 : 0; }

  // In four-byte elements: bucket of each relative position · for each worker: the bias of a head · scores of a task
  int64_t biasFloats() const { return (windowSize() + 15) / 16 * 16; }
  int64_t scoreFloats() const { return (longest + 15) / 16 * 16; }  // of one row
  int64_t workerFloats() const { return biasFloats() + int64_t(kDecodeRows) * scoreFloats(); }
  size_t bytes() const { return size_t(biasFloats() + scratchSlots() * workerFloats()) * sizeof(float); }

  int64_t heads, size;
  bool hasTable;
  RelativePositionRule rule;
  int64_t reach = 0;
  int64_t longest = 0;  // keys of a task
  std::vector<DecodeTask> tasks;

 private:
  void add(int64_t row, int64_t position, int64_t length) {
    if (tasks.back().rows.size() == kDecodeRows) tasks.push_back({tasks.back().slot, 0, {}});
    DecodeTask& task = tasks.back();
    const int64_t keys = causal_ ? std::clamp<int64_t>(position + 1, 0, length) : length;
    task.rows.push_back({row, position, keys});
    task.keys = std::max(task.keys, keys);
  }

  bool causal_;
};

inline size_t attentionDecodeBytes(const OpCall& call) { return DecodePlan(call).bytes(); }

}  // namespace duo::cpu
