// The loops of the engine, one per role. Private to run.
#pragma once

#include "h5score/run/engine.hpp"
#include "h5score/sched/policy.hpp"

#include "engine_buffers.hpp"
#include "engine_rank.hpp"

namespace h5score::run {

/// What a loop reports back: bytes of buffers it held at most, and whether a stop request left blocks undone.
struct LoopResult {
  u64 buffer_bytes = 0;
  bool stopped = false;
};

/// The root's ends of a run.
struct RootEnds {
  BlockSource& source;
  BlockSink& sink;
  const EngineOptions& options;
};

/// Counts written blocks and rows, and tells EngineOptions::on_progress.
class ProgressCount {
 public:
  explicit ProgressCount(const EngineOptions& options) : options_(options) {}
  void add(u64 rows) {
    ++blocks_;
    rows_ += rows;
    if (options_.on_progress) options_.on_progress(blocks_, rows_);
  }

 private:
  const EngineOptions& options_;
  u64 blocks_ = 0;
  u64 rows_ = 0;
};

/// The part of the node's memory that the root shares with one worker. The root chooses a slot for each block, reads
/// the payload into it and finds the results there; only SlotMessages travel. Without slots, payloads and results do.
struct SharedSlots {
  std::span<std::byte> memory;
  u64 slots = 0;
  u64 payload_bytes = 0;
  u64 result_bytes = 0;
  [[nodiscard]] std::span<std::byte> payload(u64 slot) const {
    return memory.subspan(slot * (payload_bytes + result_bytes), payload_bytes);
  }
  [[nodiscard]] std::span<std::byte> results(u64 slot, u64 bytes) const {
    return memory.subspan(slot * (payload_bytes + result_bytes) + payload_bytes, bytes);
  }
};

struct SlotMessage {
  u64 block = 0;
  u64 slot = 0;
  u64 value = 0;  ///< to the worker: bytes of the payload; back: CRC-32 of the results
};

// Credits: the master supplies a worker while it has fewer than its credits in hand. One rank alone is a master without
// workers. `shared` by rank.
LoopResult run_master(Rank& rank, std::unique_ptr<sched::Policy> policy, const BufferPlan& buffers,
                      const std::vector<SharedSlots>& shared, const RootEnds& ends);
LoopResult run_worker(Rank& rank, const LaneBuffers& buffers, const SharedSlots& shared);

// Rounds: one scatter of payloads and one gather of results each, the next scatter in flight while a round is scored.
struct Rounds {
  std::vector<std::vector<u64>> owners;  ///< by rank: its block in each round
  u64 rounds = 0;
  u64 payload_bytes = 0;  ///< of the largest scatter
  u64 result_bytes = 0;   ///< of the largest gather
};
Rounds make_rounds(Rank& rank, const sched::Work& work, const BlockSource& source);
/// Two scatters, two gathers and the root's own blocks fit `memory`, and one collective stays below 2^31 bytes.
[[nodiscard]] bool rounds_fit(const Rounds& rounds, const BlockDemand& demand, u64 memory);
LoopResult run_rounds_root(Rank& rank, const Rounds& rounds, const RootEnds& ends);
LoopResult run_rounds_worker(Rank& rank);

}  // namespace h5score::run
