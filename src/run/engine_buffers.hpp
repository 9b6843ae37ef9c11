// How the memory limit is divided among the buffers of the credit engine. Private to run.
#pragma once

#include "h5score/base/types.hpp"

#include <vector>

namespace h5score::run {

using base::u32;
using base::u64;

/// The largest messages of a run, trailers and alignment included, and what to name if they do not fit.
struct BlockDemand {
  u64 payload = 0;
  u64 result = 0;
  u64 largest_block = 0;
  /// Not worth shared memory: the ranks fetch for themselves.
  [[nodiscard]] bool tiny() const { return payload + result <= u64{1} << 16; }
};

/// What a rank may hold of blocks that it scores itself.
struct LaneBuffers {
  u64 lanes = 1;     ///< of its lanes, those that have a block's memory
  u64 payloads = 1;  ///< being scored, waiting and on their way: its credits
  u64 results = 1;   ///< being filled or on their way
};

template <class A>
void archive(A& ar, LaneBuffers& b) {
  ar(b.lanes, b.payloads, b.results);
}

struct BufferPlan {
  u64 send_slots = 0;            ///< master: payloads on their way
  u64 result_slots = 0;          ///< master: results arriving
  bool master_scores = true;     ///< room for a payload and its results of its own
  std::vector<LaneBuffers> own;  ///< by rank
  /// Each slot of a worker that shares memory with the master: as many payloads as results. 0: not enough memory.
  std::vector<u64> shared_slots;
};

/// `lanes` and `shares` by rank: what it has, and whether it could share memory with the master. What a rank shares
/// counts against the limit of both. Throws Error(usage) if `memory` does not hold one payload and its results.
BufferPlan plan_buffers(u64 memory, const BlockDemand& demand, const std::vector<u64>& lanes,
                        const std::vector<bool>& shares);

}  // namespace h5score::run
