// The engine: hands the blocks of a plan to ranks, moves payloads and results, and sees every block written once.
// It knows neither HDF5 nor models: a source, a scorer and a sink do the work.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"
#include "h5score/comm/communicator.hpp"
#include "h5score/run/report.hpp"
#include "h5score/sched/plan.hpp"
#include "h5score/sched/policy.hpp"

#include <functional>
#include <vector>

namespace h5score::run {

/// Called often (every 0.25 ms or more often) during long work so that pending transfers make progress; cheap. To be
/// called by the thread that called the function it was given to, never by a worker thread of it. May throw: let it
/// pass.
using Poll = std::function<void()>;

/// Root only: gives a block's payload (bytes as stored plus the recipe to decode them).
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  /// Upper bound of fetch()'s payload size for this block, without I/O. Buffers and static rounds are sized by it.
  virtual u64 payload_bound(u64 block) const = 0;
  /// Resizes `payload`, never above payload_bound(block), and fills it. May be called inside a poll of score(),
  /// never inside one of its own or of write().
  virtual void fetch(u64 block, base::AlignedBuffer& payload, const Poll& poll) = 0;
};

/// Every rank: turns a payload into a block's result bytes. Each is a lane of its rank: used by one thread at a time.
class BlockScorer {
 public:
  virtual ~BlockScorer() = default;
  /// Exact size of a block's results.
  virtual u64 result_bytes(u64 block) const = 0;
  /// `payload` starts at a 64-byte boundary, `results` too and has result_bytes(block) bytes. Adds its own times to
  /// fetch, decode, score and write of `phases`; what it does not account for counts as score. Only in the first lane
  /// does `poll` do anything: the others run on threads of the engine.
  virtual void score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
                     const Poll& poll) = 0;
};

/// An error that names its place itself, which need not be the block at hand: the engine adds none.
class PlacedError : public base::Error {
 public:
  using base::Error::Error;
};

/// Root only: takes results, in any order, each block once.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  /// May be called inside a poll of score(), never inside one of its own or of fetch().
  virtual void write(u64 block, base::ByteView results, base::u32 crc, const Poll& poll) = 0;
};

using sched::Schedule;
using sched::to_string;

struct EngineOptions {
  Schedule schedule = Schedule::dynamic;
  /// Bound of payload and result buffers on each rank. Error(usage) if not even one block fits.
  u64 memory_per_rank = u64{1} << 30;
  /// Ranks on the root's host read payloads and leave results in memory that they share with it, where that can be had;
  /// elsewhere, or where this is false at either end, these travel as messages.
  bool node_memory = true;
  /// Asked by every rank, also during long work; cheap. True on any rank stops the run after the blocks that are being
  /// scored (they are still written); blocks that are only assigned are given back.
  std::function<bool()> stop_requested;
  /// Told by the root after each block is written: blocks done so far, rows done so far.
  std::function<void(u64 blocks, u64 rows)> on_progress;
};

struct EngineResult {
  std::vector<RankReport> ranks;  ///< at the root; empty elsewhere
  double loop_seconds = 0;        ///< first fetch to last write, at the root
  bool stopped = false;           ///< on every rank: a stop request left blocks undone
};

/// Scores all blocks of `plan` that `todo` names (ascending, at the root; ignored elsewhere). Collective: every rank of
/// `comm` calls it with the same plan and options. `lanes`: this rank's scorers, at least one; ranks may have different
/// numbers. Each lane scores one block at a time: the first in the calling thread, each other one in a thread of the
/// engine that takes no signals. Where the memory limit does not allow a block for each lane, some stay idle. `source`
/// and `sink` are used at rank 0 only and may be null elsewhere. A rank whose source, scorer or sink throws makes
/// run_blocks throw on that rank with the block in the message; the caller reports and aborts the communicator, so no
/// rank waits for ever.
EngineResult run_blocks(comm::Communicator& comm, const sched::BlockPlan& plan, const std::vector<u64>& todo,
                        BlockSource* source, const std::vector<BlockScorer*>& lanes, BlockSink* sink,
                        const EngineOptions& options);

}  // namespace h5score::run
