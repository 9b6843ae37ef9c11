// The score file of a job: its datasets, its identity, and the sink that writes blocks to it and counts flagged rows.
#pragma once

#include "h5score/run/score_job.hpp"
#include "h5score/storage/score_file.hpp"

#include "backend.hpp"
#include "job_setup.hpp"
#include "result_layout.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// Columns, label tables, inputs and identity of the score file; boundaries are the plan's.
storage::ScoreFileSpec describe_output(const PreparedJob& job, const Backend& backend, const ResultLayout& layout,
                                       const sched::BlockPlan& plan, const ScoreOptions& options);

/// This run, as the score file records it.
storage::RunFacts run_facts(const comm::Communicator& comm, const ScoreOptions& options);

/// Rows of this run with a flag in any model's /status.
struct FlaggedRows {
  u64 any = 0;
  u64 missing = 0;
  u64 nonfinite = 0;
};

/// Names the first value that is missing in a block's rows, for `--missing error`.
class MissingFinder {
 public:
  virtual ~MissingFinder() = default;
  /// Throws Error(data) with file, row and feature; `row` is in the run's row space.
  [[noreturn]] virtual void report(u64 row) const = 0;
};

class ScoreSink final : public BlockSink {
 public:
  /// `file`, `layout` and `plan` must outlive the sink. `missing`: null unless a missing value ends the run.
  ScoreSink(storage::ScoreFile& file, const ResultLayout& layout, const sched::BlockPlan& plan,
            const MissingFinder* missing)
      : file_(file), layout_(layout), plan_(plan), missing_(missing) {}

  void write(u64 block, base::ByteView results, base::u32 crc, const Poll& poll) override;
  [[nodiscard]] const FlaggedRows& flagged() const { return flagged_; }
  [[nodiscard]] u64 bytes() const { return bytes_; }

 private:
  void count_flags(u64 block, base::ByteView results);
  storage::ScoreFile& file_;
  const ResultLayout& layout_;
  const sched::BlockPlan& plan_;
  const MissingFinder* missing_;
  FlaggedRows flagged_;
  std::vector<base::u8> flags_;  ///< of one block's rows, over all models
  u64 bytes_ = 0;
};

}  // namespace h5score::run
