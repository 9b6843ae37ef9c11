// The files of an input as the root knows them: facts, chunk maps and the recipe for the bytes of any rows.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/layout.hpp"

#include "byte_reader.hpp"
#include "payload.hpp"
#include "sparse_file.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace h5score::storage {

/// One dataset of one file.
struct ArraySource {
  h5::DatasetFacts facts;
  std::shared_ptr<const ByteFile> bytes;  ///< the file that holds it
  h5::ChunkMap map;                       ///< chunked: of the selected rows' chunk rows
  u64 first_chunk_row = 0;                ///< of the map
  std::vector<bool> needed;               ///< chunked: which chunks of a chunk row hold selected columns; empty: all
  std::optional<ChunkGrid> grid;          ///< chunked: made with the map
  u32 file = 0;                           ///< made by Input::bind(): index into Input::identities()
};

/// What a file with a sparse matrix has beside its arrays.
struct SparseSource {
  SparseFacts facts;
  std::vector<u32> table_columns;          ///< as FileFormat::table_columns
  std::shared_ptr<const ByteFile> matrix;  ///< the file that holds it
  std::vector<u64> offsets;                ///< made by open_matrix(): of the selected rows, and the end
};

struct InputFile {
  FileRecord record;
  u64 dataset_rows = 0;
  std::vector<ArraySource> sources;      ///< all that the file offers: the table's, then those only passed through
  u64 table_sources = 0;                 ///< how many are the table's
  std::vector<StoredColumn> columns;     ///< of the table, by its numbers, in `sources`; empty: sources[0] in order
  std::vector<u64> absent;               ///< columns of the table that the file does not have, ascending
  std::vector<StoredField> passthrough;  ///< in `sources`
  // Made by bind_file():
  u32 format = 0;                   ///< index into RowFormat::formats
  std::vector<ArraySource> arrays;  ///< in the order of the format
  std::optional<SparseSource> sparse;
  [[nodiscard]] base::RowRange rows() const { return {record.dataset_row, record.dataset_row + record.rows}; }
  /// True if array i holds a sparse matrix's elements instead of rows.
  [[nodiscard]] bool of_elements(std::size_t i) const { return sparse && i < 2; }
  /// Sparse: the elements of these of the selected rows.
  [[nodiscard]] base::RowRange elements(base::RowRange of_rows) const {
    const u64* offsets = sparse->offsets.data();
    return {offsets[of_rows.begin - record.dataset_row], offsets[of_rows.end - record.dataset_row]};
  }
  /// Rows of array i that these rows take.
  [[nodiscard]] base::RowRange rows_of(std::size_t i, base::RowRange of_rows) const {
    return of_elements(i) ? elements(of_rows) : of_rows;
  }
  /// Rows of array i that the selected rows take.
  [[nodiscard]] base::RowRange rows_of(std::size_t i) const { return rows_of(i, rows()); }
};

/// What it takes to make a payload or an assignment: its head, and what is to be brought behind it.
struct Recipe {
  struct Piece {
    u64 array = 0;
    u64 address = 0;  ///< in the array's file; served: unused
    u64 size = 0;
    u64 offset = 0;  ///< from the beginning of the head
  };
  base::Bytes head;
  std::vector<Piece> pieces;
  u64 bytes = 0;  ///< of all
};

/// For rows `rows` of the table of `file`: the payload, or the assignment with what no other process can read.
Recipe payload_recipe(const InputFile& file, const FileFormat& format, base::RowRange rows);
Recipe assignment_recipe(const InputFile& file, const FileFormat& format, base::RowRange rows);
/// The same recipes' `bytes`, without making them.
u64 payload_bytes(const InputFile& file, const FileFormat& format, base::RowRange rows);
u64 assignment_bytes(const InputFile& file, const FileFormat& format, base::RowRange rows);

/// Opens files through the name node and joins them: records, columns by name, passthrough; without --rows.
struct JoinedFiles {
  std::vector<InputFile> files;
  SourceTable table;
  std::vector<PassthroughColumn> passthrough;
  u64 rows = 0;
};
JoinedFiles join_files(h5::Sandbox& name_node, const InputOptions& options);

/// The columns that bindings need, ascending: the bound ones, or all where a total is taken over all.
std::vector<u64> needed_columns(const SourceTable& table, const std::vector<Binding>& bindings);

/// Throws Error(data) naming file and column where `file` lacks one that is bound or, but in a sparse matrix, part of a
/// total. `first`: the file that has it.
void require_bound_columns(const SourceTable& table, const InputFile& first, const InputFile& file,
                           const std::vector<Binding>& bindings);

/// Moves the sources that these columns and the passthrough columns need to `file.arrays`, and says how they lie there.
FileFormat bind_file(InputFile& file, TableKind kind, const std::vector<u64>& needed);

}  // namespace h5score::storage
