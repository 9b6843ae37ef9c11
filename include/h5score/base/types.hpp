// Integer and byte types used everywhere. Sizes and row numbers are 64-bit; `int` is never a size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace h5score::base {

using i64 = std::int64_t;
using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// Half-open range of rows [begin, end) in some row space.
struct RowRange {
  u64 begin = 0;
  u64 end = 0;
  [[nodiscard]] u64 size() const { return end - begin; }
  [[nodiscard]] bool empty() const { return end == begin; }
  bool operator==(const RowRange&) const = default;
};

}  // namespace h5score::base
