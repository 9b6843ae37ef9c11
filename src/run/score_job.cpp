// The order of a score run: prepare at the root, agree, create the output, score all blocks, finish, report.
#include "h5score/run/score_job.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/output_path.hpp"
#include "h5score/base/thread_pool.hpp"
#include "h5score/run/progress.hpp"
#include "h5score/run/stop.hpp"
#include "h5score/run/summary.hpp"
#include "h5score/storage/score_view.hpp"

#include "backend.hpp"
#include "clock.hpp"
#include "compress_job.hpp"
#include "dry_run_job.hpp"
#include "identity.hpp"
#include "io_choice.hpp"
#include "job_file.hpp"
#include "job_input.hpp"
#include "job_lanes.hpp"
#include "job_loop.hpp"
#include "job_output.hpp"
#include "job_parts.hpp"
#include "job_report.hpp"
#include "job_setup.hpp"
#include "start_text.hpp"
#include "time_limit.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <optional>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

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

class ScoreRun {
 public:
  ScoreRun(comm::Communicator& comm, h5::Sandbox* name_node, const ScoreOptions& options)
      : comm_(comm), name_node_(name_node), options_(options), start_(now()), limit_(time_limit(options.time_limit)) {}

  int run() {
    if (name_node_ != nullptr) name_node_->watch([this] { end_if_asked(); });
    prepare();
    if (options_.dry_run) return dry_run();
    if (!open()) {
      if (comm_.root()) write_view();
      return 0;
    }
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
    hosts_ = find_hosts(comm_);
    receive(root_step(comm_,
                      [&] {
                        if (name_node_ == nullptr)
                          throw Error(ExitCode::internal, "rank 0 has no name node",
                                      "the launcher and MPI number the ranks differently");
                        job_ = prepare_job(*name_node_, options_);
                        const bool scatter = options_.io == "scatter" && !hosts_.one();
                        return send(job_.setup, scatter ? decltype(files_){} : job_.input->identities());
                      }),
            setup_, files_);
    threads_ = options_.threads != 0 ? options_.threads : base::default_threads(hosts_.ranks_on_host(comm_.rank()));
    std::vector<model::Model> models;
    for (const auto& m : setup_.models) models.push_back(m.model);
    backend_ = agree_on_backend(comm_, models, forced_precision(options_.precision));
    io_ = choose_reading(comm_, hosts_, options_.io, files_, setup_.format.kind != storage::TableKind::sparse);
    const auto bytes = root_step(comm_, [&] {
      layout_ = layout_of(setup_, backend_, options_.write);
      require_free_names(job_, layout_);
      tests_ = self_tests(setup_, backend_);
      double flops = 0;
      for (const auto& evaluator : backend_.evaluators) flops += evaluator->flops_per_row();
      const auto plan = plan_blocks(*job_.input, flops, layout_.row_bytes, options_);
      return send(plan.boundaries, plan.groups);
    });
    layout_ = layout_of(setup_, backend_, options_.write);
    receive(bytes, plan_.boundaries, plan_.groups);
  }

  int dry_run() {
    root_step(comm_, [&] {
      print_dry_run(make_dry_run(job_, backend_, layout_, plan_, tests_, comm_.size(), threads_, io_, options_));
      return base::Bytes{};
    });
    return 0;
  }

  // Creates or reopens the part file at the root; false if there is nothing to do.
  bool open() {
    const auto bytes = root_step(comm_, [&] {
      spec_ = describe_output(job_, backend_, layout_, plan_, options_);
      view_ = describe_view(job_, spec_, options_);
      check_beside();
      const bool opened = wait_while_busy(options_, [&] {
        if (already_complete(*name_node_, spec_.identity, options_)) return false;
        output_ = open_output(comm_, *name_node_, spec_, plan_, options_);
        return true;
      });
      if (!opened) return base::Bytes{};
      todo_ = output_.file->todo();
      print_start(job_, tests_, options_);
      fmt::print("{}", time_limit_text(limit_));
      return send(output_.plan.boundaries, output_.plan.groups, output_.file->places(), u64{todo_.size()},
                  lane_bytes(*job_.input, output_.plan, layout_, io_.mode));
    });
    if (bytes.empty()) return false;
    u64 blocks = 0;
    u64 bytes_of_lane = 0;
    receive(bytes, plan_.boundaries, plan_.groups, places_, blocks, bytes_of_lane);
    if (io_.mode == IoMode::direct) writing_ = choose_writing(comm_, hosts_, options_.io, places_, io_);
    if (comm_.root()) print_io(io_, options_);
    lanes_ = plan_lanes({.threads = threads_,
                         .ranks = comm_.size(),
                         .blocks = blocks,
                         .lane_bytes = bytes_of_lane,
                         .memory = options_.memory_per_rank});
    return true;
  }

  int loop() {
    const FeatureStatistics statistics = statistics_of(setup_, backend_, plan_);
    if (!comm_.root()) {
      const auto result = run_blocks_of(statistics, engine_options(nullptr, nullptr), nullptr);
      if (!result.stopped && options_.compress != 0) write_compressed(comm_, compress_options(), nullptr);
      comm_.barrier();  // nobody leaves before the root has finished the file
      return 0;
    }
    const InputMissingFinder finder(job_, backend_);
    Tally tally(statistics, plan_, todo_, options_.missing == MissingPolicy::error ? &finder : nullptr);
    Progress progress(options_.progress, plan_.rows(), output_.resumed_rows);
    RootParts root{*job_.input, *output_.file, tally, todo_};
    EngineResult result;
    try {
      result = run_blocks_of(statistics, engine_options(&progress, &tally), &root);
      progress.finish();
      job_.input->check_unchanged();
    } catch (const Error&) {
      disown_scores_of_changed_input();
      throw;
    }
    if (result.stopped)
      output_.file->suspend();
    else if (options_.compress == 0)
      output_.file->finish();
    else
      result.stopped = !compress();
    comm_.barrier();
    report(result, tally);
    if (!result.stopped) write_view();
    return result.stopped ? static_cast<int>(ExitCode::stopped) : 0;
  }

