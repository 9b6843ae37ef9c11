// A compressed copy of a complete part file: the same datasets and values, the columns in gzip-compressed chunks. The
// part file stays as it is until the copy is complete, checked, synced and renamed. Every rank packs chunks, the root
// writes them.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/storage/posix_file.hpp"
#include "h5score/storage/score_file.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace h5score::storage {

/// The name of a copy until it gets the output's: `OUT.part.copy`.
std::string copy_path(const std::string& output);

/// One column of the copy, cut into chunks of whole rows.
struct CopyColumn {
  u64 column = 0;  ///< of the score file
  u64 row_bytes = 0;
  u64 chunk_rows = 0;
  u64 chunks = 0;
  u32 shuffle = 0;  ///< element size where elements are shuffled, else 0
};
template <class A>
void archive(A& ar, CopyColumn& v) {
  ar(v.column, v.row_bytes, v.chunk_rows, v.chunks, v.shuffle);
}

/// Rows per chunk: about 1 MiB, what the library caches of a dataset.
u64 rows_per_chunk(u64 rows, u64 row_bytes);

/// All chunks of a copy in one row: those of the first column, then those of the second, ...
struct CopyPlan {
  u64 rows = 0;
  std::vector<CopyColumn> columns;  ///< those that have bytes

  struct Chunk {
    const CopyColumn& column;
    u64 number = 0;  ///< in its column
    base::RowRange rows;
    [[nodiscard]] u64 bytes() const { return rows.size() * column.row_bytes; }
    /// A chunk at the end of a column is filled up.
    [[nodiscard]] u64 full_bytes() const { return column.chunk_rows * column.row_bytes; }
  };
  [[nodiscard]] u64 chunks() const;
  [[nodiscard]] Chunk chunk(u64 index) const;
};
template <class A>
void archive(A& ar, CopyPlan& v) {
  ar(v.rows, v.columns);
}
CopyPlan plan_copy(const ScoreDescription& part);

/// Compressor of one thread.
class ChunkPacker {
 public:
  explicit ChunkPacker(u32 level);  ///< 1..9
  ChunkPacker(ChunkPacker&&) noexcept;
  ChunkPacker& operator=(ChunkPacker&&) noexcept;
  ~ChunkPacker();

  /// Largest size of a packed chunk.
  [[nodiscard]] u64 bound(u64 full_bytes) const;
  /// Fills up, shuffles and deflates `raw`, the chunk's rows; gives the size of what it put into `out`, which has room
  /// for the bound.
  u64 pack(ByteView raw, const CopyPlan::Chunk& chunk, std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decoder of one thread, to check what was written.
class ChunkReader {
 public:
  ChunkReader();
  ChunkReader(ChunkReader&&) noexcept;
  ChunkReader& operator=(ChunkReader&&) noexcept;
  ~ChunkReader();

  /// CRC-32 of the rows of a stored chunk. Throws Error(data) where it cannot be decoded.
  u32 crc(ByteView stored, const CopyPlan::Chunk& chunk);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The file under its temporary name. Used by the root only.
class CompressedCopy {
 public:
  /// Makes the file, with all but the columns' values. `spec` is the part file's, whose lock the caller holds: one that
  /// a killed run left was removed when the lock was taken. Throws Error(cant_create).
  CompressedCopy(const std::string& output, const ScoreDescription& part, ScoreFileSpec spec, u32 level,
                 PosixCalls& calls = PosixCalls::system());
  CompressedCopy(const CompressedCopy&) = delete;
  CompressedCopy& operator=(const CompressedCopy&) = delete;
  /// Removes the file unless it has been renamed.
  ~CompressedCopy();

  /// Each chunk once, in any order. Throws Error(io).
  void write(const CopyPlan::Chunk& chunk, ByteView packed);
  /// All chunks are written: adds the ledger and the records of the runs as `part` has them now, and syncs. Throws
  /// Error(io).
  void close(const PosixFile& part);

  /// Where the library says that each chunk of the plan lies in the closed file. Throws Error(data) where one is not
  /// there.
  [[nodiscard]] std::vector<Extent> map(const CopyPlan& plan) const;
  /// Throws Error(internal) unless the library finds all that the part file holds, but for the columns' values.
  void check_description() const;

  [[nodiscard]] PosixFile& file();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Bytes that may be written to the folder of `path`; nothing where that is not known.
std::optional<u64> available_space(const std::string& path, PosixCalls& calls = PosixCalls::system());

}  // namespace h5score::storage
