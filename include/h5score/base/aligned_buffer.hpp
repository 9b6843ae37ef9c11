// A growing, reusable, 64-byte-aligned byte buffer. Reuse matters: a fresh buffer per block costs 5-10 times its copy
// in page faults. Contents are not kept when it grows, and never initialised. It can also stand for memory that
// somebody else owns, which it cannot outgrow.
#pragma once

#include "h5score/base/types.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace h5score::base {

class AlignedBuffer {
 public:
  static constexpr std::size_t alignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size) { resize(size); }
  /// All of `memory`, which must be aligned so and outlive the buffer.
  explicit AlignedBuffer(std::span<std::byte> memory)
      : data_(memory.data(), Free(false)), size_(memory.size()), capacity_(memory.size()) {}

  /// Makes size() == size; the old contents are lost if the capacity grows. Throws std::bad_alloc.
  void resize(std::size_t size) {
    if (size > capacity_) {
      if (data_ && !data_.get_deleter().owned) throw std::bad_alloc();
      const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
      data_.reset();
      capacity_ = 0;
      data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
      if (!data_) throw std::bad_alloc();
      capacity_ = rounded;
    }
    size_ = size;
  }
  [[nodiscard]] std::byte* data() { return data_.get(); }
  [[nodiscard]] const std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::span<std::byte> span() { return {data_.get(), size_}; }
  [[nodiscard]] ByteView view() const { return {data_.get(), size_}; }
  template <class T>
  [[nodiscard]] T* as() {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    Free() noexcept : owned(true) {}
    explicit Free(bool owned_memory) noexcept : owned(owned_memory) {}
    bool owned;
    void operator()(std::byte* p) const {
      if (owned) std::free(p);
    }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace h5score::base
