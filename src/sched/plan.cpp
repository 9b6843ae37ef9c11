// Cutting rows into blocks.
#include "h5score/sched/plan.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <algorithm>
#include <string>

namespace h5score::sched {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 no_limit = u64{1} << 62;
// Without a chunk grid blocks are multiples of these rows, where they are longer: columns of results then end on page
// borders, which ranks of different hosts must not write both, or at least on those of tiles.
constexpr u64 page_rows = 4096;
constexpr u64 tile_rows = 256;

u64 rows_within(double limit, double per_row) {
  if (!(per_row > 0)) return no_limit;
  const double rows = limit / per_row;
  if (rows >= static_cast<double>(no_limit)) return no_limit;
  return rows < 1 ? 1 : static_cast<u64>(rows);
}

u64 ceil_div(u64 a, u64 b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

/// How the blocks of one span lie on its grid.
struct Cut {
  u64 unit = 0;        ///< rows between grid lines that blocks start on: chunk rows, or the block itself
  u64 block = 0;       ///< rows per block: a multiple of unit, or a part of it
  bool parts = false;  ///< blocks are parts of a chunk row, so they share its group
};

/// The end of the block of unequal rows that starts at `row` of the span: as many as keep the targets, at least one.
u64 uneven_end(const PlanSpan& span, const PlanLimits& limits, double growth, u64 row) {
  if (limits.block_rows != 0) return row + std::min(limits.block_rows, span.rows - row);
  const double chunk = static_cast<double>(span.chunk_elements) * span.payload_bytes_per_element;
  const double factor = growth * (chunk > limits.target_bytes ? limits.whole_chunk_factor : 1);
  const auto fits = [&](u64 end) {
    const auto rows = static_cast<double>(end - row);
    const auto elements = static_cast<double>(span.offsets[end] - span.offsets[row]);
    const double payload = rows * span.payload_bytes_per_row + elements * span.payload_bytes_per_element;
    const double decoded = rows * span.decoded_bytes_per_row + elements * span.decoded_bytes_per_element;
    return std::max(payload, decoded / 4) <= factor * limits.target_bytes &&
           rows * limits.flops_per_row <= factor * limits.target_flops &&
           decoded + rows * limits.result_bytes_per_row <= limits.max_bytes;
  };
  u64 fitting = row + 1;
  for (u64 beyond = span.rows + 1; beyond - fitting > 1;) {
    const u64 middle = fitting + (beyond - fitting) / 2;
    (fits(middle) ? fitting : beyond) = middle;
  }
  return fitting;
}

u64 uneven_count(const PlanSpan& span, const PlanLimits& limits, double growth) {
  u64 count = 0;
  for (u64 row = 0; row < span.rows; ++count) row = uneven_end(span, limits, growth, row);
  return count;
}

/// Rows that fit max_bytes, on average.
u64 max_rows(const PlanSpan& span, const PlanLimits& limits) {
  double per_row = span.decoded_bytes_per_row + limits.result_bytes_per_row;
  if (!span.offsets.empty() && span.rows != 0)
    per_row += static_cast<double>(span.offsets[span.rows] - span.offsets[0]) / static_cast<double>(span.rows) *
               span.decoded_bytes_per_element;
  return rows_within(limits.max_bytes, per_row);
}

/// `growth` scales the targets; max_bytes is kept whatever it is.
Cut cut_of(const PlanSpan& span, const PlanLimits& limits, double growth) {
  const u64 chunk = span.chunk_rows;
  if (limits.block_rows != 0) {
    const bool parts = chunk != 0 && limits.block_rows < chunk;
    return {limits.block_rows, limits.block_rows, parts};
  }
  const u64 most = max_rows(span, limits);
  const auto target = [&](double factor) {
    const double bytes = std::max(span.payload_bytes_per_row, span.decoded_bytes_per_row / 4);
    return std::min({rows_within(factor * limits.target_bytes, bytes),
                     rows_within(factor * limits.target_flops, limits.flops_per_row), most});
  };
  const u64 rows = target(growth);
  if (chunk == 0) {
    const u64 grain = rows >= page_rows ? page_rows : rows >= tile_rows ? tile_rows : 1;
    return {rows / grain * grain, rows / grain * grain, false};
  }
  if (rows >= chunk) return {chunk, rows / chunk * chunk, false};
  const u64 longest = target(growth * limits.whole_chunk_factor);
  if (longest >= chunk) return {chunk, chunk, false};
  return {chunk, ceil_div(chunk, ceil_div(chunk, longest)), true};
}

/// At least the number of blocks that append() makes of the span.
u64 count_of(const PlanSpan& span, const Cut& cut) {
  const u64 per_chunk = cut.parts && cut.block < cut.unit ? ceil_div(cut.unit, cut.block) : 0;
  if (per_chunk == 0) return ceil_div(span.rows, cut.block) + 1;
  const u64 chunks = ceil_div(span.rows, cut.unit) + 1;
  return std::min(span.rows, chunks > no_limit / per_chunk ? no_limit : chunks * per_chunk);
}

/// The row (relative to the span) that ends the block which starts at `row`.
u64 block_end(const PlanSpan& span, const Cut& cut, u64 row, bool aligned) {
  const u64 left = span.rows - row;
  if (!aligned) return row + std::min(left, cut.block);
  const u64 in_unit = (row % cut.unit + span.phase % cut.unit) % cut.unit;
  const u64 length = cut.parts ? std::min(cut.block - in_unit % cut.block, cut.unit - in_unit) : cut.block - in_unit;
  return row + std::min(left, length);
}

void append(const PlanSpan& span, const Cut& cut, bool aligned, BlockPlan& plan, u64& group) {
  const u64 first = plan.boundaries.back();
  u64 chunk_of_group = 0;
  for (u64 row = 0; row < span.rows;) {
    const u64 chunk = cut.parts ? (row + span.phase) / span.chunk_rows : 0;
    if (!cut.parts || row == 0 || chunk != chunk_of_group) ++group;
    chunk_of_group = chunk;
    plan.groups.push_back(group);
    row = block_end(span, cut, row, aligned);
    plan.boundaries.push_back(first + row);
  }
}

void append_uneven(const PlanSpan& span, const PlanLimits& limits, double growth, BlockPlan& plan, u64& group) {
  const u64 first = plan.boundaries.back();
  for (u64 row = 0; row < span.rows;) {
    plan.groups.push_back(++group);
    row = uneven_end(span, limits, growth, row);
    plan.boundaries.push_back(first + row);
  }
}

void check_block_rows(std::span<const PlanSpan> spans, const PlanLimits& limits) {
  for (const PlanSpan& span : spans) {
    const u64 most = max_rows(span, limits);
    if (limits.block_rows > most && std::min(limits.block_rows, span.rows) > most)
      throw Error(ExitCode::usage, "blocks of " + std::to_string(limits.block_rows) + " rows are too large",
                  std::to_string(most) + " rows fit the memory limit", "lower --block-rows or raise --memory-per-rank");
  }
}

u64 count_all(std::span<const PlanSpan> spans, const PlanLimits& limits, double growth) {
  u64 total = 0;
  for (const PlanSpan& span : spans)
    if (span.rows != 0)
      total = std::min(no_limit, total + (span.offsets.empty() ? count_of(span, cut_of(span, limits, growth))
                                                               : uneven_count(span, limits, growth)));
  return total;
}

/// The factor on the targets that keeps max_blocks.
double find_growth(std::span<const PlanSpan> spans, const PlanLimits& limits) {
  double growth = 1;
  u64 count = count_all(spans, limits, growth);
  // Each file has at least one block, and two more may come from where a span starts and ends within its chunk grid.
  const u64 most = base::checked_add(limits.max_blocks, base::checked_mul(2, spans.size()));
  for (int attempt = 0; count > most && limits.block_rows == 0 && attempt < 200; ++attempt) {
    growth *= 2;
    count = count_all(spans, limits, growth);
  }
  if (count > most)
    throw Error(ExitCode::usage, "the input falls into " + std::to_string(count) + " blocks",
                "the limit is " + std::to_string(limits.max_blocks),
                limits.block_rows != 0 ? "raise --block-rows" : "raise --memory-per-rank");
  return growth;
}

}  // namespace

BlockPlan make_plan(std::span<const PlanSpan> spans, const PlanLimits& limits) {
  check_block_rows(spans, limits);
  u64 rows = 0;
  for (const PlanSpan& span : spans)
    rows = base::checked_add(rows, base::checked_add(span.rows, span.phase) - span.phase);
  const double growth = find_growth(spans, limits);

  BlockPlan plan;
  u64 group = 0;
  for (const PlanSpan& span : spans) {
    if (!span.offsets.empty()) {
      append_uneven(span, limits, growth, plan, group);
      continue;
    }
    append(span, cut_of(span, limits, growth), limits.block_rows == 0 && span.chunk_rows != 0, plan, group);
  }
  const bool grouped = !plan.groups.empty() && plan.groups.back() + 1 - plan.groups.front() < plan.blocks();
  if (!grouped) plan.groups = {};
  return plan;
}

}  // namespace h5score::sched
