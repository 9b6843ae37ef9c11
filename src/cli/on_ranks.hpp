// Runs a job where the program was started: alone, or on all ranks of its launcher.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/comm/launch.hpp"

#include <functional>

namespace h5score::cli {

/// Calls `job` with the communicator of this process and returns its exit code. What one rank of several throws is
/// told, and ends all of them; a SharedError is told by rank 0 and becomes the exit code everywhere.
int run_on_ranks(const comm::Launch& launch, const std::function<int(comm::Communicator&)>& job);

}  // namespace h5score::cli
