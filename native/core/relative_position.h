// The bucket of a relative position, as T5 defines it for its bias table.
// Raffel et al. 2020, section 2.1; thresholds and float32 rule as in Hugging Face's T5Attention.
#pragma once
#include <cstdint>

namespace duo {

struct RelativePositionRule {
  int64_t numBuckets = 32;
  bool bidirectional = true;  // false: keys after the query share the bucket of distance 0
  int64_t maxDistance = 128;  // from here on every distance falls into the last bucket

  // Buckets of one direction, and how many of them stand for a single distance each.
  int64_t perDirection() const { return bidirectional ? numBuckets / 2 : numBuckets; }
  int64_t exact() const { return perDirection() / 2; }
  bool valid() const { return exact() >= 1 && maxDistance > exact(); }

  // Bucket of `relative` = key position − query position.
  int64_t bucket(int64_t relative) const;
};

}  // namespace duo
