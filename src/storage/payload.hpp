// What travels from the reader of a block to its decoder: a small header, then the stored bytes. Every segment begins
// at a multiple of 64 bytes from the payload's beginning, in the order of the header.
#pragma once

#include "h5score/base/archive.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// One array's segments. Contiguous and served: one. Chunked: one per chunk that the rows touch, in C order of the
/// grid. Size 0: never written (or not needed), the fill value stands for it. An unfiltered chunk's segment holds only
/// the rows that the block takes from it.
struct Segments {
  base::RowRange rows;  ///< of the array's own axis 0
  u64 extent = 0;       ///< of the array's axis 0 in the file
  std::vector<u64> sizes;
  std::vector<u32> masks;  ///< filters skipped, by chunk; empty: none
};

struct PayloadHeader {
  u32 format = 0;       ///< index into RowFormat::formats
  std::string path;     ///< for messages
  base::RowRange rows;  ///< rows of the table
  /// Sparse: rows + 1 numbers from 0 on, row i has elements offsets[i] to offsets[i + 1] of the first two arrays.
  std::vector<u64> offsets;
  std::vector<Segments> arrays;
};

template <class A>
void archive(A& ar, Segments& v) {
  ar(v.rows.begin, v.rows.end, v.extent, v.sizes, v.masks);
}
template <class A>
void archive(A& ar, PayloadHeader& v) {
  ar(v.format, v.path, v.rows.begin, v.rows.end, v.offsets, v.arrays);
}

inline constexpr u32 all_filters_skipped = ~u32{0};

[[nodiscard]] constexpr u64 align_up(u64 offset) {
  return (offset + 63) / 64 * 64;
}

/// The chunks of a grid that rows touch.
struct ChunkGrid {
  /// `rows`: the dataset's extent along axis 0.
  ChunkGrid(const ArrayFormat& format, u64 rows);
  /// True if it is the grid of these.
  [[nodiscard]] bool fits(const ArrayFormat& format, u64 rows) const;
  /// Chunk rows that `range` touches.
  [[nodiscard]] base::RowRange chunk_rows(base::RowRange range) const {
    if (range.empty()) return {range.begin / chunk[0], range.begin / chunk[0]};
    return {range.begin / chunk[0], (range.end + chunk[0] - 1) / chunk[0]};
  }
  /// Coordinates of chunk `column` of chunk row `row`, in chunks.
  [[nodiscard]] std::vector<u64> coordinates(u64 row, u64 column) const;
  /// Rows of `range` that chunk row `row` holds.
  [[nodiscard]] base::RowRange rows_in(u64 row, base::RowRange range) const;
  /// True if the dataset's bounds cut chunk `column` of chunk row `row`.
  [[nodiscard]] bool on_edge(u64 row, u64 column) const;

  std::vector<u64> shape;
  std::vector<u64> chunk;
  std::vector<u64> extent;  ///< chunks along each axis
  u64 per_row = 1;          ///< chunks in one chunk row
  u64 element_bytes = 0;
  u64 row_slice_bytes = 0;  ///< bytes of one row within one chunk
  u64 chunk_bytes = 0;      ///< bytes of one decoded chunk
};

/// True if a chunk with this mask is stored as it is: then only the rows needed are read.
[[nodiscard]] bool stored_plain(const ArrayFormat& format, u32 mask);

}  // namespace h5score::storage
