// How a call of attention is cut into tiles, and the memory that takes: functions of its shapes and host copies alone.
#pragma once
#include <vector>

#include "core/relative_position.h"
#include "cuda/kernels/attention_params.h"
#include "cuda/launch.h"
#include "cuda/tuning.h"

namespace duo::cuda {

struct AttentionPlan {
  explicit AttentionPlan(const OpCall& call);

  // The rows of every sequence in tiles, those with the most to walk over first, so that none of them is left for the
  // end.
  std::vector<AttentionTile> queryTiles(int32_t rows) const;
  std::vector<AttentionTile> keyTiles(int32_t rows) const;
  // Buckets along relative positions −reach … reach.
  std::vector<int32_t> buckets() const;
  int64_t windowLength() const { return hasTable ? 2 * reach + 1 : 0; }
  // Of BiasQuads: the margin lets a whole tile lie where the bias is constant.
  int32_t quadCenter() const { return int32_t((reach + 203) / 4 * 4); }
  int32_t quadLength() const { return hasTable ? 2 * quadCenter() : 0; }
  // Whether the tensor kernels can take the call.
  bool fitsTensors() const { return dtype != DType::kFloat32 && size > 0 && size <= kAttentionWidest; }
  // Whether they must make scores one by one: more is added to products than a table.
  bool isGeneral() const;

  std::vector<AttentionSequence> sequences;
  int64_t heads, size;
  DType dtype;
  float scale;
  bool positioned, causal, hasTable, hasDense;
  RelativePositionRule rule;
  int64_t reach = 0;
};

// Hands out pieces of workspace, aligned to 256 bytes; without memory it only counts.
class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<char*>(base)) {}
  template <typename T>
  T* take(size_t count) {
    char* piece = base_ ? base_ + used_ : nullptr;
    used_ += (count * sizeof(T) + 255) / 256 * 256;
    return reinterpret_cast<T*>(piece);
  }
  size_t used() const { return used_; }

 private:
  char* base_;
  size_t used_ = 0;
};

}  // namespace duo::cuda
