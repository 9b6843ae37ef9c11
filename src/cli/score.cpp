// `h5score score`: starts what the job needs, in the order that it needs it, and ends every rank when one fails.
#include "h5score/comm/failure.hpp"
#include "h5score/comm/mpi.hpp"
#include "h5score/comm/serial.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/run/score_job.hpp"

#include "command.hpp"
#include "failure.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>

namespace h5score::cli {
namespace {

// Rank 0 tells the failure of any rank, so that it is told once. A rank 0 that does not listen (it reads, or fails
// itself) gets this long to end the run before the failing rank does.
constexpr std::chrono::seconds patience{3};

void fail_together(comm::Communicator& comm, const base::Error& error) {
  if (!comm.root()) {
    try {
      const base::Bytes message = comm::encode_failure(error);
      const auto request = comm.send(message, 0, comm::Tag::failure);
      const auto end = std::chrono::steady_clock::now() + patience;
      while (std::chrono::steady_clock::now() < end) {
        request->test();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    } catch (const base::Error&) {
      // The communicator is part of the failure; the line below is all that is left.
    }
    print_failure(error.in(fmt::format("rank {} on {}", comm.rank(), comm.host())));
  } else {
    print_failure(error);
  }
  comm.abort(static_cast<int>(error.code()));
}

int run_on_ranks(const comm::Launch& launch, h5::Sandbox* name_node, const run::ScoreOptions& options) {
  comm::MpiEnvironment mpi(launch);
  int code = 0;
  try {
    code = run::score(mpi.world(), name_node, options);
  } catch (const run::SharedError& error) {
    if (mpi.world().root()) print_failure(error);
    code = static_cast<int>(error.code());
  } catch (...) {
    fail_together(mpi.world(), current_failure());  // does not return
  }
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
    // Before MPI_Init: the child must not inherit a started MPI. A rank that the launcher does not number may be rank
    // 0.
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
