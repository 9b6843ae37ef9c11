// Decisions of the master.
#include "h5score/run/master.hpp"

#include "h5score/base/error.hpp"

namespace h5score::run {

Master::Master(std::unique_ptr<sched::Policy> policy, MasterLimits limits)
    : policy_(std::move(policy)),
      limits_(std::move(limits)),
      workers_(limits_.ranks.size()),
      slots_free_(limits_.send_slots),
      alive_(limits_.ranks.size() - 1) {
  for (u32 w = 1; w < workers_.size(); ++w) hungry_.emplace(0, w);
}

bool Master::on(const MasterEvent& event, double now) {
  switch (event.kind) {
    case MasterEvent::Kind::sent:
      ++slots_free_;
      return true;
    case MasterEvent::Kind::result:
      return on_result(event.worker, event.block, now);
    case MasterEvent::Kind::lost:
      on_lost(event.worker);
      return true;
    case MasterEvent::Kind::stop:
      stopping_ = true;
      return true;
    case MasterEvent::Kind::returned:
      return on_returned(event.worker);
  }
  return false;
}

std::optional<Assignment> Master::assignment(double now) {
  if (stopping_ || slots_free_ == 0) return std::nullopt;
  while (const auto worker = hungriest()) {
    if (!refill(*worker, now)) continue;
    Worker& w = workers_[*worker];
    const u64 block = w.queue.back();
    w.queue.pop_back();
    --slots_free_;
    ++in_hand_;
    update_hunger(*worker, w.outstanding++);
    return Assignment{*worker, block};
  }
  return std::nullopt;
}

std::optional<u64> Master::own_block(double now) {
  Worker& me = workers_[0];
  const RankLimits& mine = limits_.ranks[0];
  const bool may_score = limits_.scores || alive_ == 0;
  if (stopping_ || !may_score || me.outstanding >= mine.credits) return std::nullopt;
  const bool for_other_lanes = me.outstanding + 1 < mine.lanes;
  if ((!for_other_lanes && hungriest()) || !may_hold_more(0) || !refill(0, now)) return std::nullopt;
  const u64 block = me.queue.back();
  me.queue.pop_back();
  ++me.outstanding;
  ++in_hand_;
  return block;
}

std::optional<u32> Master::hungriest() const {
  if (hungry_.empty() || !may_hold_more(hungry_.begin()->second)) return std::nullopt;
  return hungry_.begin()->second;
}

bool Master::may_hold_more(u32 rank) const {
  const u64 outstanding = workers_[rank].outstanding;
  const u64 lanes = limits_.ranks[rank].lanes;
  const u64 not_assigned = remaining() - in_hand_;
  return outstanding < lanes || not_assigned >= (outstanding - lanes + 1) * workers_.size();
}

/// True if the worker's queue holds a block afterwards; else it counts as dry.
bool Master::refill(u32 worker, double now) {
  Worker& w = workers_[worker];
  if (!w.queue.empty()) return true;
  if (w.dry) return false;
  sched::Next more = policy_->next(worker, now);
  if (more.kind == sched::Next::Kind::blocks) {
    w.queue.assign(more.blocks.rbegin(), more.blocks.rend());
    return true;
  }
  w.dry = true;
  hungry_.erase({fullness(worker, w.outstanding), worker});
  return false;
}

bool Master::on_result(u32 worker, u64 block, double now) {
  Worker& w = workers_.at(worker);
  if (w.lost || !policy_->done(worker, block, now)) return false;
  --in_hand_;
  const u64 before = w.outstanding--;
  if (worker != 0) update_hunger(worker, before);
  return true;
}

// The block stays undone: after a stop nobody asks the policy again.
bool Master::on_returned(u32 worker) {
  Worker& w = workers_.at(worker);
  if (!stopping_ || w.lost || w.outstanding == 0) return false;
  --w.outstanding;
  --in_hand_;
  return true;
}

void Master::on_lost(u32 worker) {
  Worker& w = workers_.at(worker);
  if (worker == 0 || w.lost)
    throw base::Error(base::ExitCode::internal, "rank " + std::to_string(worker) + " cannot be lost");
  w.lost = true;
  --alive_;
  hungry_.erase({fullness(worker, w.outstanding), worker});
  in_hand_ -= w.outstanding;
  w.outstanding = 0;
  w.queue.clear();
  policy_->lost(worker);
  // Its blocks may go to those that had nothing left to do.
  for (u32 other = 1; other < workers_.size(); ++other) {
    workers_[other].dry = false;
    update_hunger(other, workers_[other].outstanding);
  }
  workers_[0].dry = false;
}

void Master::update_hunger(u32 worker, u64 outstanding_before) {
  const Worker& w = workers_[worker];
  hungry_.erase({fullness(worker, outstanding_before), worker});
  if (!w.lost && !w.dry && w.outstanding < limits_.ranks[worker].credits)
    hungry_.emplace(fullness(worker, w.outstanding), worker);
}

}  // namespace h5score::run
