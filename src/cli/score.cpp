// `h5score score`: starts what the job needs, in the order that it needs it.
#include "h5score/h5/library.hpp"
#include "h5score/run/score_job.hpp"

#include "command.hpp"
#include "on_ranks.hpp"

#include <memory>
#include <optional>

namespace h5score::cli {
namespace {

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
    return run_on_ranks(invocation.launch, [&](comm::Communicator& comm) {
      return run::score(comm, name_node ? &*name_node : nullptr, options_);
    });
  }

 private:
  run::ScoreOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_score() {
  return std::make_unique<Score>();
}

}  // namespace h5score::cli
