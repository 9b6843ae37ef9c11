// run_blocks: chooses the loop that fits schedule, ranks and memory, and collects the ranks' reports.
#include "h5score/run/engine.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/comm/node_memory.hpp"

#include "engine_loops.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace h5score::run {
namespace {

/// From this many ranks on, the root of the static schedule scores nothing: feeding the others keeps it busy.
constexpr u32 static_root_scores_below = 9;

/// What every rank tells the root.
struct Hello {
  u64 lanes = 1;
  std::string host;
  bool node_memory = true;
};
template <class A>
void archive(A& ar, Hello& h) {
  ar(h.lanes, h.host, h.node_memory);
}

/// And at the end.
struct Farewell {
  RankReport report;
  bool told_to_stop = false;
};
template <class A>
void archive(A& ar, Farewell& f) {
  ar(f.report, f.told_to_stop);
}

enum class Mode : base::u8 { credits, rounds };

/// What the root tells every rank before the first block.
struct Setup {
  Mode mode = Mode::credits;
  std::vector<LaneBuffers> own;   ///< by rank
  comm::NodeMemoryTicket memory;  ///< no path: nothing is shared
  std::vector<u64> shared_slots;  ///< by rank
  u64 payload_bytes = 0;          ///< of a shared slot
  u64 result_bytes = 0;
};
template <class A>
void archive(A& ar, Setup& s) {
  ar(s.mode, s.own, s.memory, s.shared_slots, s.payload_bytes, s.result_bytes);
}

/// Where rank r's slots lie.
base::RowRange shared_part(const Setup& setup, u32 r) {
  constexpr u64 page = comm::NodeMemory::page;
  const auto bytes = [&](u64 slots) {
    return (slots * (setup.payload_bytes + setup.result_bytes) + page - 1) / page * page;
  };
  u64 begin = 0;
  for (u32 w = 0; w < r; ++w) begin += bytes(setup.shared_slots[w]);
  return {begin, begin + bytes(setup.shared_slots[r])};
}

SharedSlots slots_in(std::span<std::byte> memory, const Setup& setup, u32 r) {
  return {memory, setup.shared_slots[r], setup.payload_bytes, setup.result_bytes};
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

std::vector<Hello> gather_hellos(Rank& rank, const EngineOptions& options) {
  std::vector<Hello> hellos;
  const Hello mine{rank.lanes.size(), rank.comm.host(), options.node_memory};
  for (const base::Bytes& hello : rank.comm.gather(base::to_bytes(mine)))
    hellos.push_back(base::from_bytes<Hello>(hello));
  return hellos;
}

/// Ranks on the root's host, where payloads are large enough to be worth it.
std::vector<bool> may_share(const std::vector<Hello>& hellos, const BlockDemand& demand) {
  std::vector<bool> shares(hellos.size(), false);
  for (std::size_t w = 1; w < hellos.size(); ++w)
    shares[w] = !demand.tiny() && hellos[0].node_memory && hellos[w].host == hellos[0].host;
  return shares;
}

/// Each rank's slots, as far as it could attach to the memory; none for the others. Collective if there is memory.
std::vector<SharedSlots> collect_shared(Rank& rank, const Setup& setup, const std::optional<comm::NodeMemory>& memory) {
  std::vector<SharedSlots> shared(rank.comm.size());
  if (!memory) return shared;
  const auto attached = rank.comm.gather(base::to_bytes(false));
  for (u32 w = 1; w < rank.comm.size(); ++w) {
    const auto part = shared_part(setup, w);
    if (base::from_bytes<bool>(attached[w]))
      shared[w] = slots_in(memory->span().subspan(part.begin, part.size()), setup, w);
  }
  return shared;
}

LoopResult run_root(Rank& rank, const std::vector<u64>& todo, const RootEnds& ends) {
  const EngineOptions& options = ends.options;
  const u32 ranks = rank.comm.size();
  const std::vector<Hello> hellos = gather_hellos(rank, options);
  std::vector<u64> lanes;
  for (const Hello& hello : hellos) lanes.push_back(hello.lanes);
  const BlockDemand demand = demand_of(todo, ends.source, rank);
  BufferPlan buffers = plan_buffers(options.memory_per_rank, demand, lanes, may_share(hellos, demand));
  sched::Work work = work_of(todo, ends.source, rank.plan, ranks);
  work.worker0_works = buffers.master_scores && ranks < static_root_scores_below;
  if (ranks == 1)
    return run_master(rank, sched::make_policy(options.schedule, std::move(work)), buffers, {SharedSlots{}}, ends);

  Setup setup;
  setup.own = buffers.own;
  setup.shared_slots = buffers.shared_slots;
  setup.payload_bytes = demand.payload;
  setup.result_bytes = demand.result;
  std::optional<comm::NodeMemory> memory;
  if (const u64 bytes = shared_part(setup, ranks - 1).end; bytes > 0) memory = comm::NodeMemory::create(bytes);
  if (memory) setup.memory = memory->ticket();
  Rounds rounds;
  const bool one_lane = std::all_of(lanes.begin(), lanes.end(), [](u64 l) { return l == 1; });
  const bool all_share =
      memory && std::all_of(setup.shared_slots.begin() + 1, setup.shared_slots.end(), [](u64 s) { return s > 0; });
  if (options.schedule == Schedule::static_ && one_lane && !all_share) {
    rounds = make_rounds(rank, work, ends.source);
    if (rounds_fit(rounds, demand, options.memory_per_rank)) {
      setup.mode = Mode::rounds;
      setup.memory = {};
    }
  }
  base::Bytes message = base::to_bytes(setup);
  rank.comm.broadcast(message);
  if (setup.mode == Mode::rounds) return run_rounds_root(rank, rounds, ends);
  const auto shared = collect_shared(rank, setup, memory);
  return run_master(rank, sched::make_policy(options.schedule, std::move(work)), buffers, shared, ends);
}

LoopResult run_other(Rank& rank, const EngineOptions& options) {
  gather_hellos(rank, options);
  base::Bytes message;
  rank.comm.broadcast(message);
  const auto setup = base::from_bytes<Setup>(message);
  if (setup.mode == Mode::rounds) return run_rounds_worker(rank);
  std::optional<comm::NodeMemory> memory;
  if (!setup.memory.path.empty()) {
    const u64 slots = setup.shared_slots[rank.comm.rank()];
    const auto part = shared_part(setup, rank.comm.rank());
    if (slots > 0 && options.node_memory) memory = comm::NodeMemory::attach(setup.memory, part.begin, part.size());
    rank.comm.gather(base::to_bytes(memory.has_value()));
  }
  const SharedSlots shared = memory ? slots_in(memory->span(), setup, rank.comm.rank()) : SharedSlots{};
  return run_worker(rank, setup.own[rank.comm.rank()], shared);
}

}  // namespace

EngineResult run_blocks(comm::Communicator& comm, const sched::BlockPlan& plan, const std::vector<u64>& todo,
                        BlockSource* source, const std::vector<BlockScorer*>& lanes, BlockSink* sink,
                        const EngineOptions& options) {
  if (comm.root() && (source == nullptr || sink == nullptr))
    throw base::Error(base::ExitCode::internal, "rank 0 has no source or no sink");
  if (lanes.empty()) throw base::Error(base::ExitCode::internal, "a rank has no lane");
  Rank rank(comm, plan, lanes, options);
  const LoopResult loop = comm.root() ? run_root(rank, todo, {*source, *sink, options}) : run_other(rank, options);
  rank.clock.to(&PhaseTimes::idle);
  EngineResult result;
  // A rank that ran out of blocks early waits here for the others.
  result.stopped = rank.stop.agree(loop.stopped);
  rank.finish_report(loop.buffer_bytes);
  result.loop_seconds = comm.root() ? rank.clock.charged() : 0;
  rank.set_pump([] { return false; });
  const auto farewells = comm.gather(base::to_bytes(Farewell{rank.report, rank.stop.told()}));
  for (u32 r = 0; r < farewells.size(); ++r) {
    const auto farewell = base::from_bytes<Farewell>(farewells[r]);
    if (farewell.told_to_stop) rank.stop.receive_late(r);
    result.ranks.push_back(farewell.report);
  }
  return result;
}

}  // namespace h5score::run
