// What root and workers of the static rounds agree on. Private to run.
#pragma once

#include "engine_rank.hpp"

namespace h5score::run {

/// Ends each part of a scatter, whose length is a block's payload bound plus this, rounded up: lengths must be known
/// before the payload is. Each part tells the length of the rank's next part.
struct RoundTrailer {
  u64 block = BlockTrailer::no_block;
  u64 bytes = 0;      ///< of the payload, at the start of the part
  u64 next_part = 0;  ///< 0: this was the last round
  u64 abandoned = 0;  ///< 1: the run stops; there is no gather for this round
};

}  // namespace h5score::run
