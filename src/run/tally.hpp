// What the blocks of a run tell the root besides their scores: flagged rows, sums of features, bytes. In any order.
#pragma once

#include "h5score/run/engine.hpp"

#include "feature_sample.hpp"
#include "first_missing.hpp"
#include "result_layout.hpp"

#include <optional>
#include <vector>

namespace h5score::run {

/// Rows with a flag in any model's /status.
struct FlaggedRows {
  u64 any = 0;
  u64 missing = 0;
  u64 nonfinite = 0;
};
struct BlockFlags {
  FlaggedRows rows;
  std::optional<u64> first_missing;  ///< row of the block
};

/// Counts the flags in the results of blocks. Keeps its buffer.
class FlagCounter {
 public:
  /// `layout` must outlive the counter.
  explicit FlagCounter(const ResultLayout& layout) : layout_(layout) {}
  [[nodiscard]] BlockFlags count(base::ByteView results, u64 rows);

 private:
  const ResultLayout& layout_;
  std::vector<base::u8> flags_;  ///< of one block's rows, over all models
};

/// Names the value that is missing in a row, for `--missing error`.
class MissingFinder {
 public:
  virtual ~MissingFinder() = default;
  /// Throws Error(data) with file, row and feature; `row` is in the run's row space.
  [[noreturn]] virtual void report(u64 row) const = 0;
};

class Tally {
 public:
  /// All must outlive the tally. `todo`: the blocks that will come, ascending. `missing`: null unless a missing value
  /// ends the run; then blocks with one are not written, and the first row with one is reported.
  Tally(const FeatureStatistics& statistics, const sched::BlockPlan& plan, std::vector<u64> todo,
        const MissingFinder* missing)
      : statistics_(statistics), plan_(plan), missing_(missing), first_missing_(std::move(todo)) {}

  /// A block came, with `sums` of its features (empty where it is not sampled). False if it must not be written.
  bool add(u64 block, const BlockFlags& flags, base::ByteView sums);
  void add_written(u64 bytes) { bytes_written_ += bytes; }
  /// Bytes that a rank read for itself.
  void add_read(u64 bytes) { bytes_read_ += bytes; }
  void set_read(u64 bytes) { bytes_read_ = bytes; }

  [[nodiscard]] const FlaggedRows& flagged() const { return flagged_; }
  [[nodiscard]] u64 bytes_written() const { return bytes_written_; }
  [[nodiscard]] u64 bytes_read() const { return bytes_read_; }
  /// Sums of all models' features over the blocks, model after model; empty where none was sampled.
  [[nodiscard]] FeatureTree::Sums features() const { return features_.total(); }

 private:
  const FeatureStatistics& statistics_;
  const sched::BlockPlan& plan_;
  const MissingFinder* missing_;
  FirstMissing first_missing_;
  FlaggedRows flagged_;
  FeatureTree features_;
  u64 bytes_written_ = 0;
  u64 bytes_read_ = 0;
};

}  // namespace h5score::run
