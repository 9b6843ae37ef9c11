// The score file: everything is allocated first, HDF5 closes the metadata, and from then on only raw bytes change. So a
// kill at any moment leaves a readable part file and a ledger that claims no block whose results are not safely on
// disk. The protocol is described in docs/score-file.md. Used by the root only.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/posix_file.hpp"
#include "h5score/storage/score_description.hpp"
#include "h5score/storage/score_writer.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace h5score::storage {

/// What a new score file is to hold.
struct ScoreFileSpec {
  u64 rows = 0;
  /// The results of a block are one byte string: column after column, each rows(block) x row_bytes().
  std::vector<ScoreColumn> columns;
  std::vector<u64> boundaries{0};  ///< ascending from 0 to rows; {0} where there are no rows
  std::vector<LabelTable> tables;
  std::vector<InputRecord> inputs;
  std::string identity;  ///< JSON: all that a resumed run must agree with
  std::string features;  ///< JSON: how the models' features were made, for `inspect --row`
  std::string options;   ///< JSON: what was asked for, for `verify` and for resuming
  u32 gzip = 0;  ///< level of the columns' compression; 0: none, as it must be where results are written in place
};

enum class FileLocking : base::u8 {
  automatic,  ///< lock; where the file system cannot, warn
  on,         ///< lock; where the file system cannot, fail
  off,
};

/// Another run writes the output: an Error(cant_create) that may be gone after a while.
class OutputBusy : public base::Error {
 public:
  using base::Error::Error;
};

struct ScoreFileOptions {
  bool overwrite = false;     ///< replace an existing OUT (when complete) and drop an existing OUT.part
  double sync_interval = 30;  ///< seconds from one sync of the data to the next
  FileLocking locking = FileLocking::automatic;
  std::function<void(const std::string&)> warn;  ///< told what a person should know; may be empty
  /// Reads an existing part file, which may be damaged: best through the sandbox. Empty: read_scores().
  std::function<ScoreDescription(const std::string& path)> read_part;
  PosixCalls* calls = nullptr;  ///< a test's double; null: the system
};

/// The part file's name while a run writes, and the final name's: `OUT.part`.
std::string part_path(const std::string& output);

/// True if OUT.part, which holds what a complete OUT holds, could be removed: a run was killed after its compressed
/// copy took the name OUT. False where a run writes it, or it is no longer the file that `part` describes.
bool remove_finished_part(const std::string& output, const ScoreDescription& part,
                          PosixCalls& calls = PosixCalls::system());

class ScoreFile {
 public:
  /// Makes OUT.part, allocated and locked, ready for write(). Nothing exists under a final name until finish().
  /// Throws Error(cant_create): OUT or OUT.part exists without `overwrite`, the folder is missing, read-only or not
  /// writable, the disk is too full, or two columns want one path; OutputBusy: another run writes this output.
  static ScoreFile create(const std::string& output, const ScoreFileSpec& spec, const RunFacts& run,
                          const ScoreFileOptions& options);

  /// Continues the part file that `part` describes (from read_scores(part_path(output)), best through the sandbox):
  /// locks it, compares the identity, re-reads every block that the ledger claims and forgets those whose CRC is wrong.
  /// Throws Error(usage) where the identity differs, OutputBusy where another run writes it, Error(cant_create) where
  /// OUT exists without `overwrite`, Error(data) where the file is not the one described, Error(io).
  static ScoreFile resume(const std::string& output, const ScoreDescription& part, const std::string& identity,
                          const RunFacts& run, const ScoreFileOptions& options);

  ScoreFile(ScoreFile&&) noexcept;
  ScoreFile& operator=(ScoreFile&&) noexcept;
  /// Leaves the part file as it is: blocks that no ledger entry claims yet are redone by the next run.
  ~ScoreFile();

  [[nodiscard]] const std::vector<u64>& boundaries() const;
  /// Blocks still to be written, ascending.
  [[nodiscard]] std::vector<u64> todo() const;
  [[nodiscard]] u64 result_bytes(u64 block) const;
  /// Blocks of a resumed file whose stored results failed their CRC, now part of todo().
  [[nodiscard]] u64 blocks_rejected() const;

  // From here on Error(cant_create) is thrown, too, where another run has taken the file over.

  /// Writes one block's results; each block once, in any order. Every sync_interval seconds the data is synced by a
  /// helper thread and the ledger then claims those blocks. `crc` is base::crc32 of `results`, taken on trust: check it
  /// where the results crossed a network. Throws Error(io) with path and offset; a failed sync is reported by the next
  /// call and is final.
  void write(u64 block, ByteView results, u32 crc, const Poll& poll = {});

  // `--io direct`: ranks write their results themselves (ScoreWriter).
  /// Where they go. Valid as long as the file is written.
  [[nodiscard]] ScorePlaces places() const;
  /// Writes what a ScoreWriter left to the root. Throws Error(internal) where that is no part of the results.
  void write_rest(u64 offset, ByteView bytes, const Poll& poll = {});
  /// Books a block whose results are all in the file, where this host's next sync makes them durable, or durable
  /// already. Each block once, like write().
  void written(u64 block, u32 crc);

  /// Stops early: everything written so far is synced and claimed, the run's end noted; OUT.part stays.
  void suspend();

  /// Takes back what this run claims: its results are of no use. Those of earlier runs stay claimed; nothing can be
  /// written any more. Throws Error(io).
  void disown();

  /// All blocks are written: syncs, reads the ledger back and notes the run's end. OUT.part is complete then. Throws
  /// Error(internal) if a block is missing, Error(io).
  void seal();
  /// After seal(): renames a complete and synced copy of OUT.part to OUT, and removes OUT.part. Throws as finish().
  void finish_as(PosixFile& copy);
  /// What the part file holds; its ledger is that of the file.
  [[nodiscard]] const ScoreDescription& description() const;
  [[nodiscard]] const PosixFile& file() const;

  /// seal(), if that is still to do, and renames OUT.part to OUT. Throws Error(cant_create) if OUT appeared meanwhile
  /// and may not be replaced (the complete scores then are in OUT.part), Error(io).
  void finish();

 private:
  class Impl;
  explicit ScoreFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::storage
