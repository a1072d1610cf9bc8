// attentionDecode: O = softmax(scale·Q·Kᵀ + bias)·V of a few query rows against a cache. kvCacheAppend: fills the
// cache.
//
// Work: a task is up to 16 query rows of one slot and one head. It walks over the keys in blocks that stay in the
// first-level cache, all rows on each block: first the scores, then their softmax, then the values.
// Bytes: K and V of a slot and head are read once for the rows of a task, in order: with one row that is all the time
// there is. 4·D FLOP a score. Append copies.
#include <cmath>
#include <cstring>

#include "cpu/decode_plan.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/strided.h"
#include "cpu/thread_pool.h"
#include "cpu/vec_math.h"

namespace duo::cpu::DUO_ISA {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// 16 KiB at head size 64.
constexpr int64_t kBlockKeys = 64;
// Keys whose scores, and registers of columns whose sums, are made side by side: enough to hide the latency of fma.
constexpr int kKeys = 8;
constexpr int kColumnVecs = VecF::kLanes == 1 ? 4 : 8;

// Keys or values of one head as one slot sees them.
struct CachedRows {
  const float* data;
  int64_t slotStride, rowStride;
  const int32_t* slots;  // of each key, or null: all in `slot`
  int64_t slot;

  CachedRows(const TensorArg& cache, int64_t head, int64_t slot, const int32_t* slots)
      : data(cache.f32() + head * cache.strides[1]),
        slotStride(cache.strides[0]),
        rowStride(cache.strides[2]),
        slots(slots),
        slot(slot) {}
  const float* at(int64_t key) const { return data + (slots ? slots[key] : slot) * slotStride + key * rowStride; }
};

// scores[i] = scale · q·keys[first + i]
template <int kCount>
void dots(const CachedRows& keys, int64_t first, const float* q, int64_t size, float scale, float* scores) {
  const float* key[kCount];
  VecF sums[kCount];
  for (int i = 0; i < kCount; ++i) key[i] = keys.at(first + i), sums[i] = VecF::zero();
  forLanes(size, [&](int64_t d, auto lanes) {
    const VecF x = load(q + d, lanes);
    for (int i = 0; i < kCount; ++i) sums[i] = fma(load(key[i] + d, lanes), x, sums[i]);
  });
  for (int i = 0; i < kCount; ++i) scores[i] = scale * sum(sums[i]);
}

// o[d …] += Σ p[i]·values[i] over keys [begin, end), kVecs registers of columns from d on
template <int kVecs, typename Lanes>
void addColumns(const CachedRows& values, int64_t begin, int64_t end, const float* p, int64_t d, Lanes lanes,
                float* o) {
  VecF sums[kVecs];
  for (int v = 0; v < kVecs; ++v) sums[v] = load(o + d + v * VecF::kLanes, lanes);
  for (int64_t i = begin; i < end; ++i) {
    const float* value = values.at(i) + d;
    const VecF factor = VecF::fill(p[i]);
    for (int v = 0; v < kVecs; ++v) sums[v] = fma(factor, load(value + v * VecF::kLanes, lanes), sums[v]);
  }
  for (int v = 0; v < kVecs; ++v) store(sums[v], o + d + v * VecF::kLanes, lanes);
}

void addValues(const CachedRows& values, int64_t begin, int64_t end, const float* p, int64_t size, float* o) {
  constexpr int64_t kColumns = kColumnVecs * VecF::kLanes;
  int64_t d = 0;
  for (; d + kColumns <= size; d += kColumns) addColumns<kColumnVecs>(values, begin, end, p, d, AllLanes{}, o);
  forLanes(size - d, [&](int64_t c, auto lanes) { addColumns<1>(values, begin, end, p, d + c, lanes, o); });
}

// Replaces scores by their exponentials against the largest, and returns the sum of those.
float exponentials(float* scores, int64_t n) {
  VecF highest = VecF::fill(-kInfinity);
  forLanes(n, [&](int64_t i, auto lanes) {
    highest = max(highest, fillRest(load(scores + i, lanes), VecF::fill(-kInfinity), lanes));
  });
  const float top = maxOf(highest);
  // Nothing may be subtracted from a row of −inf.
  const VecF shift = VecF::fill(top == -kInfinity ? 0.f : top);
  return sumLanes(n, [&](int64_t i, auto lanes) {
    const VecF e = expFlushed(load(scores + i, lanes) - shift);
    store(e, scores + i, lanes);
    return fillRest(e, VecF::zero(), lanes);
  });
}

struct DecodeCall {
  const DecodePlan& plan;
  const TensorArg &q, &cacheK, &cacheV;
  const int32_t* slotTable;  // or null
  const float* biasTable;    // or null
  const int32_t* buckets;
  float scale;
  float* o;

