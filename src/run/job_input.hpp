// The input of a job as the engine's source of payloads, and the search for the first missing value.
#pragma once

#include "h5score/storage/input.hpp"

#include "backend.hpp"
#include "job_output.hpp"

namespace h5score::run {

class InputSource final : public BlockSource {
 public:
  /// Both must outlive the source.
  InputSource(storage::Input& input, const sched::BlockPlan& plan) : input_(input), plan_(plan) {}
  [[nodiscard]] u64 payload_bound(u64 block) const override { return input_.payload_bound(plan_.range(block)); }
  void fetch(u64 block, base::AlignedBuffer& payload, const Poll& poll) override {
    input_.fetch(plan_.range(block), payload, poll);
  }

 private:
  storage::Input& input_;
  const sched::BlockPlan& plan_;
};

/// Fetches the one row again to find which feature of which model it lacks.
class InputMissingFinder final : public MissingFinder {
 public:
  /// All must outlive the finder.
  InputMissingFinder(PreparedJob& job, const Backend& backend) : job_(job), backend_(backend) {}
  [[noreturn]] void report(u64 row) const override;

 private:
  [[nodiscard]] std::string missing_feature(u64 row) const;
  PreparedJob& job_;
  const Backend& backend_;
};

/// The features of one binding for rows of one file, row-major, as a model of this precision gets them.
std::vector<double> read_rows(storage::Input& input, u64 binding, model::Precision precision, base::RowRange rows);

/// The file that a row of the run's row space lies in.
const storage::FileRecord& file_of(const storage::Input& input, u64 row);

}  // namespace h5score::run
