// The input as one row space over many files, seen from the root: opened through the name node, fetched as bytes. It
// reads with its own file descriptors; HDF5 runs in the name node's process only.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/types.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/layout.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace h5score::storage {

struct InputOptions {
  std::vector<std::string> inputs{};       ///< paths and globs, in the order given; a glob is sorted naturally
  std::string dataset{};                   ///< empty: the only one that fits
  std::string rows{};                      ///< "" = all; "A:B", "A:", ":B" (0-based, half open, over all files)
  std::vector<std::string> passthrough{};  ///< datasets of the same length, beside the features or from the root
  /// Names for columns that have none: a text file with one per line, "/dataset" of strings in each input, or
  /// "FILE.h5:/dataset"; empty: none.
  std::string feature_names{};
};

/// One input file's share of the run's row space.
struct FileRecord {
  std::string path;     ///< as given
  std::string dataset;  ///< absolute name
  u64 first_row = 0;    ///< in the run's row space
  u64 rows = 0;         ///< taken from this file; 0 where --rows leaves the file out
  u64 dataset_row = 0;  ///< the dataset's row that first_row is
  u64 size = 0;         ///< bytes of the file
  base::i64 mtime_ns = 0;
  base::u32 names_crc = 0;  ///< of its columns' names in its own order; 0 without names
};

/// Facts about one file's rows for the planning of blocks: the same words as sched::PlanSpan. Files without rows are
/// left out.
struct RowSpan {
  u64 rows = 0;
  u64 chunk_rows = 0;  ///< rows per chunk row; 0: no chunk grid
  u64 phase = 0;       ///< rows of the first chunk row that lie before the span
  double payload_bytes_per_row = 0;
  double decoded_bytes_per_row = 0;  ///< in the file's types, bound columns and passthrough
  /// Sparse tables: rows + 1 numbers, row i has offsets[i + 1] - offsets[i] elements; as long as the Input lives.
  std::span<const u64> offsets{};
  double payload_bytes_per_element = 0;
  double decoded_bytes_per_element = 0;
  u64 chunk_elements = 0;  ///< elements in one chunk

  [[nodiscard]] double payload_bytes() const {
    const u64 elements = offsets.empty() ? 0 : offsets[rows] - offsets[0];
    return static_cast<double>(rows) * payload_bytes_per_row +
           static_cast<double>(elements) * payload_bytes_per_element;
  }
};

/// Paths of `patterns` in order, each glob expanded and sorted naturally (run2 before run10). A path that exists is
/// taken literally even if it looks like a glob. Throws Error(no_input) naming what does not exist or match.
std::vector<std::string> expand_paths(const std::vector<std::string>& patterns);

class Input {
 public:
  /// Opens and describes all files. `name_node` must serve storage_functions() and outlive this. Throws Error(no_input)
  /// for missing files, Error(usage) for selections that do not fit, Error(data) else; messages name files, datasets
  /// and numbers.
  Input(h5::Sandbox& name_node, const InputOptions& options);
  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;
  ~Input();

  [[nodiscard]] u64 rows() const;
  [[nodiscard]] const std::vector<FileRecord>& files() const;
  /// The columns that can be bound, as the first file has them.
  [[nodiscard]] const SourceTable& table() const;

  /// Says what is wanted of the columns, and maps the chunks of the selected rows that this takes. To be called once,
  /// before the functions below. Throws Error(data) for damaged files, Error(internal) for columns that do not exist.
  void bind(std::vector<Binding> bindings, Treatment treatment);

  [[nodiscard]] const RowFormat& format() const;
  [[nodiscard]] std::vector<RowSpan> spans() const;

  /// Exact size of fetch()'s payload for these rows, without I/O. The rows must lie in one file.
  [[nodiscard]] u64 payload_bound(base::RowRange rows) const;
  /// What these rows take when they are decoded, in bytes: of chunks with filters, all that they touch. The rows must
  /// lie in one file.
  [[nodiscard]] u64 decoded_bytes(base::RowRange rows) const;
  /// Puts these rows' payload into `payload` and resizes it: recipe and bytes as stored. The rows must lie in one file.
  /// Throws Error(io) with path and offset for failed or short reads, Error(data) where a file changed since it was
  /// opened.
  void fetch(base::RowRange rows, base::AlignedBuffer& payload, const Poll& poll = {});
  // `--io direct`: what a BlockReader on another rank needs instead of the payload.
  /// The files that assignments refer to, with what identifies them. Reads a little of each.
  [[nodiscard]] std::vector<FileIdentity> identities() const;
  /// Upper bound of the size of assign()'s bytes, cheap.
  [[nodiscard]] u64 assignment_bound(base::RowRange rows) const;
  /// Puts the assignment of these rows into `assignment` and resizes it: recipe, byte ranges, and the bytes themselves
  /// of what only the name node can read. The rows must lie in one file. Throws like fetch().
  void assign(base::RowRange rows, base::AlignedBuffer& assignment, const Poll& poll = {});

  /// Throws Error(data) naming the first file whose size or modification time is not what it was.
  void check_unchanged() const;
  /// Bytes read from files so far.
  [[nodiscard]] u64 bytes_read() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::storage
