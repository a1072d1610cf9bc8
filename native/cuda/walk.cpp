#include "cuda/walk.h"

#include <algorithm>

namespace duo::cuda {

void makeWalks(const Dims& dims, std::span<const Dims* const> strides, std::span<Walk* const> walks) {
  int rank = 0;
  for (Walk* walk : walks) *walk = {};
  for (int d = 0; d < dims.rank(); ++d) {
    if (dims[d] == 1) continue;
    bool even = rank > 0;
    for (size_t i = 0; i < walks.size(); ++i) {
      even = even && walks[i]->strides[rank - 1] == (*strides[i])[d] * dims[d];
    }
    if (!even) ++rank;
    for (size_t i = 0; i < walks.size(); ++i) {
      walks[i]->dims[rank - 1] = even ? walks[i]->dims[rank - 1] * dims[d] : dims[d];
      walks[i]->strides[rank - 1] = (*strides[i])[d];
    }
  }
  for (Walk* walk : walks) walk->rank = rank;
}

Walk walkOf(const Dims& dims, const Dims& strides) {
  Walk walk;
  const Dims* const one[] = {&strides};
  Walk* const walks[] = {&walk};
  makeWalks(dims, one, walks);
  return walk;
}

Dims broadcastStrides(const Dims& dims, const Dims& strides, const Dims& to) {
  Dims result = to;
  for (int i = 0; i < to.rank(); ++i) {
    const int j = i - to.rank() + dims.rank();
    result[i] = j < 0 || (dims[j] == 1 && to[i] != 1) ? 0 : strides[j];
  }
  return result;
}

}  // namespace duo::cuda
