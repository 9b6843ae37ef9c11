// The job behind `h5score verify`: scores blocks again, just as a run does, and compares every byte with the score
// file.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/run/score_job.hpp"

#include <string>
#include <vector>

namespace h5score::run {

struct VerifyOptions {
  std::string scores;                 ///< score file or part file
  std::vector<ModelArgument> models;  ///< where they are now; empty: as recorded
  std::vector<std::string> inputs;    ///< likewise
  bool all = false;                   ///< score all blocks again, not a sample
  u64 sample = 32;                    ///< blocks
  ProgressMode progress = ProgressMode::automatic;
  u64 threads = 0;
  u64 memory_per_rank = u64{1} << 30;
};

/// Collective; `name_node` is non-null at rank 0 only and serves name_node_functions(). Checks the CRCs of all blocks
/// that the ledger claims, scores blocks again and compares. Prints what it found at rank 0. Returns 0 where everything
/// agrees; throws SharedError: data where something differs or the input or a model is not the one that was scored,
/// no_input where it is gone.
int verify(comm::Communicator& comm, h5::Sandbox* name_node, const VerifyOptions& options);

}  // namespace h5score::run
