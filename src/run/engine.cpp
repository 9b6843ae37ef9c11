// run_blocks: chooses the loop that fits schedule, ranks and memory, and collects the ranks' reports.
#include "h5score/run/engine.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"

#include "engine_loops.hpp"

#include <algorithm>
#include <numeric>

namespace h5score::run {
namespace {

/// From this many ranks on, the root of the static schedule scores nothing: feeding the others keeps it busy.
constexpr u32 static_root_scores_below = 9;

enum class Mode : base::u8 { credits, rounds };

/// What the root tells every rank before the first block.
struct Setup {
  Mode mode = Mode::credits;
  u64 payload_slots = 1;
  u64 result_slots = 1;
};
template <class A>
void archive(A& ar, Setup& s) {
  ar(s.mode, s.payload_slots, s.result_slots);
}

u64 buffer_size(u64 bytes) {
  constexpr u64 alignment = base::AlignedBuffer::alignment;
  return (bytes + sizeof(BlockTrailer) + alignment - 1) / alignment * alignment;
}

BlockDemand demand_of(const std::vector<u64>& todo, const BlockSource& source, const Rank& rank) {
  BlockDemand demand;
  u64 most = 0;
  for (const u64 block : todo) {
    const u64 payload = buffer_size(source.payload_bound(block));
    const u64 result = buffer_size(rank.result_bytes(block));
    demand.payload = std::max(demand.payload, payload);
    demand.result = std::max(demand.result, result);
    if (payload + result > most) {
      most = payload + result;
      demand.largest_block = block;
    }
  }
  return demand;
}

/// A block's cost: half by its share of the bytes (decoding), half by its share of the rows (scoring).
sched::Work work_of(const std::vector<u64>& todo, const BlockSource& source, const sched::BlockPlan& plan, u32 ranks) {
  sched::Work work;
  work.blocks = todo;
  work.workers = ranks;
  double bytes = 0;
  double rows = 0;
  for (const u64 block : todo) {
    bytes += static_cast<double>(source.payload_bound(block));
    rows += static_cast<double>(plan.range(block).size());
    if (!plan.groups.empty()) work.groups.push_back(plan.groups[block]);
  }
  for (const u64 block : todo)
    work.weights.push_back(static_cast<double>(source.payload_bound(block)) / std::max(bytes, 1.0) +
                           static_cast<double>(plan.range(block).size()) / std::max(rows, 1.0));
  return work;
}

LoopResult run_root(Rank& rank, const std::vector<u64>& todo, const RootEnds& ends) {
  const EngineOptions& options = ends.options;
  const BlockDemand demand = demand_of(todo, ends.source, rank);
  const BufferPlan buffers = plan_buffers(options.memory_per_rank, demand, rank.comm.size());
  if (rank.comm.size() == 1) return run_alone(rank, todo, ends);

  sched::Work work = work_of(todo, ends.source, rank.plan, rank.comm.size());
  work.worker0_works = buffers.master_scores && rank.comm.size() < static_root_scores_below;
  Setup setup{Mode::credits, buffers.worker_payloads, buffers.worker_results};
  Rounds rounds;
  if (options.schedule == Schedule::static_) {
    rounds = make_rounds(rank, work, ends.source);
    if (rounds_fit(rounds, demand, options.memory_per_rank)) setup.mode = Mode::rounds;
  }
  base::Bytes message = base::to_bytes(setup);
  rank.comm.broadcast(message);
  if (setup.mode == Mode::rounds) return run_rounds_root(rank, rounds, ends);
  return run_master(rank, sched::make_policy(options.schedule, std::move(work)), buffers, ends);
}

LoopResult run_other(Rank& rank) {
  base::Bytes message;
  rank.comm.broadcast(message);
  const auto setup = base::from_bytes<Setup>(message);
  if (setup.mode == Mode::rounds) return run_rounds_worker(rank);
  return run_worker(rank, setup.payload_slots, setup.result_slots);
}

}  // namespace

LoopResult run_alone(Rank& rank, const std::vector<u64>& todo, const RootEnds& ends) {
  base::AlignedBuffer payload;
  base::AlignedBuffer results;
  ProgressCount progress(ends.options);
  const auto held = [&] { return payload.capacity() + results.capacity(); };
  for (const u64 block : todo) {
    if (stop_requested(ends.options)) return {held(), true};
    rank.fetch(ends.source, block, payload, 0);
    results.resize(rank.result_bytes(block));
    const u32 crc = rank.score(block, payload.view(), results.span());
    rank.write(ends.sink, block, results.view(), crc);
    progress.add(rank.plan.range(block).size());
  }
  return {held(), false};
}

EngineResult run_blocks(comm::Communicator& comm, const sched::BlockPlan& plan, const std::vector<u64>& todo,
                        BlockSource* source, BlockScorer& scorer, BlockSink* sink, const EngineOptions& options) {
  if (comm.root() && (source == nullptr || sink == nullptr))
    throw base::Error(base::ExitCode::internal, "rank 0 has no source or no sink");
  Rank rank(comm, plan, scorer);
  const LoopResult loop = comm.root() ? run_root(rank, todo, {*source, *sink, options}) : run_other(rank);
  rank.finish_report(loop.buffer_bytes);
  EngineResult result;
  result.loop_seconds = comm.root() ? rank.clock.charged() : 0;
  result.stopped = loop.stopped;
  rank.set_pump([] { return false; });
  for (const base::Bytes& report : comm.gather(base::to_bytes(rank.report)))
    result.ranks.push_back(base::from_bytes<RankReport>(report));
  return result;
}

}  // namespace h5score::run
