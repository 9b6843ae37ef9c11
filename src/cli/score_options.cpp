// The options of `score`: their table, and how text becomes run::ScoreOptions.
#include "h5score/base/error.hpp"
#include "h5score/run/score_job.hpp"

#include "command.hpp"
#include "values.hpp"

#include <fmt/format.h>

#include <array>

namespace h5score::cli {
namespace {

using base::Error;
using base::ExitCode;
using enum OptionKind;

constexpr const char* examples =
    R"(Examples:
  See what would happen (nothing is written), then score on one machine:
    h5score score --model model.h5 --input data.h5 --output scores.h5 --dry-run
    h5score score --model model.h5 --input data.h5 --output scores.h5
  On a cluster, many files as one table, two models in one pass over the data:
    srun h5score score --model z=photoz.h5 star=stars.h5 \
         --input 'tract_*.h5' --output scores.h5
  Go on after a wall-time limit or a kill: the same command and --resume.

Exit codes: 0 done, 64 wrong usage, 65 bad data or model, 66 input missing,
  70 internal error, 73 output cannot be created, 74 I/O error,
  75 stopped early and resumable.
)";

std::vector<OptionSpec> option_table() {
  return {
      {"model", 0, list, "[NAME=]FILE",
       "model file: native HDF5, ONNX, Keras or LIBSVM (docs/models.md). With a name the "
       "results go to the group /NAME of the score file; several models need names"},
      {"input", 0, list, "FILE|GLOB",
       "HDF5 files to score, as one table in the order given; a quoted glob is sorted "
       "naturally (run2 before run10)"},
      {"input-list", 0, value, "FILE",
       "a text file that names more of them, one a line, read after those of --input; # "
       "begins a comment line"},
      {"dataset", 0, value, "/PATH",
       "the array of rows inside the files, or the group of columns, table or matrix; may be left out where only one "
       "fits"},
      {"output", 'o', value, "FILE",
       "score file to write. It appears under this name when it is complete; until then "
       "it is FILE.part"},
      {"write", 0, list, "WHAT",
       "results to write: prediction, label, probability, decision (default: all that the "
       "model has)"},
      {"features", 0, value, "LIST|A:B",
       "what feeds the model, between commas: names of columns, differences (mag_g-mag_r), other names for them "
       "(NEW=COLUMN), numbers from 0, ranges (10:20). Where model and input both have names, features are found by "
       "name and only other names are needed (default: all columns)"},
      {"feature-names", 0, value, "PATH",
       "names for columns that have none: a text file with one a line, or a dataset of strings (/NAME, FILE.h5:/NAME)"},
      {"missing-features", 0, value, "HOW",
       "what a feature takes that the input does not have: error (default: the run ends), mean (of the training data) "
       "or a number"},
      {"rows", 0, value, "A:B", "score rows A to B-1 only, counted from 0 over all files"},
      {"passthrough", 0, list, "NAME", "datasets of the same length to copy into the score file, such as identifiers"},
      {"missing", 0, value, "HOW",
       "rows with missing values (NaN) that the model does not handle itself: mark them in /status and go on "
       "(default), error: stop and name the first, or fill: by --fill, else by the mean of the training data"},
      {"missing-value", 0, list, "V", "values that mean missing, besides NaN: 99 or -9999,-99"},
      {"fill", 0, list, "NAME=V",
       "the value that a column's missing values take (a feature's, where no column has the name)"},
      {"compress", 0, value, "gzip:N",
       "compress the finished file with gzip, N from 1 (fast) to 9 (small): a checked copy takes its name. Until then "
       "both need space"},
      {"resume", 0, flag, "", "go on with FILE.part of an earlier run that was stopped; any number of ranks"},
      {"overwrite", 0, flag, "", "replace an existing score file (only once the new one is complete)"},
      {"dry-run", 0, flag, "", "show what feeds which feature, score five rows, tell size and memory; write nothing"},
      {"time-limit", 0, value, "TIME",
       "stop early after this time, resumable: 90m, HH:MM:SS or D-HH:MM:SS; 0: never (also on the signals USR1, TERM "
       "and "
       "INT; default: two minutes before the job's end where Slurm tells it)"},
      {"wait", 0, value, "TIME", "where another run writes the output: wait so long for its end (default: not at all)"},
      {"report", 0, value, "FILE", "write times, bytes and facts of the run as JSON (docs/report.md)"},
      {"view", 0, value, "FILE",
       "write a small HDF5 file that shows the input's columns beside the scores without copying them (virtual "
       "datasets)"},
      {"progress", 0, value, "HOW", "auto, bar, lines or none (default auto: a bar on a terminal, else lines)"},
      {"config", 0, value, "FILE",
       "read options from lines 'name = value'; the command line wins. Repeat a line for "
       "several values; # begins a comment"},
      {"help", 'h', flag, "", "print this page"},
      {"schedule", 0, value, "HOW", "how blocks are handed to ranks: dynamic (default), guided or static", true},
      {"io", 0, value, "HOW",
       "who reads and writes: direct, every rank for itself, scatter, rank 0 for all, or auto (default): direct where "
       "every host sees the files",
       true},
      {"threads", 0, value, "N", "threads per rank (default: the cores that the launcher gave it)", true},
      {"memory-per-rank", 0, value, "SIZE", "limit of buffers on each rank (default 1G)", true},
      {"block-rows", 0, value, "N", "rows per block (default: from chunks, bytes and the model's cost)", true},
      {"precision", 0, value, "TYPE",
       "auto (default: what the model declares), float32 or float64; another than the "
       "model's own does change scores",
       true},
      {"sync-interval", 0, value, "SECONDS",
       "how much work a kill may cost: results are made safe this often (default "
       "30)",
       true},
      {"file-locking", 0, value, "HOW", "lock the output against a second run: auto (default), on or off", true},
  };
}

template <class T, std::size_t N>
T choice(const Options& options, const std::string& name, const std::array<std::string, N>& names,
         const std::array<T, N>& meanings, T otherwise) {
  if (!options.given(name)) return otherwise;
  return meanings[parse_choice(name, options.value(name), names)];
}

void require(const Options& options, const std::string& name, const std::string& example) {
  if (!options.given(name) || options.value(name).empty())
    throw Error(ExitCode::usage, fmt::format("--{} is missing", name), {},
                fmt::format("say for example --{} {}, or see h5score score --help", name, example));
}

void read_tuning(const Options& options, run::ScoreOptions& score) {
  using run::PrecisionChoice;
  using run::Schedule;
  score.schedule = choice<Schedule, 3>(options, "schedule", {"static", "dynamic", "guided"},
                                       {Schedule::static_, Schedule::dynamic, Schedule::guided}, score.schedule);
  score.io =
      choice<std::string, 3>(options, "io", {"auto", "scatter", "direct"}, {"auto", "scatter", "direct"}, score.io);
  if (options.given("threads")) score.threads = parse_count("threads", options.value("threads"), 1);
  if (options.given("memory-per-rank"))
    score.memory_per_rank = parse_size("memory-per-rank", options.value("memory-per-rank"));
  if (options.given("block-rows")) score.block_rows = parse_count("block-rows", options.value("block-rows"), 1);
  score.precision = choice<PrecisionChoice, 3>(
      options, "precision", {"auto", "float32", "float64"},
      {PrecisionChoice::automatic, PrecisionChoice::float32, PrecisionChoice::float64}, score.precision);
  if (options.given("sync-interval"))
    score.sync_interval = parse_duration("sync-interval", options.value("sync-interval"));
  score.file_locking =
      choice<std::string, 3>(options, "file-locking", {"auto", "on", "off"}, {"auto", "on", "off"}, score.file_locking);
}

void read_missing(const Options& options, run::ScoreOptions& score) {
  using run::MissingPolicy;
  score.missing =
      choice<MissingPolicy, 3>(options, "missing", {"mark", "error", "fill"},
                               {MissingPolicy::mark, MissingPolicy::error, MissingPolicy::fill}, score.missing);
  score.missing_values = parse_numbers("missing-value", options.list("missing-value"));
  score.fills = parse_fills("fill", options.list("fill"));
  if (options.given("missing-features"))
    score.missing_features = parse_missing_features("missing-features", options.value("missing-features"));
}

void check_files(const run::ScoreOptions& score) {
  std::vector<std::string> models;
  for (const auto& model : score.models) models.push_back(model.path);
  check_model_names(score.models);
  check_output("output", score.output, score.inputs, "an input");
  check_output("output", score.output, models, "a model");
  // Until the output is complete it is under these names, and a resumed run reads what it finds there.
  const std::array parts{score.output + ".part", score.output + ".part.tmp", score.output + ".part.copy"};
  for (const auto& part : parts) {
    check_output("output", part, score.inputs, "an input");
    check_output("output", part, models, "a model");
  }
  const std::array output{score.output};
  const std::array report{score.report};
  for (const auto& [option, path] : {std::pair{"report", score.report}, std::pair{"view", score.view}}) {
    if (path.empty()) continue;
    check_output(option, path, score.inputs, "an input");
    check_output(option, path, models, "a model");
    check_output(option, path, output, "the output");
    check_output(option, path, parts, "the output while it is written");
  }
  if (!score.view.empty() && !score.report.empty()) check_output("view", score.view, report, "the report");
}

}  // namespace

