// The job behind `h5score score`: options in, score file and report out. Collective over the communicator.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"
#include "h5score/comm/communicator.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/run/report.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace h5score::run {

using base::u32;

struct ModelArgument {
  std::string name;  ///< empty: results go to the root group
  std::string path;
};

enum class MissingPolicy : base::u8 {
  mark,   ///< status_missing, no scores
  error,  ///< the first missing value ends the run
  fill,   ///< columns without a fill value take the mean of the model's training data
};
/// What a model's features that the input does not have become.
struct MissingFeatures {
  enum class Policy : base::u8 { error, mean, value };
  Policy policy = Policy::error;
  double value = 0;  ///< NaN: missing in every row
};
/// `--fill NAME=V`: NAME is a column of the source or, where no such column, a model's feature.
struct FillValue {
  std::string name;
  double value = 0;
};
enum class ProgressMode : base::u8 { automatic, bar, lines, none };
enum class PrecisionChoice : base::u8 { automatic, float32, float64 };

/// Everything `score` can be told; parsed and checked by the command line, equal on all ranks.
struct ScoreOptions {
  std::vector<ModelArgument> models;
  std::vector<std::string> inputs;  ///< paths and globs, in the order given
  std::string dataset;              ///< empty: the only one that fits
  std::string output;
  std::vector<std::string> write;  ///< subset of prediction, label, probability, decision; empty: all the model has
  std::string features;            ///< "" = all; names, differences, NEW=EXPR, numbers and ranges, between commas
  std::string feature_names;       ///< path of a list of the columns' names, or empty
  std::string rows;                ///< "" = all; "A:B"
  std::vector<std::string> passthrough;
  MissingPolicy missing = MissingPolicy::mark;
  std::vector<double> missing_values;  ///< stand for "not measured", besides NaN
  std::vector<FillValue> fills;
  MissingFeatures missing_features;
  u32 compress = 0;  ///< gzip level of the finished file; 0: not compressed
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  std::string report;  ///< path of the JSON report, or empty
  std::string view;    ///< path of a file that shows inputs beside scores, or empty
  ProgressMode progress = ProgressMode::automatic;
  double sync_interval = 30;         ///< seconds between fdatasync + ledger writes
  std::optional<double> time_limit;  ///< seconds, 0 = none; not given: what the batch system says
  double wait = 0;                   ///< seconds to wait for another run that writes the output
  std::string file_locking = "auto";
  // Tuning
  Schedule schedule = Schedule::dynamic;
  std::string io = "auto";  ///< auto | scatter | direct
  u64 threads = 0;          ///< per rank; 0: from the affinity mask and the ranks on this host
  u64 memory_per_rank = u64{1} << 30;
  u64 block_rows = 0;
  PrecisionChoice precision = PrecisionChoice::automatic;
  std::string command_line;                                   ///< as typed, for the records and for "resume with: ..."
  std::vector<std::pair<std::string, std::string>> versions;  ///< program and libraries, for the records
};

/// The functions that the name node's child process serves for a score run (input metadata, model files). To be given
/// to h5::Sandbox before MPI_Init.
std::map<std::string, h5::Sandbox::Function> name_node_functions();

/// An error that every rank throws together: the root prints it, and all end with its code; nobody has to be aborted.
class SharedError : public base::Error {
 public:
  using base::Error::Error;
};

/// Runs the job. `name_node` is non-null at rank 0 only. Prints progress and summary at rank 0. Returns the process's
/// exit code (0, or 75 at the root of a stopped run); throws SharedError where all ranks know of a failure, and any
/// other base::Error where only this rank does (the caller then aborts the communicator).
int score(comm::Communicator& comm, h5::Sandbox* name_node, const ScoreOptions& options);

}  // namespace h5score::run
