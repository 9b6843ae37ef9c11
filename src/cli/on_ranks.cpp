// Starting MPI where there are ranks, and ending every rank when one fails.
#include "on_ranks.hpp"

#include "h5score/comm/mpi.hpp"
#include "h5score/comm/serial.hpp"
#include "h5score/run/run_or_abort.hpp"
#include "h5score/run/score_job.hpp"

#include "failure.hpp"

namespace h5score::cli {

int run_on_ranks(const comm::Launch& launch, const std::function<int(comm::Communicator&)>& job) {
  if (!launch.needs_mpi()) {
    comm::SerialCommunicator comm;
    return job(comm);
  }
  comm::MpiEnvironment mpi(launch);
  const int code = run::run_or_abort(mpi.world(), [&] {
    try {
      return job(mpi.world());
    } catch (const run::SharedError& error) {
      if (mpi.world().root()) print_failure(error);
      // Only the root says that the run was stopped: launchers report whichever rank's code they like.
      const bool told_by_root = error.code() == base::ExitCode::stopped && !mpi.world().root();
      return told_by_root ? 0 : static_cast<int>(error.code());
    }
  });
  mpi.finalize();
  return code;
}

}  // namespace h5score::cli