  // Bias of `head` along relative positions.
  void fillWindow(int64_t head, float* window) const {
    for (int64_t i = 0; i < plan.windowSize(); ++i) window[i] = biasTable[buckets[i] * plan.heads + head];
  }

  void addBias(const DecodeRow& row, const float* window, float* scores) const {
    const int64_t near = std::clamp<int64_t>(row.position - plan.reach, 0, row.keys);
    const int64_t far = std::clamp<int64_t>(row.position + plan.reach + 1, near, row.keys);
    for (int64_t i = 0; i < near; ++i) scores[i] += window[0];
    for (int64_t i = near; i < far; ++i) scores[i] += window[i - row.position + plan.reach];
    for (int64_t i = far; i < row.keys; ++i) scores[i] += window[2 * plan.reach];
  }

  // Calls fn(i, row, first, end) for every row of the task and each block of keys that it sees.
  template <typename Fn>
  void overBlocks(const DecodeTask& task, const Fn& fn) const {
    for (int64_t first = 0; first < task.keys; first += kBlockKeys) {
      for (size_t i = 0; i < task.rows.size(); ++i) {
        const int64_t end = std::min(first + kBlockKeys, task.rows[i].keys);
        if (first < end) fn(i, task.rows[i], first, end);
      }
    }
  }

  void run(const DecodeTask& task, int64_t head, float* scratch) const {
    const int32_t* slots = slotTable ? slotTable + task.slot * cacheK.dims[2] : nullptr;
    const CachedRows keys(cacheK, head, task.slot, slots), values(cacheV, head, task.slot, slots);
    float *window = scratch, *scores = scratch + plan.biasFloats();
    const auto scoresOf = [&](size_t i) { return scores + int64_t(i) * plan.scoreFloats(); };
    const auto outputOf = [&](const DecodeRow& row) { return o + (row.row * plan.heads + head) * plan.size; };
    if (biasTable) fillWindow(head, window);

    overBlocks(task, [&](size_t i, const DecodeRow& row, int64_t first, int64_t end) {
      const float* x = q.f32() + row.row * q.strides[0] + head * q.strides[1];
      int64_t key = first;
      for (; key + kKeys <= end; key += kKeys) dots<kKeys>(keys, key, x, plan.size, scale, scoresOf(i) + key);
      for (; key < end; ++key) dots<1>(keys, key, x, plan.size, scale, scoresOf(i) + key);
    });
    float totals[kDecodeRows];
    for (size_t i = 0; i < task.rows.size(); ++i) {
      const DecodeRow& row = task.rows[i];
      if (biasTable) addBias(row, window, scoresOf(i));
      totals[i] = exponentials(scoresOf(i), row.keys);
      std::fill_n(outputOf(row), plan.size, 0.f);
    }
    overBlocks(task, [&](size_t i, const DecodeRow& row, int64_t first, int64_t end) {
      addValues(values, first, end, scoresOf(i), plan.size, outputOf(row));
    });
    for (size_t i = 0; i < task.rows.size(); ++i) {
      // A row without keys has the sum 0; NaN goes on.
      const VecF factor = VecF::fill(totals[i] == 0.f ? 0.f : 1.f / totals[i]);
      float* row = outputOf(task.rows[i]);
      forLanes(plan.size, [&](int64_t d, auto lanes) { store(load(row + d, lanes) * factor, row + d, lanes); });
    }
  }
};

// Every slot that will be read through the table, before anything is written.
void checkSlotTable(const OpCall& call) {
  const TensorArg& table = call.in("slotTable");
  const auto slots = call.host("slots"), lengths = call.host("lengths");
  for (size_t i = 0; i < slots.size(); ++i) {
    const int32_t* row = table.i32() + slots[i] * table.dims[1];
    for (int32_t t = 0; t < lengths[i]; ++t) {
      if (row[t] >= 0 && row[t] < table.dims[0]) continue;
      fail(ErrorCode::kIndex, call.def.name, "a slotTable of slots in [0, " + std::to_string(table.dims[0]) + ")",
           std::to_string(row[t]) + " for key " + std::to_string(t) + " of slot " + std::to_string(slots[i]));
    }
  }
}

void checkRange(const OpCall& call, const char* name, int64_t limit) {
  const TensorArg& values = call.in(name);
  for (int64_t i = 0; i < values.count(); ++i) {
    if (values.i32()[i] >= 0 && values.i32()[i] < limit) continue;
    fail(ErrorCode::kIndex, call.def.name, std::string(name) + " in [0, " + std::to_string(limit) + ")",
         std::to_string(values.i32()[i]) + " at " + std::to_string(i));
  }
}

}  // namespace

