// What `--dry-run` tells: how sources feed features, five really scored rows, and what the run would write and need.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/run/report.hpp"
#include "h5score/run/text.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// One line of the binding table: `feature <- source, type, first value`.
struct DryRunFeature {
  std::string feature;     ///< the model's name for it, or its number where the model has no names
  std::string source;      ///< "/images[:, 3, 7]", "/table.z_mag", "/photometry/mag_g - mag_r", "the constant 0", ...
  std::string type;        ///< as stored: "uint8", ">f4"
  double first_value = 0;  ///< in the first row of the run
};

/// One result of one model for the sample rows.
struct DryRunColumn {
  std::string name;                      ///< "prediction", "label", "probability", "decision", "status"
  u64 width = 1;                         ///< values per row
  std::vector<double> values;            ///< sample rows x width; labels as codes, -1 = missing
  std::vector<std::string> value_names;  ///< codes: text of each code; else empty or one name per value
  bool codes = false;                    ///< values are codes into value_names (labels but those of multi-label models)
};

struct DryRunModel {
  std::string name;  ///< empty for an unnamed model
  std::string path;
  std::string description;         ///< model::describe()
  std::string self_test;           ///< "256 rows, max diff 3e-16 against scikit-learn 1.2.1"; empty without golden rows
  std::string matching;            ///< "12 features by name from /photometry, 2 of them differences"
  std::vector<std::string> notes;  ///< what else a person should know of the binding
  std::vector<DryRunFeature> binding;
  std::vector<DryRunColumn> columns;
  std::vector<FeatureReport> features{};  ///< of DryRun::feature_rows rows
};

struct DryRunInput {
  std::string path;
  std::string dataset;
  std::string description;  ///< "70000 x 28 x 28 uint8, chunks 100 x 28 x 28, gzip"
  u64 rows = 0;
};

/// One dataset of the score file.
struct DryRunOutput {
  std::string path;   ///< "/label"
  std::string shape;  ///< "70000" or "70000 x 10"
  std::string type;   ///< "int32"
  u64 bytes = 0;
};

struct DryRun {
  std::vector<DryRunInput> inputs;
  std::vector<std::string> notes{};  ///< what is done to the inputs' columns, whichever model reads them
  std::vector<DryRunModel> models;
  std::vector<u64> sample_rows;  ///< numbers of the scored sample rows in the run's row space (the first five)
  u64 feature_rows = 0;          ///< looked at for DryRunModel::features
  u64 rows = 0;
  u64 bytes_to_read = 0;  ///< stored (compressed) bytes of the bound rows
  std::string output;     ///< path of the score file
  std::vector<DryRunOutput> datasets;
  u64 output_bytes = 0;  ///< the whole file
  u64 free_bytes = 0;    ///< on the output's file system; 0 = unknown
  u64 blocks = 0;
  u64 resumed_blocks = 0;
  u64 least_block_rows = 0;
  u64 most_block_rows = 0;
  u64 ranks = 1;
  u64 threads = 1;  ///< per rank
  std::string schedule;
  std::string io;           ///< "scatter" or "direct"
  std::string io_reason{};  ///< why
  std::string precision;
  u64 memory_per_rank = 0;  ///< planned bytes on the fullest rank: model, payloads, results
  u64 memory_limit = 0;     ///< --memory-per-rank
};

/// The whole page as text, at most `style.width` columns wide; many features or classes are abbreviated in the middle.
std::string format_dry_run(const DryRun& plan, const TextStyle& style);
/// Prints it on standard output.
void print_dry_run(const DryRun& plan);

}  // namespace h5score::run
