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
    sent,    ///< a payload has left: its buffer is free again
    result,  ///< `worker` has finished `block` (worker 0: the master itself)
    lost,    ///< `worker` will not answer any more
    stop,    ///< hand out nothing more
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

struct MasterLimits {
  u32 ranks = 1;       ///< workers are 1..ranks-1, the master is 0
  u64 credits = 3;     ///< payloads that one worker may hold
  u64 send_slots = 3;  ///< payloads on their way at a time
  bool scores = true;  ///< the master scores too when every worker is supplied
};

/// Keeps every worker supplied, the hungriest first. The master itself scores only while no worker wants more, and may
/// go on supplying while it scores; so its share falls to nothing as the ranks grow. The last blocks, about one for
/// each rank, go out one by one to whoever has none, so that nobody hoards them.
class Master {
 public:
  Master(std::unique_ptr<sched::Policy> policy, MasterLimits limits);

  /// False if the event does not count: a result of a block that the worker does not hold.
  bool on(const MasterEvent& event, double now);
  /// The next payload to send, if a worker wants one and a send slot is free; it counts as under way.
  std::optional<Assignment> assignment(double now);
  /// A block for the master itself to score, if no worker wants more; none before the last one's result is told.
  std::optional<u64> own_block(double now);
  /// Every block is done, or after a stop all in hand are.
  [[nodiscard]] bool finished() const { return remaining() == 0 || (stopping_ && in_hand() == 0); }
  [[nodiscard]] u64 remaining() const { return policy_->remaining(); }

 private:
  struct Worker {
    u64 outstanding = 0;     ///< assigned, no result yet
    std::vector<u64> queue;  ///< from the policy, not assigned yet; reversed
    bool lost = false;
    bool dry = false;  ///< the policy has nothing for it
  };
  using Hungry = std::pair<u64, u32>;  ///< outstanding, worker

  bool refill(u32 worker, double now);
  bool on_result(u32 worker, u64 block, double now);
  void on_lost(u32 worker);
  void update_hunger(u32 worker, u64 outstanding_before);
  /// The worker to be supplied first, if any wants more.
  [[nodiscard]] std::optional<u32> hungriest() const;
  [[nodiscard]] u64 in_hand() const { return remote_in_hand_ + (scoring_here_ ? 1 : 0); }

  std::unique_ptr<sched::Policy> policy_;
  MasterLimits limits_;
  std::vector<Worker> workers_;
  std::set<Hungry> hungry_;  ///< workers with a free credit that are not known to be dry
  u64 slots_free_;
  u64 alive_;  ///< workers that are not lost, without the master
  u64 remote_in_hand_ = 0;
  bool scoring_here_ = false;
  bool stopping_ = false;
};

}  // namespace h5score::run
