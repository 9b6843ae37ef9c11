// The order of a score run: prepare at the root, agree, create the output, score all blocks, finish, report.
#include "h5score/run/score_job.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/thread_pool.hpp"
#include "h5score/run/progress.hpp"
#include "h5score/run/stop.hpp"
#include "h5score/run/summary.hpp"

#include "backend.hpp"
#include "dry_run_job.hpp"
#include "job_input.hpp"
#include "job_output.hpp"
#include "job_scorer.hpp"
#include "job_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The root's step of the preparation. If it fails, every rank throws the same SharedError, so that nobody waits.
template <class Step>
base::Bytes root_step(comm::Communicator& comm, Step step) {
  std::optional<Error> failure;
  base::Bytes payload;
  if (comm.root()) {
    try {
      payload = step();
    } catch (const Error& error) {
      failure = error;
    }
  }
  base::Bytes outcome;
  if (comm.root()) {
    base::Writer writer;
    writer(failure ? static_cast<int>(failure->code()) : 0, failure ? std::string(failure->what()) : std::string());
    outcome = writer.take();
  }
  comm.broadcast(outcome);
  base::Reader reader(outcome);
  int code = 0;
  std::string message;
  reader(code, message);
  if (code != 0) throw SharedError(static_cast<ExitCode>(code), message);
  comm.broadcast(payload);
  return payload;
}

// Threads of each rank: as asked, or the host's cores shared by its ranks.
u64 threads_of_rank(comm::Communicator& comm, u64 asked) {
  const std::string host = comm.host();
  const auto gathered = comm.gather(std::as_bytes(std::span(host.data(), host.size())));
  base::Bytes counts;
  if (comm.root()) {
    std::vector<u64> ranks_on_host;
    for (const auto& one : gathered)
      ranks_on_host.push_back(static_cast<u64>(std::count(gathered.begin(), gathered.end(), one)));
    counts = base::to_bytes(ranks_on_host);
  }
  comm.broadcast(counts);
  const auto ranks_on_host = base::from_bytes<std::vector<u64>>(counts);
  return asked != 0 ? asked : base::default_threads(ranks_on_host[comm.rank()]);
}

std::optional<model::Precision> forced_precision(PrecisionChoice choice) {
  if (choice == PrecisionChoice::float32) return model::Precision::float32;
  if (choice == PrecisionChoice::float64) return model::Precision::float64;
  return std::nullopt;
}

ResultLayout layout_of(const JobSetup& setup, const Backend& backend, const ScoreOptions& options) {
  std::vector<std::vector<model::ResultColumn>> columns;
  for (const auto& evaluator : backend.evaluators) columns.push_back(evaluator->columns());
  std::vector<PassthroughShape> passthrough;
  for (const auto& column : setup.format.passthrough)
    passthrough.push_back({column.type, column.row_bytes() / column.type.size, !column.row_shape.empty()});
  return make_result_layout(columns, options.write, passthrough);
}

// Scores the golden rows of every model: one line each. A model that does not reproduce them ends the run.
std::vector<std::string> self_tests(const JobSetup& setup, const Backend& backend) {
  std::vector<std::string> lines;
  for (u64 i = 0; i < setup.models.size(); ++i) {
    const auto& m = setup.models[i];
    const auto test = model::self_test(m.model, *backend.evaluators[i]);
    const std::string origin = m.model.origin.library.empty()
                                   ? "the original library"
                                   : fmt::format("{} {}", m.model.origin.library, m.model.origin.version);
    if (!test.passed)
      throw Error(ExitCode::data, fmt::format("{}: the self-test fails", m.path),
                  fmt::format("{} golden rows: max diff {:.1e} against {}, tolerance {:.0e}, {} labels differ",
                              test.rows, test.max_difference, origin, test.tolerance, test.label_mismatches),
                  "export the model again");
    lines.push_back(test.rows == 0
                        ? std::string()
                        : fmt::format("{} rows, max diff {:.1g} against {}", test.rows, test.max_difference, origin));
  }
  return lines;
}

