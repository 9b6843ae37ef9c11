// What the root does with a sparse matrix of a file: reads where rows begin, and makes rows of one that is stored by
// column. HDF5 runs in the name node.
#pragma once

#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/layout.hpp"

#include "byte_reader.hpp"
#include "sparse_file.hpp"

#include <memory>
#include <vector>

namespace h5score::storage {

/// The matrix's `indptr`: rows + 1 (by_column: columns + 1) ascending numbers from 0 to the number of elements; 8 bytes
/// each. Throws Error(data) naming file and position where they are not that.
std::vector<u64> read_offsets(h5::Sandbox& name_node, const SparseFacts& facts, const Poll& poll = {});

/// Rows made from columns: in an unlinked temporary file, which lasts as long as `bytes`.
struct TransposedRows {
  std::vector<u64> offsets;  ///< of the rows' elements, from 0
  std::shared_ptr<const ByteFile> bytes;
  u64 indices_address = 0;  ///< native 32-bit columns of the elements
  u64 values_address = 0;   ///< in SparseFacts::values.read_as
};

/// Memory that transpose() takes for elements, beside 16 bytes for each row.
inline constexpr u64 transpose_memory = u64{512} << 20;

/// The elements of rows `rows` and the columns `wanted` (empty: all) of a matrix stored by column, in order of rows,
/// within a row in order of columns. Reads `indices` once, and then indices and data once for every `memory` bytes of
/// the result; of columns that are not wanted, nothing. The file is made in the folder TMPDIR (/tmp). Throws
/// Error(data) for rows that the matrix does not have, Error(io) or Error(cant_create) where the folder is full or
/// missing.
TransposedRows transpose(h5::Sandbox& name_node, const SparseFacts& facts, const std::vector<bool>& wanted,
                         base::RowRange rows, u64 memory = transpose_memory, const Poll& poll = {});

}  // namespace h5score::storage
