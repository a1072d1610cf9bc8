// A vector whose first N elements live inside it: what is short for nearly every call costs no heap memory.
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace duo {

template <typename T, size_t N>
class SmallVector {
 public:
  SmallVector() = default;
  SmallVector(const SmallVector& other) {
    reserve(other.size_);
    for (const T& value : other) push_back(value);
  }
  SmallVector(SmallVector&& other) noexcept {
    if (other.onHeap()) {
      data_ = std::exchange(other.data_, other.local());
      capacity_ = std::exchange(other.capacity_, N);
      size_ = std::exchange(other.size_, 0);
    } else {
      std::uninitialized_move(other.begin(), other.end(), data_);
      size_ = other.size_;
      other.clear();
    }
  }
  SmallVector& operator=(const SmallVector&) = delete;
  ~SmallVector() {
    clear();
    if (onHeap()) ::operator delete(data_, std::align_val_t(alignof(T)));
  }

  template <typename... Args>
  T& emplace_back(Args&&... args) {
    if (size_ == capacity_) reserve(2 * capacity_);
    return *new (data_ + size_++) T{std::forward<Args>(args)...};
  }
  void push_back(T value) { emplace_back(std::move(value)); }
  void clear() {
    std::destroy(begin(), end());
    size_ = 0;
  }
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    T* data = static_cast<T*>(::operator new(capacity * sizeof(T), std::align_val_t(alignof(T))));
    std::uninitialized_move(begin(), end(), data);
    std::destroy(begin(), end());
    if (onHeap()) ::operator delete(data_, std::align_val_t(alignof(T)));
    data_ = data;
    capacity_ = capacity;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

 private:
  T* local() { return reinterpret_cast<T*>(local_); }
  bool onHeap() { return data_ != local(); }

  alignas(T) std::byte local_[N * sizeof(T)];
  T* data_ = local();
  size_t size_ = 0, capacity_ = N;
};

}  // namespace duo