void print_start(const JobSetup& setup, const std::vector<std::string>& tests, const ScoreOptions& options) {
  for (u64 i = 0; i < setup.models.size(); ++i) {
    const auto& m = setup.models[i];
    fmt::print("model {}{}: {}\n", m.name.empty() ? "" : m.name + " = ", m.path, model::describe(m.model));
    if (tests[i].empty())
      fmt::print("self-test: none, {} has no golden rows\n", m.path);
    else
      fmt::print("self-test: {}\n", tests[i]);
    const bool narrowed =
        options.precision == PrecisionChoice::float32 && m.model.precision == model::Precision::float64;
    if (narrowed) fmt::print("note: {} is a float64 model and runs in float32, as --precision asks\n", m.path);
    const bool narrow_input = options.precision != PrecisionChoice::float64 &&
                              (narrowed || m.model.precision == model::Precision::float32) &&
                              setup.format.narrows_to_float();
    if (narrow_input) fmt::print("note: {} input is rounded to float32 for {}\n", setup.format.types(), m.path);
  }
  std::fflush(stdout);
}

// The part file that --resume continues, or a new one; with it the plan, which a resumed run takes from the file.
struct Output {
  std::optional<storage::ScoreFile> file;
  sched::BlockPlan plan;
  u64 resumed_rows = 0;
};

void warn(const std::string& text) {
  std::fputs(("h5score: warning: " + text + '\n').c_str(), stderr);
}

storage::ScoreFileOptions file_options(const ScoreOptions& options) {
  storage::ScoreFileOptions file;
  file.overwrite = options.overwrite;
  file.sync_interval = options.sync_interval;
  file.locking = options.file_locking == "on"    ? storage::FileLocking::on
                 : options.file_locking == "off" ? storage::FileLocking::off
                                                 : storage::FileLocking::automatic;
  file.warn = warn;
  return file;
}

storage::ScoreDescription read_part(h5::Sandbox& name_node, const std::string& path) {
  return base::from_bytes<storage::ScoreDescription>(name_node.call("read_scores", base::to_bytes(path), path));
}

// An input may be rewritten with equal bytes, so another time alone does not forbid to go on.
void warn_of_touched(const std::vector<storage::InputRecord>& then, const std::vector<storage::InputRecord>& now) {
  for (u64 i = 0; i < std::min(then.size(), now.size()); ++i)
    if (then[i].mtime_ns != now[i].mtime_ns) {
      warn(now[i].path +
           ": has another modification time than when its scoring began; if its values changed, start anew "
           "with --overwrite");
      return;
    }
}

bool exists(const std::string& path) {
  std::error_code unreadable;  // then opening or creating it says why
  return std::filesystem::exists(path, unreadable);
}

Output open_output(comm::Communicator& comm, h5::Sandbox& name_node, const storage::ScoreFileSpec& spec,
                   sched::BlockPlan plan, const ScoreOptions& options) {
  Output output{.file = std::nullopt, .plan = std::move(plan), .resumed_rows = 0};
  const auto facts = run_facts(comm, options);
  const std::string part = storage::part_path(options.output);
  if (options.resume && exists(part)) {
    const auto description = read_part(name_node, part);
    output.file.emplace(
        storage::ScoreFile::resume(options.output, description, spec.identity, facts, file_options(options)));
    warn_of_touched(description.inputs, spec.inputs);
    // Blocks cut otherwise than the input's files and chunks suggest are still right, only slower.
    output.plan = {.boundaries = description.boundaries, .groups = {}};
    if (const u64 rejected = output.file->blocks_rejected(); rejected != 0)
      warn(fmt::format("{}: {} blocks fail their checksum and are scored again", part, rejected));
    u64 left = 0;
    for (const u64 block : output.file->todo()) left += output.plan.range(block).size();
    output.resumed_rows = output.plan.rows() - left;
    return output;
  }
  output.file.emplace(storage::ScoreFile::create(options.output, spec, facts, file_options(options)));
  return output;
}

