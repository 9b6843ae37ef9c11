// How a rank's threads are divided: lanes score a block each, and threads of one lane share its block.
#pragma once

#include "h5score/base/types.hpp"

#include <vector>

namespace h5score::run {

using base::u64;

struct LaneLimits {
  u64 threads = 1;     ///< of this rank
  u64 ranks = 1;       ///< that share the blocks
  u64 blocks = 0;      ///< to do, by all ranks
  u64 lane_bytes = 0;  ///< what a lane holds of its block at most
  u64 memory = 0;      ///< for all lanes
};

/// Threads of each lane, at least one lane: as many lanes as threads, unless memory does not hold their blocks or there
/// are too few blocks to keep them all busy to the end.
std::vector<u64> plan_lanes(const LaneLimits& limits);

}  // namespace h5score::run
