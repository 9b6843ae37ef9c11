// What all policies share: who holds which block. Private to sched.
#pragma once

#include "h5score/sched/policy.hpp"

namespace h5score::sched {

/// Indices [begin, end) into Work::blocks.
struct Stretch {
  u64 begin = 0;
  u64 end = 0;
  [[nodiscard]] bool empty() const { return begin == end; }
  [[nodiscard]] u64 size() const { return end - begin; }
};

class PolicyBase : public Policy {
 public:
  explicit PolicyBase(Work work);
  Next next(u32 worker, double now) final;
  bool done(u32 worker, u64 block, double now) final;
  void lost(u32 worker) final;
  [[nodiscard]] u64 remaining() const final { return remaining_; }

 protected:
  /// Takes indices for `worker` out of what is not handed out; empty if nothing is left for it.
  virtual std::vector<u64> take(u32 worker, double now) = 0;
  /// Everything of `worker` that is not done comes back: what it held, and what take() had reserved for it.
  virtual void give_back(u32 worker, const std::vector<Stretch>& held) = 0;
  virtual void learn(u32 /*worker*/, u64 /*index*/, double /*now*/) {}

  [[nodiscard]] const Work& work() const { return work_; }
  [[nodiscard]] u64 size() const { return work_.blocks.size(); }
  [[nodiscard]] bool alive(u32 worker) const { return alive_[worker]; }
  /// End of the group that index `begin` belongs to.
  [[nodiscard]] u64 group_end(u64 begin) const;

 private:
  static constexpr u32 nobody = ~u32{0};
  Work work_;
  std::vector<u32> holder_;  ///< by index: the worker that has it in hand, or nobody (not handed out, or done)
  std::vector<bool> alive_;
  u64 remaining_;
};

/// Work::groups is checked to be empty or parallel, weights to be positive; throws Error(internal).
void check(const Work& work);

std::unique_ptr<Policy> make_static(Work work);
std::unique_ptr<Policy> make_dynamic(Work work);
std::unique_ptr<Policy> make_guided(Work work);

}  // namespace h5score::sched