void attentionDecode(const OpCall& call) {
  const bool indirect = call.has("slotTable");
  if (indirect) checkSlotTable(call);
  const DecodePlan plan(call);
  int32_t* buckets = call.scratch<int32_t>();
  for (int64_t i = 0; i < plan.windowSize(); ++i) buckets[i] = int32_t(plan.rule.bucket(i - plan.reach));
  const DecodeCall decode{plan,
                          call.in("q"),
                          call.in("cacheK"),
                          call.in("cacheV"),
                          indirect ? call.in("slotTable").i32() : nullptr,
                          plan.hasTable ? call.in("biasTable").f32() : nullptr,
                          buckets,
                          call.f32("scale"),
                          call.out("o").f32()};
  float* scratch = call.scratch<float>() + plan.biasFloats();
  // Heads outermost: beams of one sentence, whose early keys are the same, follow each other.
  const int64_t tasks = int64_t(plan.tasks.size());
  parallelFor(plan.heads * tasks, [&](int64_t index, int worker) {
    decode.run(plan.tasks[size_t(index % tasks)], index / tasks, scratch + worker * plan.workerFloats());
  });
}

void kvCacheAppend(const OpCall& call) {
  const auto offsets = call.host("cuSeqlens"), slots = call.host("slots"), lengths = call.host("lengths");
  const int64_t heads = call.dim("H"), size = call.dim("D");
  // Where each row goes: its slot and position.
  std::vector<std::pair<int64_t, int64_t>> places(size_t(call.dim("N")));
  for (size_t i = 0; i < slots.size(); ++i) {
    for (int64_t row = offsets[i]; row < offsets[i + 1]; ++row) {
      places[size_t(row)] = {slots[i], lengths[i] - (offsets[i + 1] - row)};
    }
  }
  const auto copy = [&](const TensorArg& from, const TensorArg& cache, int64_t row) {
    const auto [slot, position] = places[size_t(row)];
    float* to = cache.f32() + slot * cache.strides[0] + position * cache.strides[2];
    for (int64_t h = 0; h < heads; ++h) {
      std::memcpy(to + h * cache.strides[1], from.f32() + row * from.strides[0] + h * from.strides[1],
                  size_t(size) * sizeof(float));
    }
  };
  parallelRows({call.dim("N"), heads * size}, /*grain=*/16384, [&](int64_t row) {
    copy(call.in("k"), call.in("cacheK"), row);
    copy(call.in("v"), call.in("cacheV"), row);
  });
}

void continueSlots(const OpCall& call) {
  const int64_t size = call.dim("L");
  checkRange(call, "before", call.dim("S"));
  checkRange(call, "rows", call.dim("m"));
  checkRange(call, "slots", call.dim("S"));
  checkRange(call, "lengths", size + 1);
  const int32_t *table = call.in("slotTable").i32(), *before = call.in("before").i32();
  const int32_t *slots = call.in("slots").i32(), *rows = call.in("rows").i32(), *lengths = call.in("lengths").i32();
  int32_t* y = call.out("y").as<int32_t>();
  std::copy_n(table, call.dim("S") * size, y);
  for (int64_t i = 0; i < call.dim("n"); ++i) {
    int32_t* line = y + slots[i] * size;
    std::copy_n(table + before[rows[i]] * size, lengths[i], line);
    std::fill(line + lengths[i], line + size, slots[i]);
  }
}

}  // namespace duo::cpu::DUO_ISA
