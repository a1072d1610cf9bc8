#include "cuda/attention_plan.h"

#include <algorithm>

namespace duo::cuda {

AttentionPlan::AttentionPlan(const OpCall& call)
    : heads(call.dim("H")),
      size(call.dim("D")),
      dtype(call.in("q").dtype),
      scale(call.f32("scale")),
      positioned(call.has("positionsQ")),
      causal(call.flag("causal")),
      hasTable(call.has("biasTable")),
      hasDense(call.has("biasDense")) {
  const auto offsetsQ = call.host("cuSeqlensQ"), offsetsK = call.host("cuSeqlensK");
  int64_t longest = 0;
  for (size_t b = 0; b + 1 < offsetsQ.size(); ++b) {
    const int32_t queries = offsetsQ[b + 1] - offsetsQ[b], keys = offsetsK[b + 1] - offsetsK[b];
    sequences.push_back({offsetsQ[b], queries, offsetsK[b], keys, positioned ? 0 : keys - queries});
    longest = std::max<int64_t>({longest, queries, keys});
  }
  if (hasTable) {
    rule = {call.dim("numBuckets"), call.flag("bidirectional"), call.integer("maxDistance")};
    reach = positioned ? rule.maxDistance : std::min(rule.maxDistance, longest);
  }
}

namespace {

struct Weighed {
  AttentionTile tile;
  int32_t work;
};

std::vector<AttentionTile> longestFirst(std::vector<Weighed>& weighed) {
  std::ranges::stable_sort(weighed, std::greater(), &Weighed::work);
  std::vector<AttentionTile> tiles;
  tiles.reserve(weighed.size());
  for (const Weighed& w : weighed) tiles.push_back(w.tile);
  return tiles;
}

}  // namespace

std::vector<AttentionTile> AttentionPlan::queryTiles(int32_t rows) const {
  std::vector<Weighed> tiles;
  for (size_t b = 0; b < sequences.size(); ++b) {
    const AttentionSequence& s = sequences[b];
    for (int32_t first = 0; first < s.queries; first += rows) {
      const int32_t last = std::min(first + rows, s.queries) - 1;
      const bool cut = causal && !positioned;
      tiles.push_back({{int32_t(b), first}, cut ? std::clamp(last + s.causalOffset + 1, 0, s.keys) : s.keys});
    }
  }
  return longestFirst(tiles);
}

std::vector<AttentionTile> AttentionPlan::keyTiles(int32_t rows) const {
  std::vector<Weighed> tiles;
  for (size_t b = 0; b < sequences.size(); ++b) {
    const AttentionSequence& s = sequences[b];
    for (int32_t first = 0; first < s.keys; first += rows) {
      const bool cut = causal && !positioned;
      tiles.push_back(
          {{int32_t(b), first}, cut ? s.queries - std::clamp(first - s.causalOffset, 0, s.queries) : s.queries});
    }
  }
  return longestFirst(tiles);
}

bool AttentionPlan::isGeneral() const {
  // A table is divided by the scale, for products are not multiplied by it.
  constexpr float kLeastScale = 1e-6f;
  return positioned || hasDense || !(scale >= kLeastScale);
}

std::vector<int32_t> AttentionPlan::buckets() const {
  std::vector<int32_t> result(static_cast<size_t>(windowLength()));
  for (size_t i = 0; i < result.size(); ++i) result[i] = int32_t(rule.bucket(int64_t(i) - reach));
  return result;
}

}  // namespace duo::cuda
