// What every op that drops elements declares: the probability of zeroing, and where in the run it happens.
#pragma once
#include <utility>

#include "core/rng.h"
#include "ops/registry.h"

namespace duo {

inline std::vector<AttrSpec> withDropout(std::vector<AttrSpec> attrs) {
  constexpr double kMaxSeed = 9007199254740991.0, kMaxWord = 4294967295.0;
  attrs.push_back({"dropoutP", AttrType::kFloat, 0, 0, 1});
  attrs.push_back({"seed", AttrType::kInt, 0, 0, kMaxSeed});
  attrs.push_back({"site", AttrType::kInt, 0, 0, kMaxWord});
  attrs.push_back({"step", AttrType::kInt, 0, 0, kMaxWord});
  return attrs;
}

struct Dropout {
  RandomSite at;
  DropoutRule rule;

  explicit Dropout(const OpCall& call)
      : at{uint64_t(call.integer("seed")), uint32_t(call.integer("site")), uint32_t(call.integer("step"))},
        rule(call.number("dropoutP")) {}
  bool active() const { return rule.active(); }
};

}  // namespace duo
