// The order of a verification: read what the file says of itself, prepare the same job, check the CRCs, score blocks
// again through the engine of a run, and tell what differs.
#include "h5score/run/verify_job.hpp"

#include "h5score/base/row_ranges.hpp"
#include "h5score/base/thread_pool.hpp"
#include "h5score/run/progress.hpp"

#include "differing_rows.hpp"
#include "job_input.hpp"
#include "job_lanes.hpp"
#include "job_loop.hpp"
#include "job_output.hpp"
#include "job_parts.hpp"
#include "verify_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 most_damaged = 1000;  // blocks with a wrong CRC that are scored again to tell which rows differ

/// Compares what was scored again with what is stored.
class CompareSink final : public BlockSink {
 public:
  CompareSink(const storage::StoredRows& stored, const sched::BlockPlan& plan, const FeatureStatistics& statistics,
              const std::vector<storage::ScoreColumn>& columns)
      : stored_(stored), plan_(plan), statistics_(statistics), columns_(columns), differing_(columns) {}

  void write(u64 block, base::ByteView results, base::u32 /*crc*/, const Poll& poll) override {
    results = results.first(results.size() - statistics_.bytes(block));
    const auto rows = plan_.range(block);
    for (u64 column = 0; column < columns_.size(); ++column) {
      const auto computed = results.first(rows.size() * columns_[column].row_bytes());
      stored_.read(column, rows, buffer_, poll);
      differing_.compare(column, rows.begin, buffer_.view(), computed);
      results = results.subspan(computed.size());
    }
  }
  [[nodiscard]] const DifferingRows& differing() const { return differing_; }

 private:
  const storage::StoredRows& stored_;
  const sched::BlockPlan& plan_;
  const FeatureStatistics& statistics_;
  const std::vector<storage::ScoreColumn>& columns_;
  base::AlignedBuffer buffer_;
  DifferingRows differing_;
};

class VerifyRun {
 public:
  VerifyRun(comm::Communicator& comm, h5::Sandbox* name_node, const VerifyOptions& options)
      : comm_(comm), name_node_(name_node), options_(options) {}

  int run() {
    prepare();
    const FeatureStatistics statistics = statistics_of(setup_, backend_, plan_);
    EngineOptions engine;
    engine.memory_per_rank = options_.memory_per_rank;
    const LoopParts parts{comm_, setup_, backend_, layout_, statistics, plan_, lanes_, engine};
    if (!comm_.root()) {
      run_payloads(parts, nullptr, nullptr, nullptr);
      root_step(comm_, [] { return base::Bytes{}; });
      return 0;
    }
    Progress progress(options_.progress, rows_of(todo_));
    engine.on_progress = [&](u64 /*blocks*/, u64 rows) { progress.update(rows, job_.input->bytes_read()); };
    InputSource source(*job_.input, plan_);
    CompareSink sink(*stored_, plan_, statistics, scores_.columns);
    run_payloads(parts, &todo_, &source, &sink);
    progress.finish();
    root_step(comm_, [&] {
      job_.input->check_unchanged();
      conclude(sink.differing());
      return base::Bytes{};
    });
    return 0;
  }

 private:
  void prepare() {
    receive(root_step(comm_, [&] { return open(); }), score_.precision, score_.write, setup_);
    const Hosts hosts = find_hosts(comm_);
    threads_ = options_.threads != 0 ? options_.threads : base::default_threads(hosts.ranks_on_host(comm_.rank()));
    std::vector<model::Model> models;
    for (const auto& m : setup_.models) models.push_back(m.model);
    backend_ = agree_on_backend(comm_, models, forced_precision(score_.precision));
    layout_ = layout_of(setup_, backend_, score_.write);
    u64 blocks = 0;
    u64 bytes_of_lane = 0;
    receive(root_step(comm_, [&] { return choose_blocks(); }), plan_.boundaries, blocks, bytes_of_lane);
    lanes_ = plan_lanes({.threads = threads_,
                         .ranks = comm_.size(),
                         .blocks = blocks,
                         .lane_bytes = bytes_of_lane,
                         .memory = options_.memory_per_rank});
  }

  // At the root: the file, and the job that wrote it.
  base::Bytes open() {
    if (name_node_ == nullptr)
      throw Error(ExitCode::internal, "rank 0 has no name node", "the launcher and MPI number the ranks differently");
    scores_ = base::from_bytes<storage::ScoreDescription>(
        name_node_->call("read_scores", base::to_bytes(options_.scores), options_.scores));
    stored_.emplace(*name_node_, scores_);
    score_ = recorded_options(scores_, options_);
    job_ = prepare_job(*name_node_, score_);
    return send(score_.precision, score_.write, job_.setup);
  }

