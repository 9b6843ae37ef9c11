// A block as it was assigned: which pieces it is read in, and what the rows of one piece take.
#pragma once

#include "assignment.hpp"

#include <functional>
#include <optional>
#include <vector>

namespace h5score::storage {

class AssignedBlock {
 public:
  /// `bytes` must stay in place. Throws Error(internal) where they are not an assignment of this run.
  void open(base::ByteView bytes, const RowFormat& run, u64 files);

  /// True if rows of the file with this number are used where the page cache has them.
  using Maps = std::function<bool(u32 file)>;
  /// To be called before piece_end().
  void choose_size(const RowFormat& run, const Maps& maps);
  /// Whether the block's pieces had better be mapped.
  [[nodiscard]] bool maps() const { return maps_; }

  [[nodiscard]] u64 rows() const { return whole_.header.rows.size(); }

  /// Where the piece ends that begins at row `begin` of the block: at a multiple of 256 rows, or with the block.
  [[nodiscard]] u64 piece_end(u64 begin) const;

  /// True if the chunks of an array's chunk row are still decoded, as Decoder::keeps() tells.
  using Keeps = std::function<bool(const PayloadHeader& header, u64 array, u64 chunk_row)>;
  /// The address of segments that need not be read.
  static constexpr u64 kept = ~u64{0};

  /// The assignment of rows `rows` of the block. Reuses what `part` holds.
  void cut(base::RowRange rows, Assignment& part, const Keeps& keeps) const;

  /// A segment that the assignment holds itself.
  [[nodiscard]] base::ByteView enclosed(u64 address, u64 size) const;

 private:
  void check(const RowFormat& run, u64 files);
  [[nodiscard]] u64 sparse_end(u64 begin) const;
  void cut_array(std::size_t i, base::RowRange rows, Assignment& part, const Keeps& keeps) const;
  void cut_chunks(std::size_t i, base::RowRange rows, Assignment& part, bool first_kept) const;

  base::ByteView bytes_;
  Assignment whole_;
  const FileFormat* format_ = nullptr;
  std::vector<std::optional<ChunkGrid>> grids_;  // of each array
  bool maps_ = false;
  u64 most_bytes_ = 0;     // of a piece, decoded
  u64 row_bytes_ = 0;      // decoded
  u64 element_bytes_ = 0;  // the same of an element of a sparse table
  u64 chunk_rows_ = 0;     // 0, or pieces better end where chunks of so many rows do
};

}  // namespace h5score::storage
