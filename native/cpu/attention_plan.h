// How attention is cut into tiles, blocks and tasks, and the memory that takes. All of it depends on shapes alone, so
// results do not depend on threads, and memory per thread does not grow with the sequences.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/relative_position.h"
#include "core/rng.h"
#include "ops/registry.h"

namespace duo::cpu {

// Scores are made tile by tile. 96 rows are sixteen groups of the six that a product keeps in registers; a tile of
// scores (48 KiB) and what it is made from stay in a second-level cache of 256 KiB at head sizes up to 64.
constexpr int64_t kTileQueries = 96, kBlockKeys = 128;
// Columns of the widest packed panel of any instruction set; head sizes are padded to a multiple of it.
constexpr int64_t kMaxPanel = 32;
constexpr int64_t kMaxLanes = 16;
// Query rows of which backward keeps operands and gradients packed at one time.
constexpr int64_t kBackwardQueries = 12 * kTileQueries;
// Key positions are drawn from a range of 2^20 in the dropout contract.
constexpr int64_t kMaxPositions = int64_t(1) << kKeyPositionBits;

// One packed sequence; rows are (N, H, D) rows.
struct AttentionSequence {
  int64_t firstQuery, queries, firstKey, keys;
  int64_t causalOffset;  // key position − query position of the pair at distance 0
};

// Rows of one operand (N, H, D) at any strides of N and H.
struct AttentionRows {
  const float* data = nullptr;
  int64_t rowStride = 0, headStride = 0;

  const float* at(int64_t row, int64_t head) const { return data + row * rowStride + head * headStride; }
};

// A rectangle of scores within one sequence.
struct AttentionTile {
  int64_t query, rows, key, keys;  // first query and key, counted within the sequence
  // Positions step by one along both sides: key − query − offset of element (r, k) is `relative` + k − r.
  bool regular;
  int64_t relative;
  bool hidden;   // the causal rule leaves nothing
  bool clipped;  // it leaves a part
};

// One call, as both directions read it.
struct AttentionPlan {
  explicit AttentionPlan(const OpCall& call);

  // Throws for positions outside [0, 2^20), before anything is written.
  void checkPositions() const;
  AttentionTile tile(const AttentionSequence& sequence, int64_t query, int64_t rows, int64_t key, int64_t keys) const;

  // Of element (query, key) of a sequence, any positions.
  int64_t relative(const AttentionSequence& s, int64_t query, int64_t key) const {
    return positionOfKey(s, key) - positionOfQuery(s, query) - s.causalOffset;
  }
  int64_t positionOfKey(const AttentionSequence& s, int64_t key) const {
    return positionsK ? positionsK[s.firstKey + key] : key;
  }
  int64_t positionOfQuery(const AttentionSequence& s, int64_t query) const {
    return positionsQ ? positionsQ[s.firstQuery + query] : query;
  }

  // Bias windows: the table written out along relative positions, one row of windowFloats() for each head. Beyond
  // ±reach the bias is constant; the margin lets a whole tile start out there.
  int64_t margin() const { return kTileQueries + kBlockKeys; }
  int64_t windowCenter() const { return reach + margin(); }
  int64_t windowFloats() const { return hasTable ? (2 * windowCenter() + 1 + 15) / 16 * 16 : 0; }
  void fillWindowBuckets(int32_t* buckets) const;
  void fillWindows(const float* table, const int32_t* buckets, float* windows) const;
  // Index in the window of element (0, 0) of a regular tile; element (r, k) is at + k − r.
  int64_t windowIndex(const AttentionTile& tile) const;
  int64_t windowIndexOf(int64_t relative) const;

  int64_t nq, nk, heads, size;
  int64_t padded;  // head size rounded up to kMaxPanel
  std::vector<AttentionSequence> sequences;
  const int32_t *positionsQ = nullptr, *positionsK = nullptr;
  float scale;
  bool causal, hasTable, hasDense;
  RelativePositionRule rule;
  int64_t reach = 0;
  DropoutRule dropout;
  RandomSite site;
  // Dense bias (1 or B, H, Tq, Tk)
  int64_t denseBatches = 0, denseQueries = 0, denseKeys = 0;

  int64_t denseRow(size_t sequence, int64_t head, int64_t query) const {
    const int64_t batch = denseBatches == 1 ? 0 : int64_t(sequence);
    return ((batch * heads + head) * denseQueries + query) * denseKeys;
  }

 private:
  const char* op_;
};

// Hands out aligned pieces of workspace; without memory it only counts.
class Carver {
 public:
  explicit Carver(void* base = nullptr) : base_(static_cast<char*>(base)) {}
  float* floats(int64_t count) { return reinterpret_cast<float*>(bytes(count * int64_t(sizeof(float)))); }
  int32_t* ints(int64_t count) { return reinterpret_cast<int32_t*>(bytes(count * int64_t(sizeof(int32_t)))); }
  size_t used() const { return used_; }

 private:
  char* bytes(int64_t count) {
    char* piece = base_ ? base_ + used_ : nullptr;
    used_ += (size_t(count) + 63) / 64 * 64;
    return piece;
  }
  char* base_;
  size_t used_ = 0;
};

// Forward. A task is some query rows of one sequence and head.
struct ForwardLayout {
  ForwardLayout(const AttentionPlan& plan, void* workspace);
  struct Task {
    size_t sequence;
    int64_t query, rows;
  };
  // Memory of one running task; "packed" is [panel][row][panel column].
  struct Area {
    float *queries, *outputs;  // packed, all rows of the task
    float *max, *sum;          // of each row so far
    float *keysT, *values;     // packed, one block of keys; keysT transposed
    float* scores;             // packed, one tile
  };
  int64_t chunk;            // most query rows of a task
  std::vector<Task> tasks;  // each once for every head
  int32_t* windowBuckets;
  float* windows;
  std::vector<Area> areas;
  size_t bytes;
};

// Backward. A task is a part of the keys of one sequence and head: it owns their dK and dV and makes a share of dQ.
// When a dense bias gradient is shared by the batch, it is that part of every sequence, one after the other.
struct BackwardLayout {
  BackwardLayout(const AttentionPlan& plan, bool sharedDense, void* workspace);
  struct Area {
    float *queries, *dO, *dQ;       // packed, kBackwardQueries rows
    float *lse, *dots;              // of those rows; dots = Σ dO·O
    float *keysT, *valuesT, *keys;  // packed, one block of keys
    float *dK, *dV;                 // packed, one block of keys
    float *scores, *dScores;        // one tile
    float* diagonals;               // sums of dScores by relative position, see attention_bias.h
  };
  int64_t splits;  // parts of the keys of each sequence
  int64_t groups;  // tasks of each head
  bool sharedDense;
  float* windows;
  int32_t* windowBuckets;
  float* tablePartials;  // [group][head][bucket]
  float* dQPartials;     // [split − 1][Nq][H·D]
  std::vector<Area> areas;
  size_t bytes;
};

// Workspace of the ops.
size_t attentionFwdBytes(const OpCall& call);
size_t attentionBwdBytes(const OpCall& call);

}  // namespace duo::cpu
