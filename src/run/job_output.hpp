// The score file of a job: its datasets, its identity, and the sink that writes blocks to it.
#pragma once

#include "h5score/run/score_job.hpp"
#include "h5score/storage/score_file.hpp"
#include "h5score/storage/score_view.hpp"

#include "backend.hpp"
#include "feature_sample.hpp"
#include "job_setup.hpp"
#include "result_layout.hpp"
#include "tally.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// Throws Error(usage) where a passthrough column would have the name of a result, or two the same.
void require_free_names(const PreparedJob& job, const ResultLayout& layout);

/// Columns, label tables, inputs and identity of the score file; boundaries are the plan's.
storage::ScoreFileSpec describe_output(const PreparedJob& job, const Backend& backend, const ResultLayout& layout,
                                       const sched::BlockPlan& plan, const ScoreOptions& options);

/// The view that --view asks for, of the finished file.
storage::ViewSpec describe_view(const PreparedJob& job, const storage::ScoreFileSpec& spec,
                                const ScoreOptions& options);

/// This run, as the score file records it.
storage::RunFacts run_facts(const comm::Communicator& comm, const ScoreOptions& options);

/// `--io scatter`: writes what the ranks sent.
class ScoreSink final : public BlockSink {
 public:
  /// All must outlive the sink.
  ScoreSink(storage::ScoreFile& file, Tally& tally, const ResultLayout& layout, const FeatureStatistics& statistics,
            const sched::BlockPlan& plan)
      : file_(file), tally_(tally), statistics_(statistics), plan_(plan), flags_(layout) {}

  void write(u64 block, base::ByteView results, base::u32 crc, const Poll& poll) override;

 private:
  storage::ScoreFile& file_;
  Tally& tally_;
  const FeatureStatistics& statistics_;
  const sched::BlockPlan& plan_;
  FlagCounter flags_;
};

}  // namespace h5score::run
