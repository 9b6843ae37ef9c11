// Block plans: how rows are cut into blocks. Pure arithmetic on layout, bytes and model cost; never on the number of
// ranks, so that a run can be resumed with any other number.
#pragma once

#include "h5score/base/types.hpp"

#include <span>
#include <vector>

namespace h5score::sched {

using base::u64;

/// A stretch of rows that one block may not cross (one file's share of the row space).
struct PlanSpan {
  u64 rows = 0;
  u64 chunk_rows = 0;                ///< rows per chunk row; 0: no chunk grid
  u64 phase = 0;                     ///< rows of the first chunk row that lie before the span (--rows cuts)
  double payload_bytes_per_row = 0;  ///< stored (compressed) bytes
  double decoded_bytes_per_row = 0;
  /// Rows of unequal size (sparse matrices): `rows` + 1 ascending numbers; row i has offsets[i + 1] - offsets[i]
  /// elements beside its bytes per row. Empty: there are none. Must outlive the call.
  std::span<const u64> offsets{};
  double payload_bytes_per_element = 0;
  double decoded_bytes_per_element = 0;
  u64 chunk_elements = 0;  ///< elements that are stored, and so read and decoded, together
};

struct PlanLimits {
  double target_bytes = 4.0 * 1024 * 1024;  ///< payload (or decoded, the larger /4) bytes aimed at
  double max_bytes = 256.0 * 1024 * 1024;   ///< hard limit of decoded + result bytes of one block
  double flops_per_row = 0;
  double target_flops = 2.5e9;  ///< about 50 ms of one core
  double result_bytes_per_row = 0;
  u64 block_rows = 0;               ///< --block-rows: exact rows per block if not 0
  double whole_chunk_factor = 4.0;  ///< a single chunk row stays whole up to this many times the targets
  u64 max_blocks = 4'000'000;       ///< blocks grow, up to max_bytes, until there are no more than these
};

/// Blocks 0..blocks()-1; block b holds rows [boundaries[b], boundaries[b+1]) of the run's row space.
struct BlockPlan {
  std::vector<u64> boundaries{0};
  /// Blocks with the same group share stored bytes (a chunk row cut inside) and should stay on one rank; empty: no
  /// groups.
  std::vector<u64> groups;
  [[nodiscard]] u64 blocks() const { return boundaries.size() - 1; }
  [[nodiscard]] u64 rows() const { return boundaries.back(); }
  [[nodiscard]] base::RowRange range(u64 block) const { return {boundaries[block], boundaries[block + 1]}; }
};

/// Cuts each span into blocks of about the targets, never across spans. With a chunk grid a block is as many whole
/// chunk rows as the targets allow; a chunk row that exceeds them by more than whole_chunk_factor, or max_bytes, is cut
/// into equal parts that share a group; without a chunk grid blocks of 4096 rows and more are multiples of that. A
/// block has at least one row, even where one row exceeds max_bytes. Spans without rows get no block. Rows of unequal
/// size go into a block as long as its bytes keep the targets, which are whole_chunk_factor times as large where a
/// chunk of elements exceeds them (neighbours both decode the chunk between them). Throws Error(usage) if block_rows
/// exceeds max_bytes, or if max_blocks cannot be kept.
BlockPlan make_plan(std::span<const PlanSpan> spans, const PlanLimits& limits);

}  // namespace h5score::sched