  // No later run may take over scores of an input that was rewritten while it was read. Another time alone forbids
  // nothing, as when a run is resumed.
  void disown_scores_of_changed_input() {
    try {
      job_.input->check_unchanged();
      return;
    } catch (const Error&) {
      // it changed: how?
    }
    try {
      if (identity_json(job_, backend_, spec_, options_) == spec_.identity) return;
    } catch (const Error&) {
      // it cannot be read any more
    }
    output_.file->disown();
  }

  // At the root: a copy with compressed columns takes the output's name. False: stopped.
  bool compress() {
    output_.file->seal();
    CompressRoot root{*name_node_, *output_.file, spec_, options_.output};
    if (write_compressed(comm_, compress_options(), &root)) return true;
    output_.file->suspend();
    return false;
  }

  [[nodiscard]] CompressOptions compress_options() const {
    CompressOptions compress{.level = options_.compress, .threads = threads_, .engine = {}};
    compress.engine.memory_per_rank = options_.memory_per_rank;
    compress.engine.stop_requested = [this] { return stop_requested(); };
    return compress;
  }

  [[nodiscard]] bool stop_requested() const { return stop_signal() != 0 || (comm_.root() && out_of_time()); }

  EngineResult run_blocks_of(const FeatureStatistics& statistics, const EngineOptions& engine, RootParts* root) {
    const LoopParts parts{comm_, setup_, backend_, layout_, statistics, plan_, lanes_, engine};
    if (io_.page_cache) return run_page_cache(parts, files_, root);
    if (io_.mode == IoMode::scatter) return run_scatter(parts, root);
    const DirectParts direct{files_,
                             places_,
                             writing_,
                             hosts_.on_root_host(comm_.rank()) ? std::string() : comm_.host(),
                             options_.sync_interval,
                             options_.missing == MissingPolicy::error};
    return run_direct(parts, direct, root);
  }

  // What is written beside the scores at the end must not fail then for a reason that is known now.
  void check_beside() const {
    if (!options_.report.empty()) base::check_creatable(options_.report);
    if (!options_.view.empty()) storage::check_view(options_.view, options_.overwrite);
  }

  void write_view() {
    if (options_.view.empty()) return;
    const auto notes = storage::write_view(*name_node_, view_, options_.overwrite);
    fmt::print("view: {} shows the input beside the scores\n", options_.view);
    for (const auto& note : notes) fmt::print("note: {}\n", note);
    std::fflush(stdout);
  }

  EngineOptions engine_options(Progress* progress, const Tally* tally) {
    EngineOptions engine;
    engine.schedule = options_.schedule;
    engine.memory_per_rank = options_.memory_per_rank;
    engine.node_memory = io_.mode == IoMode::scatter;  // assignments are small
    engine.stop_requested = [this] { return stop_requested(); };
    if (progress == nullptr) return engine;
    engine.on_progress = [this, progress, tally](u64 /*blocks*/, u64 rows) {
      progress->update(output_.resumed_rows + rows, bytes_read(*tally));
    };
    return engine;
  }

  [[nodiscard]] bool out_of_time() const { return limit_.seconds > 0 && now() - start_ > limit_.seconds; }

  [[nodiscard]] std::string why_stopped() const {
    if (stop_signal() != 0) return fmt::format("signal {}", stop_signal());
    return out_of_time() ? limit_.reason : "a signal to another rank";
  }

  [[nodiscard]] u64 bytes_read(const Tally& tally) const { return job_.input->bytes_read() + tally.bytes_read(); }

  void report(const EngineResult& result, const Tally& tally) {
    const RunReport report = make_report({.job = job_,
                                          .backend = backend_,
                                          .plan = plan_,
                                          .tests = tests_,
                                          .tally = tally,
                                          .result = result,
                                          .blocks_to_do = todo_.size(),
                                          .threads = threads_,
                                          .io = io_,
                                          .bytes_read = bytes_read(tally),
                                          .seconds = now() - start_});
    print_summary(report, options_);
    if (!options_.report.empty()) write_report(report, options_);
    if (!result.stopped) return;
    const std::string advice = resume_command(options_);
    std::fputs(fmt::format("h5score: stopped early ({}); resume with: {}\n", why_stopped(), advice).c_str(), stderr);
  }

  comm::Communicator& comm_;
  h5::Sandbox* name_node_;
  const ScoreOptions& options_;
  double start_;
  TimeLimit limit_;
  PreparedJob job_;  ///< root only, like tests_, output_ and todo_
  JobSetup setup_;
  std::vector<storage::FileIdentity> files_;  ///< for direct reading
  Hosts hosts_;
  Backend backend_;
  IoChoice io_;
  WritingChoice writing_;
  ResultLayout layout_;
  sched::BlockPlan plan_;
  storage::ScorePlaces places_;
  std::vector<std::string> tests_;
  Output output_;
  std::vector<u64> todo_;
  storage::ScoreFileSpec spec_;  ///< root only, like view_
  storage::ViewSpec view_;
  u64 threads_ = 1;
  std::vector<u64> lanes_;
};

}  // namespace

int score(comm::Communicator& comm, h5::Sandbox* name_node, const ScoreOptions& options) {
  return ScoreRun(comm, name_node, options).run();
}

}  // namespace h5score::run
