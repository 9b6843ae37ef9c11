// Division of the memory limit.
#include "engine_buffers.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <string>

namespace h5score::run {
namespace {

constexpr u64 most_result_slots = 16;
constexpr u64 page = 4096;  // what a worker shares is rounded up to pages
// Sends on their way at a time: enough to keep a network busy, few enough that the root stays small by default.
constexpr u64 send_bytes = u64{24} << 20;
constexpr u64 fewest_sends = 3;

/// Blocks that a worker should hold: beside those being scored, one that waits and one on its way. More would come
/// too late to a rank that turns out slow, and delay a stop.
u64 wanted_blocks(u64 lanes) {
  return lanes + 2;
}

/// What `memory` allows of `lanes` and `payloads`.
LaneBuffers fit(u64 memory, const BlockDemand& demand, u64 lanes, u64 payloads, u64 results) {
  LaneBuffers buffers;
  const u64 pair = demand.payload + demand.result;
  buffers.lanes = std::clamp<u64>(memory / pair, 1, lanes);
  u64 rest = memory - std::min(memory, buffers.lanes * pair);
  const u64 more_results = std::min(rest / 2 / demand.result, results - std::min(results, buffers.lanes));
  rest -= more_results * demand.result;
  buffers.results = buffers.lanes + more_results;
  buffers.payloads = buffers.lanes + std::min(rest / demand.payload, payloads - std::min(payloads, buffers.lanes));
  return buffers;
}

/// Slots for each worker that shares memory with the master, at most as many as it wants: all get the same share of
/// `memory`.
std::vector<u64> share_out(u64 memory, const BlockDemand& demand, const std::vector<LaneBuffers>& own,
                           const std::vector<bool>& shares) {
  std::vector<u64> slots(own.size(), 0);
  const auto sharers = static_cast<u64>(std::count(shares.begin(), shares.end(), true));
  if (sharers == 0) return slots;
  const u64 most = (std::max(memory / sharers, page) - page) / (demand.payload + demand.result);
  for (std::size_t w = 1; w < own.size(); ++w)
    if (shares[w]) slots[w] = std::min({most, own[w].payloads, own[w].lanes + 1});
  return slots;
}

}  // namespace

BufferPlan plan_buffers(u64 memory, const BlockDemand& asked, const std::vector<u64>& lanes,
                        const std::vector<bool>& shares) {
  BlockDemand demand = asked;
  demand.payload = std::max<u64>(demand.payload, 1);
  demand.result = std::max<u64>(demand.result, 1);
  const u64 pair = demand.payload + demand.result;
  if (pair > memory)
    throw base::Error(base::ExitCode::usage,
                      "block " + std::to_string(demand.largest_block) + " does not fit the memory limit",
                      std::to_string(pair) + " bytes of buffers are needed, " + std::to_string(memory) + " allowed",
                      "raise --memory-per-rank or lower --block-rows");
  BufferPlan plan;
  const u64 workers = lanes.size() - 1;
  plan.master_scores = workers == 0 || memory / 2 >= pair;
  // The master's first lane fetches its blocks itself, one at a time.
  const u64 ahead = lanes[0] == 1 ? 1 : wanted_blocks(lanes[0]);
  plan.own.push_back(fit(workers == 0 ? memory : memory / 2, demand, lanes[0], ahead, ahead));
  plan.shared_slots.assign(lanes.size(), 0);
  if (workers == 0) return plan;
  u64 rest = memory;
  if (plan.master_scores) rest -= plan.own[0].payloads * demand.payload + plan.own[0].results * demand.result;
  u64 most_credits = 0;
  for (u64 w = 1; w <= workers; ++w) {
    const u64 wanted = wanted_blocks(lanes[w]);
    plan.own.push_back(fit(memory, demand, lanes[w], wanted, lanes[w] + 1));
    most_credits += plan.own.back().payloads;
  }
  plan.shared_slots = share_out(rest - std::min(rest, pair), demand, plan.own, shares);
  for (const u64 slots : plan.shared_slots)
    if (slots > 0) rest -= slots * pair + page;
  const u64 most_results = std::min(workers, most_result_slots);
  plan.result_slots = std::clamp<u64>(std::min(rest / 4, rest - demand.payload) / demand.result, 1, most_results);
  const u64 most_sends = std::clamp<u64>(std::max(send_bytes / demand.payload, fewest_sends), 1, most_credits);
  plan.send_slots = std::clamp<u64>((rest - plan.result_slots * demand.result) / demand.payload, 1, most_sends);
  return plan;
}

}  // namespace h5score::run
