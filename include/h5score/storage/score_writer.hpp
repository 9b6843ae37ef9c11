// `--io direct`: a rank writes the results of its own blocks at the places that the root allocated.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/storage/posix_file.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::storage {

/// Where results lie in the part file. Flat: the root broadcasts it (ScoreFile::places()).
struct ScorePlaces {
  std::string path;  ///< of the part file, absolute
  u64 rows = 0;
  u64 mark_offset = 0;  ///< of this run's own record, which no other file has: how a rank knows the right file
  base::Bytes mark;
  std::vector<u64> offsets;    ///< by column, in the order of results
  std::vector<u64> row_bytes;  ///< the same
};
template <class A>
void archive(A& ar, ScorePlaces& v) {
  ar(v.path, v.rows, v.mark_offset, v.mark, v.offsets, v.row_bytes);
}

/// Which bytes of its results a rank writes itself.
enum class Ownership : base::u8 {
  all,    ///< the rank is on the root's host: one page cache, which the root's sync makes durable
  pages,  ///< whole 4 KiB pages; ranks of different hosts never write the same page, the root gets the rest
  none,   ///< everything goes to the root (NFS, or a file system that this host does not see)
};

/// What is right for a rank: `none` where the file system of `part_path` does not promise that hosts see and keep each
/// other's writes (NFS, FUSE, anything unknown) or is not there; else `all` on the root's host and `pages` elsewhere.
[[nodiscard]] Ownership choose_ownership(const std::string& part_path, bool on_root_host, PosixCalls* calls = nullptr);

/// Why this host cannot write to the root's part file (it is missing, forbidden, or another file), as a ScoreWriter
/// would throw it; empty where it can.
[[nodiscard]] std::string direct_write_problem(const ScorePlaces& places, const std::string& host,
                                               PosixCalls* calls = nullptr);

/// Thread-safe: one for all threads of a rank.
class ScoreWriter {
 public:
  /// Opens the part file unless `ownership` is none. Throws Error(cant_create) naming `host` where it is missing there
  /// or is not the root's file.
  ScoreWriter(const ScorePlaces& places, Ownership ownership, double sync_interval, const std::string& host,
              PosixCalls* calls = nullptr);
  ~ScoreWriter();
  ScoreWriter(const ScoreWriter&) = delete;
  ScoreWriter& operator=(const ScoreWriter&) = delete;

  /// Bytes that the root has to write.
  struct Rest {
    u64 offset = 0;  ///< in the file
    base::ByteView bytes;
  };
  /// Writes the results of `rows` (columns one after another, like ScoreFile::write()) and appends to `rest` what is
  /// the root's, as views into `results`. Returns the number of this write, counted from 0 in the order of completion.
  /// Throws Error(io), which is final: every later call fails too. With Ownership::pages a helper thread syncs every
  /// sync_interval seconds; its failure is thrown by the next call and is final.
  u64 write(base::RowRange rows, ByteView results, std::vector<Rest>& rest, const Poll& poll = {});
  /// All writes below this number are on disk (pages), or need no more than the root's own sync (all, none): the root
  /// may book them.
  [[nodiscard]] u64 synced() const;
  /// Makes synced() all that was written. Throws Error(io).
  void sync();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::storage
