// Hands out a workspace piece by piece.
#pragma once
#include "cuda/staging.h"

namespace duo::cuda {

// Each piece is aligned to kAlignment, so a workspace for them is the sum of their alignedSize.
class Room {
 public:
  explicit Room(void* workspace) : next_(static_cast<char*>(workspace)) {}
  template <typename T>
  T* take(size_t count) {
    char* taken = next_;
    next_ += alignedSize(count * sizeof(T));
    return reinterpret_cast<T*>(taken);
  }
  char* rest() const { return next_; }

 private:
  char* next_;
};

}  // namespace duo::cuda
