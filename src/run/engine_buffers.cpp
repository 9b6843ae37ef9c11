// Division of the memory limit.
#include "engine_buffers.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <string>

namespace h5score::run {
namespace {
constexpr u64 most_credits = 3;  ///< one being scored, one waiting, one on its way
constexpr u64 most_worker_results = 2;
constexpr u64 most_result_slots = 16;
}  // namespace

BufferPlan plan_buffers(u64 memory, const BlockDemand& demand, u32 ranks) {
  const u64 payload = std::max<u64>(demand.payload, 1);
  const u64 result = std::max<u64>(demand.result, 1);
  const u64 pair = payload + result;
  if (pair > memory)
    throw base::Error(base::ExitCode::usage,
                      "block " + std::to_string(demand.largest_block) + " does not fit the memory limit",
                      std::to_string(pair) + " bytes of buffers are needed, " + std::to_string(memory) + " allowed",
                      "raise --memory-per-rank or lower --block-rows");
  BufferPlan plan;
  plan.master_scores = memory / 2 >= pair;
  const u64 rest = plan.master_scores ? memory - pair : memory;
  const u64 workers = ranks - 1;
  plan.result_slots =
      std::clamp<u64>(std::min(rest / 4, rest - payload) / result, 1, std::clamp<u64>(workers, 1, most_result_slots));
  plan.send_slots =
      std::clamp<u64>((rest - plan.result_slots * result) / payload, 1, std::max<u64>(1, workers * most_credits));
  plan.worker_results = std::clamp<u64>((memory - payload) / result, 1, most_worker_results);
  plan.worker_payloads = std::clamp<u64>((memory - plan.worker_results * result) / payload, 1, most_credits);
  return plan;
}

}  // namespace h5score::run
