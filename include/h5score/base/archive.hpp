// Flat binary archive for what crosses a process or an MPI message: little structs, strings, vectors, optionals,
// variants. A type takes part by `template <class A> void archive(A& ar, T& value) { ar(value.x, value.y); }` beside it
// (found by argument-dependent lookup), which serves both directions. Same-endian only: it is never written to a file.
// Reader checks every count against the bytes that remain before it allocates: the bytes may come from a child process
// that a damaged file has taken over.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"

#include <cstring>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace h5score::base {

template <class T>
concept Trivial = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Writer {
 public:
  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }
  [[nodiscard]] Bytes take() { return std::move(bytes_); }

 private:
  void raw(const void* data, std::size_t size) {
    if (size == 0) return;
    const auto old = bytes_.size();
    if (size > bytes_.max_size() - old) throw std::bad_alloc();  // also tells the compiler that `size` is sane
    bytes_.resize(old + size);
    std::memcpy(bytes_.data() + old, data, size);
  }
  template <class T>
  void put(const T& v) {
    if constexpr (Trivial<T>) {
      raw(&v, sizeof v);
    } else {
      archive(*this, const_cast<T&>(v));  // one archive() serves both directions; a Writer never modifies
    }
  }
  void put(const std::byte& v) { raw(&v, 1); }
  void put(const std::string& v) {
    put(static_cast<u64>(v.size()));
    raw(v.data(), v.size());
  }
  template <class T>
  void put(const std::vector<T>& v) {
    put(static_cast<u64>(v.size()));
    if constexpr (Trivial<T> && !std::is_same_v<T, bool>) {
      raw(v.data(), v.size() * sizeof(T));
    } else {
      for (const auto& element : v) put(element);
    }
  }
  template <class T>
  void put(const std::optional<T>& v) {
    put(static_cast<u8>(v.has_value()));
    if (v) put(*v);
  }
  template <class K, class V>
  void put(const std::map<K, V>& v) {
    put(static_cast<u64>(v.size()));
    for (const auto& [key, value] : v) {
      put(key);
      put(value);
    }
  }
  template <class... T>
  void put(const std::variant<T...>& v) {
    put(static_cast<u32>(v.index()));
    std::visit([this](const auto& alternative) { this->put(alternative); }, v);
  }
  Bytes bytes_;
};

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}
  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  [[nodiscard]] ByteView rest() const { return rest_; }
  /// Throws unless every byte was read.
  void expect_end() const {
    if (!rest_.empty()) fail("trailing bytes");
  }

 private:
  [[noreturn]] static void fail(const char* why) { throw Error(ExitCode::internal, "a message is malformed", why); }
  void raw(void* data, std::size_t size) {
    if (size > rest_.size()) fail("it ends early");
    if (size != 0) std::memcpy(data, rest_.data(), size);
    rest_ = rest_.subspan(size);
  }
  u64 count(std::size_t least_bytes_each) {
    u64 n = 0;
    raw(&n, sizeof n);
    if (n > rest_.size() / least_bytes_each) fail("a count exceeds the bytes that remain");
    return n;
  }
  template <class T>
  void get(T& v) {
    if constexpr (Trivial<T>) {
      raw(&v, sizeof v);
    } else {
      archive(*this, v);
    }
  }
  void get(std::byte& v) { raw(&v, 1); }
  void get(bool& v) {
    u8 byte = 0;
    raw(&byte, 1);
    if (byte > 1) fail("a truth value is neither 0 nor 1");
    v = byte == 1;
  }
  void get(std::string& v) {
    v.resize(count(1));
    raw(v.data(), v.size());
  }
  template <class T>
  void get(std::vector<T>& v) {
    if constexpr (Trivial<T> && !std::is_same_v<T, bool>) {
      v.resize(count(sizeof(T)));
      raw(v.data(), v.size() * sizeof(T));
    } else {
      const u64 n = count(1);
      v.clear();
      for (u64 i = 0; i < n; ++i) get(v.emplace_back());
    }
  }
  template <class T>
  void get(std::optional<T>& v) {
    u8 has = 0;
    get(has);
    v.reset();
    if (has != 0) get(v.emplace());
  }
  template <class K, class V>
  void get(std::map<K, V>& v) {
    v.clear();
    const u64 n = count(1);
    for (u64 i = 0; i < n; ++i) {
      K key{};
      get(key);
      get(v[std::move(key)]);
    }
  }
  template <class... T>
  void get(std::variant<T...>& v) {
    u32 index = 0;
    get(index);
    if (!select<0>(v, index)) fail("an unknown alternative");
  }
  template <std::size_t I, class... T>
  bool select(std::variant<T...>& v, u32 index) {
    if constexpr (I < sizeof...(T)) {
      if (index != I) return select<I + 1>(v, index);
      get(v.template emplace<I>());
      return true;
    } else {
      return false;
    }
  }
  ByteView rest_;
};

/// The archived bytes of one value.
template <class T>
[[nodiscard]] Bytes to_bytes(const T& value) {
  Writer w;
  w(value);
  return w.take();
}

/// The value that to_bytes() wrote; throws Error(internal) if the bytes are not exactly one such value.
template <class T>
[[nodiscard]] T from_bytes(ByteView bytes) {
  T value{};
  Reader r(bytes);
  r(value);
  r.expect_end();
  return value;
}

}  // namespace h5score::base
