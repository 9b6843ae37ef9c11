// `h5score verify`: whether a score file is what its models give for its inputs.
#include "h5score/base/error.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/run/stop.hpp"
#include "h5score/run/verify_job.hpp"

#include "command.hpp"
#include "on_ranks.hpp"
#include "values.hpp"

#include <memory>
#include <optional>

namespace h5score::cli {
namespace {

using enum OptionKind;

class Verify final : public Command {
 public:
  void setup(const Options& options) override { options_ = verify_options(options); }

  int run(const Invocation& invocation) override {
    run::end_on_signals();
    h5::initialise();
    std::optional<h5::Sandbox> name_node;  // before MPI_Init, which the child must not inherit
    if (invocation.root()) name_node.emplace(run::name_node_functions());
    return run_on_ranks(invocation.launch, [&](comm::Communicator& comm) {
      return run::verify(comm, name_node ? &*name_node : nullptr, options_);
    });
  }

 private:
  run::VerifyOptions options_;
};

}  // namespace

run::VerifyOptions verify_options(const Options& options) {
  run::VerifyOptions verify;
  verify.scores = options.operands().front();
  for (const auto& text : options.list("model")) verify.models.push_back(parse_model(text));
  verify.inputs = options.list("input");
  verify.all = options.flag("all");
  if (options.given("sample")) {
    if (verify.all)
      throw base::Error(base::ExitCode::usage, "--all and --sample", "all blocks are no sample",
                        "leave one of them out");
    verify.sample = parse_count("sample", options.value("sample"), 1);
  }
  if (options.given("threads")) verify.threads = parse_count("threads", options.value("threads"), 1);
  if (options.given("memory-per-rank"))
    verify.memory_per_rank = parse_size("memory-per-rank", options.value("memory-per-rank"));
  if (options.given("progress")) verify.progress = parse_progress(options.value("progress"));
  return verify;
}

const CommandSpec& verify_spec() {
  static const CommandSpec spec{
      "verify",
      "",
      "check a score file: score again and compare every byte",
      "SCORES.h5 [options]",
      "Reads all results and compares them with the checksums of the ledger; then scores blocks again, from the inputs "
      "and models that the file names, and compares every byte. Tells which rows differ. Of a part file, the blocks "
      "that are done. Runs alone or under mpirun or srun, with any number of ranks.",
      {{"all", 0, flag, "", "score all blocks again"},
       {"sample", 0, value, "N",
        "score N blocks again, spread over the file, the first and the last among them (default 32)"},
       {"model", 0, list, "[NAME=]FILE", "where a model is now, if it has moved"},
       {"input", 0, list, "FILE|GLOB", "where the inputs are now, all of them, if they have moved"},
       {"progress", 0, value, "HOW", "auto, bar, lines or none (default auto: a bar on a terminal, else lines)"},
       {"help", 'h', flag, "", "print this page"},
       {"threads", 0, value, "N", "threads per rank (default: the cores that the launcher gave it)"},
       {"memory-per-rank", 0, value, "SIZE", "limit of buffers on each rank (default 1G)"}},
      "SCORES.h5",
      1,
      1,
      "Examples:\n  h5score verify scores.h5\n  srun h5score verify scores.h5 --all\n\n"
      "Exit codes: 0 all bytes equal, 65 something differs, or the inputs or models are\n"
      "  not those that were scored, 66 one of them is gone.\n"};
  return spec;
}

std::unique_ptr<Command> make_verify() {
  return std::make_unique<Verify>();
}

}  // namespace h5score::cli
