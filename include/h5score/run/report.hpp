// What a run did: counted and timed per rank, merged at the root, printed as a summary and written as JSON.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/feature_sums.hpp"

#include <optional>
#include <string>
#include <vector>

namespace h5score::run {

using base::u64;

/// Wall seconds by what a rank was doing; their sum is the rank's loop time. With several lanes each phase is the mean
/// of the lanes' threads.
struct PhaseTimes {
  double fetch = 0;     ///< reading payload bytes (root; every rank with direct I/O)
  double decode = 0;    ///< inflate, unshuffle, convert
  double score = 0;     ///< model evaluation
  double transfer = 0;  ///< inside communication calls with work to do
  double write = 0;     ///< writing and syncing results and ledger
  double idle = 0;      ///< waiting for work or for others
};

struct RankReport {
  u64 rank = 0;
  std::string host;
  PhaseTimes phases;
  u64 blocks = 0;
  u64 rows = 0;
  u64 payload_bytes = 0;  ///< stored bytes that it decoded: received, or read by itself
  u64 messages = 0;       ///< point-to-point messages sent
  u64 message_bytes = 0;
  double longest_progress_gap = 0;  ///< seconds without a progress call while transfers were pending
  u64 peak_memory_bytes = 0;        ///< resident set high-water mark of the process
  u64 buffer_bytes = 0;             ///< high-water mark of payload and result buffers held by this rank
};

/// What one feature of a model looked like in the rows that were looked at.
struct FeatureReport {
  std::string name;  ///< the model's or the column's; empty: it has none
  model::FeatureSum sum;
  /// In training; nullopt: the model does not know.
  std::optional<double> mean, stddev, minimum, maximum;
  std::string warning;  ///< how that differs: "mean 24.9, training 23.1 (+4.1 sigma)"; empty: not worth a word
  double severity = 0;  ///< model::FeatureComparison
};
/// One per feature. `names` and `reference` may be empty.
std::vector<FeatureReport> report_features(const std::vector<model::FeatureSum>& sums,
                                           const std::vector<std::string>& names,
                                           const std::optional<model::FeatureReference>& reference);

/// One model of the run, as the records name it.
struct ModelReport {
  std::string name;  ///< empty for an unnamed model
  std::string path;
  std::string description;  ///< model::describe()
  std::string hash;         ///< model::model_hash()
  std::string precision;    ///< "float32", "float64"
  std::string self_test;    ///< "256 rows, max diff 3e-16 against scikit-learn 1.2.1"; empty without golden rows
  std::vector<FeatureReport> features{};  ///< empty where no rows were looked at
};

struct RunReport {
  u64 rows = 0;           ///< scored by this run
  u64 rows_total = 0;     ///< of the whole job, with those taken over from a part file; 0: the same as rows
  u64 threads = 1;        ///< per rank
  std::string isa;        ///< instruction set of the kernels
  std::string io;         ///< "scatter" or "direct", what `auto` became
  std::string io_reason;  ///< why: "one process", "every host sees the files", or what hinders direct
  std::string started;    ///< ISO 8601, UTC
  std::vector<ModelReport> models;
  u64 blocks = 0;           ///< scored by this run
  u64 resumed_blocks = 0;   ///< taken over from a part file
  double seconds = 0;       ///< whole run, from main's start
  double loop_seconds = 0;  ///< first fetch to last write
  u64 bytes_read = 0;
  u64 bytes_written = 0;
  u64 rows_flagged = 0;  ///< rows of this run with any flag in any model's /status
  u64 rows_missing = 0;  ///< with this flag; a row may have both
  u64 rows_nonfinite = 0;
  u64 feature_rows = 0;  ///< of `rows`, looked at for ModelReport::features
  bool stopped = false;  ///< ended early, resumable
  std::vector<RankReport> ranks;
};

template <class A>
void archive(A& ar, PhaseTimes& v) {
  ar(v.fetch, v.decode, v.score, v.transfer, v.write, v.idle);
}
template <class A>
void archive(A& ar, RankReport& v) {
  ar(v.rank, v.host, v.phases, v.blocks, v.rows, v.payload_bytes, v.messages, v.message_bytes, v.longest_progress_gap,
     v.peak_memory_bytes, v.buffer_bytes);
}

}  // namespace h5score::run
