// The master's decisions in the credit engine, as a state machine that sees no communicator and no clock: tests script
// any order of messages, loss and failure.
#pragma once

#include "h5score/sched/policy.hpp"

#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace h5score::run {

using base::u32;
using base::u64;

/// What happened, as the master is told.
struct MasterEvent {
  enum class Kind : base::u8 {
    sent,      ///< a payload has left: its buffer is free again
    result,    ///< `worker` has finished `block` (worker 0: the master itself)
    lost,      ///< `worker` will not answer any more
    stop,      ///< hand out nothing more
    returned,  ///< after a stop: `worker` has not begun `block` and will not
  };
  Kind kind = Kind::sent;
  u32 worker = 0;
  u64 block = 0;
};

/// A block to be fetched and sent.
struct Assignment {
  u32 worker = 0;
  u64 block = 0;
};

struct RankLimits {
  u64 lanes = 1;    ///< blocks that it scores at a time
  u64 credits = 3;  ///< blocks that it may hold: lanes of them being scored, the others on their way or waiting
};

struct MasterLimits {
  std::vector<RankLimits> ranks;  ///< the master is 0
  u64 send_slots = 3;             ///< payloads on their way at a time
  bool scores = true;             ///< the master scores too
};

/// Keeps every worker supplied, the hungriest first. The master's first lane is the thread that supplies the others, so
/// it scores only while no worker wants more, and may go on supplying while it scores: its share falls to nothing as
/// the ranks grow. The master's other lanes are supplied like a worker's. The last blocks, about one for each lane, go
/// out one by one to whoever has a lane without, so that nobody hoards them.
class Master {
 public:
  Master(std::unique_ptr<sched::Policy> policy, MasterLimits limits);

  /// False if the event does not count: a result of a block that the worker does not hold.
  bool on(const MasterEvent& event, double now);
  /// The next payload to send, if a worker wants one and a send slot is free; it counts as under way.
  std::optional<Assignment> assignment(double now);
  /// A block for the master itself to score, if it may have one now; it is held until its result is told.
  std::optional<u64> own_block(double now);
  /// Every block is done, or after a stop all in hand are.
  [[nodiscard]] bool finished() const { return remaining() == 0 || (stopping_ && in_hand_ == 0); }
  [[nodiscard]] u64 remaining() const { return policy_->remaining(); }

 private:
  struct Worker {
    u64 outstanding = 0;     ///< assigned, no result yet
    std::vector<u64> queue;  ///< from the policy, not assigned yet; reversed
    bool lost = false;
    bool dry = false;  ///< the policy has nothing for it
  };
  using Hungry = std::pair<u64, u32>;  ///< fullness, worker

  bool refill(u32 worker, double now);
  bool on_result(u32 worker, u64 block, double now);
  bool on_returned(u32 worker);
  void on_lost(u32 worker);
  void update_hunger(u32 worker, u64 outstanding_before);
  /// The worker to be supplied first, if any wants more.
  [[nodiscard]] std::optional<u32> hungriest() const;
  /// False near the end for a rank all of whose lanes are busy: the block had better wait for whoever is first.
  [[nodiscard]] bool may_hold_more(u32 rank) const;
  /// Blocks held for each lane, in fixed point.
  [[nodiscard]] u64 fullness(u32 rank, u64 outstanding) const { return outstanding * 1024 / limits_.ranks[rank].lanes; }

  std::unique_ptr<sched::Policy> policy_;
  MasterLimits limits_;
  std::vector<Worker> workers_;
  std::set<Hungry> hungry_;  ///< workers with a free credit that are not known to be dry
  u64 slots_free_;
  u64 alive_;  ///< workers that are not lost, without the master
  u64 in_hand_ = 0;
  bool stopping_ = false;
};

}  // namespace h5score::run
