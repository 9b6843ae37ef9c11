// How the memory limit is divided among the buffers of the credit engine. Private to run.
#pragma once

#include "h5score/base/types.hpp"

namespace h5score::run {

using base::u32;
using base::u64;

/// The largest messages of a run, trailers and alignment included, and what to name if they do not fit.
struct BlockDemand {
  u64 payload = 0;
  u64 result = 0;
  u64 largest_block = 0;
};

struct BufferPlan {
  u64 send_slots = 1;         ///< master: payloads on their way
  u64 result_slots = 1;       ///< master: results arriving
  bool master_scores = true;  ///< room for a payload and its results of its own
  u64 worker_payloads = 1;    ///< each worker: its credits
  u64 worker_results = 1;     ///< each worker: results on their way
};

/// Throws Error(usage) if `memory` does not hold one payload and its results.
BufferPlan plan_buffers(u64 memory, const BlockDemand& demand, u32 ranks);

}  // namespace h5score::run