// True where --resume finds a finished output of the same identity: nothing is left to do.
bool already_complete(h5::Sandbox& name_node, const std::string& identity, const ScoreOptions& options) {
  if (!options.resume || !exists(options.output) || exists(storage::part_path(options.output))) return false;
  const auto description = read_part(name_node, options.output);
  storage::require_same_identity(options.output, description.identity, identity);
  fmt::print("{} is complete already: {} rows; nothing to do\n", options.output, description.rows);
  return true;
}

class ScoreRun {
 public:
  ScoreRun(comm::Communicator& comm, h5::Sandbox* name_node, const ScoreOptions& options)
      : comm_(comm), name_node_(name_node), options_(options), start_(now()) {}

  int run() {
    if (name_node_ != nullptr) name_node_->watch([this] { end_if_asked(); });
    prepare();
    if (options_.dry_run) return dry_run();
    if (!open()) return 0;
    if (name_node_ != nullptr) name_node_->watch({});  // the loop stops between blocks
    return loop();
  }

 private:
  // Opening many or damaged files may take long; until scoring begins there is nothing to make safe.
  void end_if_asked() const {
    if (stop_signal() == 0) return;
    throw Error(ExitCode::stopped, fmt::format("stopped before scoring began (signal {})", stop_signal()), {},
                "run it again: " + options_.command_line);
  }

  void prepare() {
    setup_ = base::from_bytes<JobSetup>(root_step(comm_, [&] {
      if (name_node_ == nullptr)
        throw Error(ExitCode::internal, "rank 0 has no name node", "the launcher and MPI number the ranks differently");
      job_ = prepare_job(*name_node_, options_);
      return base::to_bytes(job_.setup);
    }));
    threads_ = threads_of_rank(comm_, options_.threads);
    std::vector<model::Model> models;
    for (const auto& m : setup_.models) models.push_back(m.model);
    backend_ = agree_on_backend(comm_, models, forced_precision(options_.precision));
    const auto bytes = root_step(comm_, [&] {
      layout_ = layout_of(setup_, backend_, options_);
      tests_ = self_tests(setup_, backend_);
      double flops = 0;
      for (const auto& evaluator : backend_.evaluators) flops += evaluator->flops_per_row();
      return encode(plan_blocks(*job_.input, flops, layout_.row_bytes, options_));
    });
    layout_ = layout_of(setup_, backend_, options_);
    plan_ = decode(bytes);
  }

  int dry_run() {
    root_step(comm_, [&] {
      print_dry_run(make_dry_run(job_, backend_, layout_, plan_, tests_, comm_.size(), threads_, options_));
      return base::Bytes{};
    });
    return 0;
  }

  // Creates or reopens the part file at the root; false if there is nothing to do.
  bool open() {
    bool complete = false;
    const auto bytes = root_step(comm_, [&] {
      const auto spec = describe_output(job_, backend_, layout_, plan_, options_);
      complete = already_complete(*name_node_, spec.identity, options_);
      if (complete) return base::Bytes{};
      output_ = open_output(comm_, *name_node_, spec, plan_, options_);
      print_start(setup_, tests_, options_);
      return encode(output_.plan);
    });
    if (bytes.empty()) return false;
    plan_ = decode(bytes);
    return true;
  }

