// Rows of one array in memory, as they come out of a payload.
#pragma once

#include "h5score/base/types.hpp"

#include <span>

namespace h5score::storage {

using base::u64;

/// Rows that follow each other, as whole rows or still in the planes of the shuffle filter.
struct Stretch {
  u64 first = 0;  ///< its first row, counted from the array's first
  u64 rows = 0;
  const std::byte* data = nullptr;  ///< the first row's first byte
  u64 plane = 0;                    ///< in planes: bytes from one byte of an element to the next; else 0
  u64 element_bytes = 0;            ///< in planes
};

struct ArrayRows {
  const std::byte* data = nullptr;  ///< whole rows; null: in stretches
  u64 row_bytes = 0;
  std::span<const Stretch> stretches{};  ///< from row 0 on, without gaps
};

/// Copies bytes [offset, offset + size) (whole elements) of rows `rows` to `out`, `stride` bytes from row to row.
void copy_stretches(const ArrayRows& from, base::RowRange rows, u64 offset, u64 size, std::byte* out, u64 stride);

}  // namespace h5score::storage
