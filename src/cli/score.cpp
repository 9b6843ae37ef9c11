// `h5score score`: starts what the job needs, in the order that it needs it, and ends every rank when one fails.
#include "h5score/comm/mpi.hpp"
#include "h5score/comm/serial.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/run/run_or_abort.hpp"
#include "h5score/run/score_job.hpp"

#include "command.hpp"
#include "failure.hpp"

#include <memory>
#include <optional>

namespace h5score::cli {
namespace {

int run_on_ranks(const comm::Launch& launch, h5::Sandbox* name_node, const run::ScoreOptions& options) {
  comm::MpiEnvironment mpi(launch);
  const int code = run::run_or_abort(mpi.world(), [&] {
    try {
      return run::score(mpi.world(), name_node, options);
    } catch (const run::SharedError& error) {
      if (mpi.world().root()) print_failure(error);
      return static_cast<int>(error.code());
    }
  });
  mpi.finalize();
  return code;
}

class Score final : public Command {
 public:
  void setup(const Options& options) override { options_ = score_options(options); }

  int run(const Invocation& invocation) override {
    h5::initialise();
    options_.command_line = invocation.command_line;
    options_.versions = versions();
    // Before MPI_Init, which the child must not inherit. A process without a rank from its launcher may be rank 0.
    std::optional<h5::Sandbox> name_node;
    if (invocation.root()) name_node.emplace(run::name_node_functions());
    h5::Sandbox* const node = name_node ? &*name_node : nullptr;
    if (invocation.launch.needs_mpi()) return run_on_ranks(invocation.launch, node, options_);
    comm::SerialCommunicator comm;
    return run::score(comm, node, options_);
  }

 private:
  run::ScoreOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_score() {
  return std::make_unique<Score>();
}

}  // namespace h5score::cli