  int loop() {
    JobScorer scorer(setup_.format, backend_.evaluators, layout_, plan_, threads_);
    if (!comm_.root()) {
      run_blocks(comm_, plan_, {}, nullptr, scorer, nullptr, engine_options(nullptr));
      comm_.barrier();  // nobody leaves before the root has finished the file
      return 0;
    }
    const auto todo = output_.file->todo();
    InputSource source(*job_.input, plan_);
    const InputMissingFinder finder(*job_.input, setup_.models);
    ScoreSink sink(*output_.file, layout_, plan_, options_.missing == MissingPolicy::error ? &finder : nullptr);
    Progress progress(options_.progress, plan_.rows(), output_.resumed_rows);
    const auto result = run_blocks(comm_, plan_, todo, &source, scorer, &sink, engine_options(&progress));
    progress.finish();
    job_.input->check_unchanged();
    if (result.stopped)
      output_.file->suspend();
    else
      output_.file->finish();
    comm_.barrier();
    report(result, sink, todo);
    return result.stopped ? static_cast<int>(ExitCode::stopped) : 0;
  }

  EngineOptions engine_options(Progress* progress) {
    EngineOptions engine;
    engine.schedule = options_.schedule;
    engine.memory_per_rank = options_.memory_per_rank;
    if (progress == nullptr) return engine;
    engine.stop_requested = [this] {
      return stop_signal() != 0 || (options_.time_limit > 0 && now() - start_ > options_.time_limit);
    };
    engine.on_progress = [this, progress](u64 /*blocks*/, u64 rows) {
      progress->update(output_.resumed_rows + rows, job_.input->bytes_read());
    };
    return engine;
  }

  void report(const EngineResult& result, const ScoreSink& sink, const std::vector<u64>& todo) {
    RunReport report;
    report.ranks = result.ranks;
    for (const auto& rank : result.ranks) {
      report.rows += rank.rows;
      report.blocks += rank.blocks;
    }
    report.rows_total = plan_.rows();
    report.threads = threads_;
    report.isa = model::to_string(backend_.evaluators.front()->isa());
    report.io = "scatter";
    report.models = model_reports();
    report.resumed_blocks = plan_.blocks() - todo.size();
    report.loop_seconds = result.loop_seconds;
    report.seconds = now() - start_;
    report.started = utc_text(std::time(nullptr) - std::llround(report.seconds));
    report.bytes_read = job_.input->bytes_read();
    report.bytes_written = sink.bytes();
    report.rows_flagged = sink.flagged().any;
    report.rows_missing = sink.flagged().missing;
    report.rows_nonfinite = sink.flagged().nonfinite;
    report.stopped = result.stopped;
    print_summary(report, options_);
    if (!options_.report.empty()) write_report(report, options_);
    if (!result.stopped) return;
    const std::string why = stop_signal() != 0 ? fmt::format("signal {}", stop_signal()) : std::string("time limit");
    const std::string advice = resume_command(options_);
    std::fputs(fmt::format("h5score: stopped early ({}); resume with: {}\n", why, advice).c_str(), stderr);
  }

  std::vector<ModelReport> model_reports() const {
    std::vector<ModelReport> reports;
    for (u64 i = 0; i < setup_.models.size(); ++i) {
      const auto& m = setup_.models[i];
      reports.push_back({m.name, m.path, model::describe(m.model), model::model_hash(m.model),
                         model::to_string(backend_.evaluators[i]->precision()), tests_[i]});
    }
    return reports;
  }

  static base::Bytes encode(const sched::BlockPlan& plan) {
    base::Writer writer;
    writer(plan.boundaries, plan.groups);
    return writer.take();
  }
  static sched::BlockPlan decode(base::ByteView bytes) {
    sched::BlockPlan plan;
    base::Reader reader(bytes);
    reader(plan.boundaries, plan.groups);
    return plan;
  }

  comm::Communicator& comm_;
  h5::Sandbox* name_node_;
  const ScoreOptions& options_;
  double start_;
  PreparedJob job_;  ///< root only, like tests_ and output_
  JobSetup setup_;
  Backend backend_;
  ResultLayout layout_;
  sched::BlockPlan plan_;
  std::vector<std::string> tests_;
  Output output_;
  u64 threads_ = 1;
};

}  // namespace

int score(comm::Communicator& comm, h5::Sandbox* name_node, const ScoreOptions& options) {
  return ScoreRun(comm, name_node, options).run();
}

}  // namespace h5score::run
