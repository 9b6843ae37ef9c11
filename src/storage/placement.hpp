// Where the elements of a chunk go in a block of whole rows.
#pragma once

#include "h5score/storage/layout.hpp"

#include "payload.hpp"

namespace h5score::storage {

/// The part of one chunk that a block of rows takes.
struct ChunkPart {
  std::vector<u64> coordinates;  ///< of the chunk, in chunks
  base::RowRange rows;           ///< rows of the dataset
};

/// True if a chunk row is one chunk whose rows are whole rows of the dataset.
[[nodiscard]] bool whole_rows(const ChunkGrid& grid);

/// Copies the part's elements to `block`, whose first row is row `first_row` of the dataset. `chunk` points to the
/// chunk's stored row part.rows.begin.
void place(const ChunkGrid& grid, const ChunkPart& part, const std::byte* chunk, u64 element_size, std::byte* block,
           u64 first_row);

/// The same with one value for all elements.
void place_fill(const ChunkGrid& grid, const ChunkPart& part, base::ByteView fill, std::byte* block, u64 first_row);

/// `count` copies of `element` from `out` on.
void fill_elements(base::ByteView element, u64 count, std::byte* out);

}  // namespace h5score::storage
