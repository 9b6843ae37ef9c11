// Bookkeeping common to all policies.
#include "policy_base.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>

namespace h5score::sched {

const char* to_string(Schedule schedule) {
  switch (schedule) {
    case Schedule::static_:
      return "static";
    case Schedule::dynamic:
      return "dynamic";
    case Schedule::guided:
      return "guided";
  }
  return "unknown";
}

std::unique_ptr<Policy> make_policy(Schedule schedule, Work work) {
  switch (schedule) {
    case Schedule::static_:
      return make_static(std::move(work));
    case Schedule::dynamic:
      return make_dynamic(std::move(work));
    case Schedule::guided:
      return make_guided(std::move(work));
  }
  throw base::Error(base::ExitCode::internal, "an unknown schedule");
}

void check(const Work& work) {
  const auto n = work.blocks.size();
  const bool parallel = work.weights.size() == n && (work.groups.empty() || work.groups.size() == n);
  const bool positive = std::all_of(work.weights.begin(), work.weights.end(), [](double w) { return w > 0; });
  if (!parallel || !positive || work.workers == 0 || !std::is_sorted(work.blocks.begin(), work.blocks.end()))
    throw base::Error(base::ExitCode::internal, "a policy was given inconsistent work");
}

PolicyBase::PolicyBase(Work work) : work_(std::move(work)), remaining_(work_.blocks.size()) {
  check(work_);
  holder_.assign(work_.blocks.size(), nobody);
  alive_.assign(work_.workers, true);
}

Next PolicyBase::next(u32 worker, double now) {
  if (remaining_ == 0 || !alive(worker)) return {Next::Kind::done, {}};
  std::vector<u64> taken = take(worker, now);
  if (taken.empty()) return {Next::Kind::wait, {}};
  for (u64& index : taken) {
    holder_[index] = worker;
    index = work_.blocks[index];
  }
  return {Next::Kind::blocks, std::move(taken)};
}

bool PolicyBase::done(u32 worker, u64 block, double now) {
  const auto found = std::lower_bound(work_.blocks.begin(), work_.blocks.end(), block);
  if (found == work_.blocks.end() || *found != block) return false;
  const auto index = static_cast<u64>(found - work_.blocks.begin());
  if (holder_[index] != worker) return false;
  holder_[index] = nobody;
  --remaining_;
  learn(worker, index, now);
  return true;
}

void PolicyBase::lost(u32 worker) {
  if (!alive(worker)) return;
  alive_[worker] = false;
  std::vector<Stretch> held;
  for (u64 i = 0; i < holder_.size(); ++i) {
    if (holder_[i] != worker) continue;
    holder_[i] = nobody;
    if (!held.empty() && held.back().end == i) {
      ++held.back().end;
    } else {
      held.push_back({i, i + 1});
    }
  }
  give_back(worker, held);
}

u64 PolicyBase::group_end(u64 begin) const {
  u64 end = begin + 1;
  if (work_.groups.empty()) return end;
  while (end < size() && work_.groups[end] == work_.groups[begin]) ++end;
  return end;
}

}  // namespace h5score::sched
