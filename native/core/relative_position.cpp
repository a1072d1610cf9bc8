#include "core/relative_position.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace duo {
namespace {

// Smallest distance of each logarithmic bucket at the settings that T5 ships with. As integers, because the logarithm
// falls on a bucket's edge exactly where float32 may round either way.
constexpr int64_t kEdges16[] = {8, 12, 16, 23, 32, 46, 64, 91};
constexpr int64_t kEdges32[] = {16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};

int64_t logarithmicBucket(int64_t distance, int64_t buckets, int64_t exact, int64_t maxDistance) {
  const float ratio = std::log(float(distance) / float(exact)) / float(std::log(double(maxDistance) / double(exact)));
  return std::min(exact + int64_t(ratio * float(buckets - exact)), buckets - 1);
}

}  // namespace

int64_t RelativePositionRule::bucket(int64_t relative) const {
  const int64_t buckets = perDirection();
  const int64_t base = bidirectional && relative > 0 ? buckets : 0;
  const int64_t distance = bidirectional ? std::abs(relative) : std::max<int64_t>(-relative, 0);
  if (distance < exact()) return base + distance;
  if (distance >= maxDistance) return base + buckets - 1;
  if (maxDistance == 128 && (buckets == 16 || buckets == 32)) {
    const auto edges = buckets == 16 ? std::span<const int64_t>(kEdges16) : std::span<const int64_t>(kEdges32);
    return base + exact() + (std::ranges::upper_bound(edges, distance) - edges.begin()) - 1;
  }
  return base + logarithmicBucket(distance, buckets, exact(), maxDistance);
}

}  // namespace duo
