// Division of threads.
#include "job_lanes.hpp"

#include <algorithm>

namespace h5score::run {
namespace {

constexpr u64 blocks_per_lane = 4;  // fewer, and the last blocks leave lanes idle for long

}  // namespace

std::vector<u64> plan_lanes(const LaneLimits& limits) {
  const u64 threads = std::max<u64>(limits.threads, 1);
  const u64 by_blocks = limits.blocks / (blocks_per_lane * std::max<u64>(limits.ranks, 1));
  const u64 by_memory = limits.memory / std::max<u64>(limits.lane_bytes, 1);
  const u64 lanes = std::clamp<u64>(std::min(by_blocks, by_memory), 1, threads);
  std::vector<u64> of_lane(lanes, threads / lanes);
  for (u64 i = 0; i < threads % lanes; ++i) ++of_lane[i];
  return of_lane;
}

}  // namespace h5score::run
