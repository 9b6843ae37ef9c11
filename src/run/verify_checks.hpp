// What `verify` looks at before it scores: whether this is the job that wrote the file, and the CRCs of its blocks.
#pragma once

#include "h5score/run/verify_job.hpp"
#include "h5score/sched/plan.hpp"
#include "h5score/storage/score_file.hpp"
#include "h5score/storage/stored_rows.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// The options that made the file, with models and inputs where they are now. Throws Error(data) where the file does
/// not record them, Error(no_input) where a model or an input is gone, Error(usage) where a named model is none of its.
ScoreOptions recorded_options(const storage::ScoreDescription& scores, const VerifyOptions& options);

/// Throws Error(data) unless `spec` describes what the file holds: the same models and inputs by content, the same
/// options, columns, labels and stretches of rows, and blocks that lie in one input each.
void require_same_job(const storage::ScoreDescription& scores, const storage::ScoreFileSpec& spec);

/// Blocks of the ledger.
struct LedgerState {
  std::vector<u64> claimed;
  std::vector<u64> unclaimed;  ///< entry 0
  std::vector<u64> invalid;    ///< entries that no run writes
};
LedgerState state_of(const storage::ScoreDescription& scores);

/// Those of `blocks` whose stored bytes have another CRC than the ledger says; reads all of them.
std::vector<u64> wrong_crcs(const storage::ScoreDescription& scores, const storage::StoredRows& stored,
                            const std::vector<u64>& blocks, u64 threads);

/// `count` of `blocks`, spread evenly, the first and the last among them.
std::vector<u64> sample_of(const std::vector<u64>& blocks, u64 count);

}  // namespace h5score::run