  // At the root: whether it is the same job, the CRCs, and which blocks to score again.
  base::Bytes choose_blocks() {
    plan_ = {.boundaries = scores_.boundaries, .groups = {}};
    require_same_job(scores_, describe_output(job_, backend_, layout_, plan_, score_));
    ledger_ = state_of(scores_);
    damaged_ = wrong_crcs(scores_, *stored_, ledger_.claimed, threads_);
    todo_ = options_.all ? ledger_.claimed : sample_of(ledger_.claimed, options_.sample);
    todo_.insert(todo_.end(), damaged_.begin(),
                 damaged_.begin() + std::min<std::ptrdiff_t>(most_damaged, std::ssize(damaged_)));
    std::sort(todo_.begin(), todo_.end());
    todo_.erase(std::unique(todo_.begin(), todo_.end()), todo_.end());
    return send(plan_.boundaries, u64{todo_.size()}, lane_bytes(*job_.input, plan_, layout_, IoMode::scatter));
  }

  [[nodiscard]] u64 rows_of(const std::vector<u64>& blocks) const {
    u64 rows = 0;
    for (const u64 block : blocks) rows += plan_.range(block).size();
    return rows;
  }

  [[nodiscard]] std::string stretches(const std::vector<u64>& blocks) const {
    std::vector<base::RowRange> ranges;
    for (const u64 block : blocks) ranges.push_back(plan_.range(block));
    return base::ranges_text(base::joined(std::move(ranges)), 8);
  }

  // Prints what was found; throws Error(data) where that is not all right.
  void conclude(const DifferingRows& differing) const {
    const bool part = options_.scores.ends_with(storage::part_path(""));
    std::string text = differing.text();
    const auto tell = [&](const std::vector<u64>& blocks, const char* what) {
      if (!blocks.empty())
        text += fmt::format("  {} block{} {}: rows {}\n", base::format_count(blocks.size()),
                            blocks.size() == 1 ? "" : "s", what, stretches(blocks));
    };
    tell(damaged_, "with bytes that do not fit the CRC in the ledger");
    tell(ledger_.invalid, "with a damaged entry in the ledger");
    if (!part) tell(ledger_.unclaimed, "that the ledger does not claim");
    const std::string counts =
        fmt::format("{} of {} blocks have the CRC of the ledger, {} of {} rows scored again",
                    base::format_count(ledger_.claimed.size() - damaged_.size()), base::format_count(scores_.blocks()),
                    base::format_count(rows_of(todo_)), base::format_count(plan_.rows()));
    if (text.empty()) {
      fmt::print("{}: verified: {}, all bytes equal\n", options_.scores, counts);
      return;
    }
    fmt::print("{}: {}\n{}", options_.scores, counts, text);
    std::fflush(stdout);
    throw Error(ExitCode::data, options_.scores + ": is not what its models give for its inputs", problem(differing),
                remedy(part));
  }

  [[nodiscard]] std::string problem(const DifferingRows& differing) const {
    const u64 rows = differing.rows();
    if (rows == 0) return "the ledger does not fit the file";
    return fmt::format("{} row{} differ{}", base::format_count(rows), rows == 1 ? "" : "s", rows == 1 ? "s" : "");
  }

  // What fails its CRC is done again by --resume.
  [[nodiscard]] std::string remedy(bool part) const {
    const bool mended = !damaged_.empty() || !ledger_.invalid.empty() || !ledger_.unclaimed.empty();
    if (mended && part) return "its run with --resume scores the damaged blocks again";
    if (mended && stored_->in_place())
      return "rename it to end in .part and run its command with --resume, which scores the damaged blocks again";
    return "score again with --overwrite";
  }

  comm::Communicator& comm_;
  h5::Sandbox* name_node_;
  const VerifyOptions& options_;
  storage::ScoreDescription scores_;  ///< root only, like stored_, job_, ledger_, damaged_ and todo_
  std::optional<storage::StoredRows> stored_;
  PreparedJob job_;
  LedgerState ledger_;
  std::vector<u64> damaged_;
  std::vector<u64> todo_;
  ScoreOptions score_;  ///< elsewhere only what decides the results
  JobSetup setup_;
  Backend backend_;
  ResultLayout layout_;
  sched::BlockPlan plan_;
  u64 threads_ = 1;
  std::vector<u64> lanes_;
};

}  // namespace

int verify(comm::Communicator& comm, h5::Sandbox* name_node, const VerifyOptions& options) {
  return VerifyRun(comm, name_node, options).run();
}

}  // namespace h5score::run