const CommandSpec& score_spec() {
  static const CommandSpec spec{
      "score",
      "predict",
      "score the rows of HDF5 files with trained models",
      "--model FILE --input FILE... --output FILE [options]",
      "Reads rows from HDF5 files, scores them with one or several trained models, and writes one HDF5 file with the "
      "results: row i of the results is row i of the input. Runs alone or under mpirun or srun with any number of "
      "ranks; the scores are the same bytes either way. A run that is stopped or killed goes on with --resume.",
      option_table(),
      "",
      0,
      0,
      examples};
  return spec;
}

run::ScoreOptions score_options(const Options& options) {
  require(options, "model", "model.h5");
  if (!options.given("input-list")) require(options, "input", "data.h5");
  require(options, "output", "scores.h5");
  run::ScoreOptions score;
  for (const auto& text : options.list("model")) score.models.push_back(parse_model(text));
  score.inputs = options.list("input");
  if (options.given("input-list"))
    for (auto& path : read_list("input-list", options.value("input-list"))) score.inputs.push_back(std::move(path));
  score.dataset = options.value("dataset");
  score.output = options.value("output");
  static const std::array<std::string, 4> results{"prediction", "label", "probability", "decision"};
  score.write = split_commas(options.list("write"));
  for (const auto& word : score.write) parse_choice("write", word, results);
  score.features = options.value("features");
  score.feature_names = options.value("feature-names");
  if (options.given("rows")) score.rows = parse_range("rows", options.value("rows"));
  score.passthrough = options.list("passthrough");
  read_missing(options, score);
  if (options.given("compress")) score.compress = parse_compression(options.value("compress"));
  score.resume = options.flag("resume");
  score.overwrite = options.flag("overwrite");
  score.dry_run = options.flag("dry-run");
  if (options.given("wait")) score.wait = parse_duration("wait", options.value("wait"));
  if (options.given("time-limit")) score.time_limit = parse_duration("time-limit", options.value("time-limit"));
  score.report = options.value("report");
  score.view = options.value("view");
  if (options.given("progress")) score.progress = parse_progress(options.value("progress"));
  read_tuning(options, score);
  check_files(score);
  return score;
}

}  // namespace h5score::cli
