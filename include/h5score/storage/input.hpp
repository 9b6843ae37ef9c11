// The input as one row space over many files, seen from the root: opened through the name node, fetched as bytes. It
// reads with its own file descriptors; HDF5 runs in the name node's process only.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/types.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/layout.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::storage {

struct InputOptions {
  std::vector<std::string> inputs{};       ///< paths and globs, in the order given; a glob is sorted naturally
  std::string dataset{};                   ///< empty: the only one that fits
  std::string features{};                  ///< "" = all; "0,3,5", "10:20", "0:4,9"
  std::string rows{};                      ///< "" = all; "A:B", "A:", ":B" (0-based, half open, over all files)
  std::vector<std::string> passthrough{};  ///< datasets of the same length, beside the features or from the root
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
};

/// Facts about one file's rows for the planning of blocks: the same words as sched::PlanSpan. Files without rows are
/// left out.
struct RowSpan {
  u64 rows = 0;
  u64 chunk_rows = 0;  ///< rows per chunk row; 0: no chunk grid
  u64 phase = 0;       ///< rows of the first chunk row that lie before the span
  double payload_bytes_per_row = 0;
  double decoded_bytes_per_row = 0;  ///< in the file's types, features and passthrough
};

/// Paths of `patterns` in order, each glob expanded and sorted naturally (run2 before run10). A path that exists is
/// taken literally even if it looks like a glob. Throws Error(no_input) naming what does not exist or match.
std::vector<std::string> expand_paths(const std::vector<std::string>& patterns);

class Input {
 public:
  /// Opens all files and maps the chunks of the selected rows. `name_node` must serve storage_functions() and outlive
  /// this. Throws Error(no_input) for missing files, Error(usage) for selections that do not fit, Error(data) else;
  /// messages name files, datasets and numbers.
  Input(h5::Sandbox& name_node, const InputOptions& options);
  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;
  ~Input();

  [[nodiscard]] u64 rows() const;
  [[nodiscard]] const std::vector<FileRecord>& files() const;
  [[nodiscard]] const RowFormat& format() const;
  [[nodiscard]] std::vector<RowSpan> spans() const;

  /// Exact size of fetch()'s payload for these rows, without I/O. The rows must lie in one file.
  [[nodiscard]] u64 payload_bound(base::RowRange rows) const;
  /// Puts these rows' payload into `payload` and resizes it: recipe and bytes as stored. The rows must lie in one file.
  /// Throws Error(io) with path and offset for failed or short reads, Error(data) where a file changed since it was
  /// opened.
  void fetch(base::RowRange rows, base::AlignedBuffer& payload, const Poll& poll = {});
  /// Throws Error(data) naming the first file whose size or modification time is not what it was.
  void check_unchanged() const;
  /// Bytes read from files so far.
  [[nodiscard]] u64 bytes_read() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::storage
