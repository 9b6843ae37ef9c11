// The dynamic and the guided schedule: blocks go to whoever asks.
//
// A worker reserves a whole group at a time and takes blocks from its reservation. When nothing unreserved is left, an
// idle worker takes over the later half of the longest reservation, so that groups never cost more than the tail.
#include "policy_base.hpp"

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

namespace h5score::sched {
namespace {

class SharedPolicy : public PolicyBase {
 public:
  explicit SharedPolicy(Work work) : PolicyBase(std::move(work)), reserved_(this->work().workers) {}

 protected:
  /// The next index for `worker`, if any is left.
  bool take_one(u32 worker, std::vector<u64>& taken, bool may_steal) {
    Stretch& own = reserved_[worker];
    if (own.empty()) own = reserve(may_steal);
    if (own.empty()) return false;
    taken.push_back(own.begin++);
    return true;
  }

  void give_back(u32 worker, const std::vector<Stretch>& held) override {
    for (const Stretch& s : held) returned_.push_back(s);
    if (!reserved_[worker].empty()) returned_.push_back(std::exchange(reserved_[worker], {}));
  }

 private:
  std::vector<u64> take(u32 worker, double /*now*/) override {
    std::vector<u64> taken;
    take_one(worker, taken, true);
    return taken;
  }

  Stretch reserve(bool may_steal) {
    if (!returned_.empty()) {
      const Stretch first = returned_.front();
      returned_.pop_front();
      return first;
    }
    if (untouched_ < size()) {
      const Stretch group{untouched_, group_end(untouched_)};
      untouched_ = group.end;
      return group;
    }
    return may_steal ? steal() : Stretch{};
  }

  Stretch steal() {
    const auto longest = std::max_element(reserved_.begin(), reserved_.end(),
                                          [](const Stretch& a, const Stretch& b) { return a.size() < b.size(); });
    if (longest->empty()) return {};
    const u64 cut = longest->begin + longest->size() / 2;
    const Stretch later{cut, longest->end};
    longest->end = cut;
    return later;
  }

  std::vector<Stretch> reserved_;  ///< by worker
  std::deque<Stretch> returned_;   ///< from lost workers
  u64 untouched_ = 0;              ///< first index that nobody has reserved yet
};

/// Factoring (Hummel, Schonberg, Flynn 1992) with measured speeds: a batch is half of the asking worker's share of what
/// is left. A worker that has not finished anything yet gets single blocks.
class GuidedPolicy final : public SharedPolicy {
 public:
  explicit GuidedPolicy(Work work)
      : SharedPolicy(std::move(work)),
        paces_(this->work().workers),
        left_(std::accumulate(this->work().weights.begin(), this->work().weights.end(), 0.0)) {}

 private:
  struct Pace {
    double seconds_per_weight = 0;  ///< 0: unknown
    double busy_since = 0;
    u64 in_hand = 0;
  };

  std::vector<u64> take(u32 worker, double now) override {
    std::vector<u64> taken;
    const double target = batch_weight(worker);
    double weight = 0;
    do {
      if (!take_one(worker, taken, taken.empty())) break;
      weight += work().weights[taken.back()];
    } while (weight < target);
    if (paces_[worker].in_hand == 0) paces_[worker].busy_since = now;
    paces_[worker].in_hand += taken.size();
    left_ -= weight;
    return taken;
  }

  double batch_weight(u32 worker) const {
    if (!(paces_[worker].seconds_per_weight > 0)) return 0;
    double speeds = 0;
    double known = 0;
    double living = 0;
    for (u32 w = 0; w < paces_.size(); ++w) {
      if (!alive(w)) continue;
      living += 1;
      if (!(paces_[w].seconds_per_weight > 0)) continue;
      known += 1;
      speeds += 1 / paces_[w].seconds_per_weight;
    }
    speeds *= living / known;  // the others are taken to be as fast on average
    return left_ / 2 / (paces_[worker].seconds_per_weight * speeds);
  }

  void learn(u32 worker, u64 index, double now) override {
    Pace& pace = paces_[worker];
    const double measured = std::max(now - pace.busy_since, 1e-9) / work().weights[index];
    pace.seconds_per_weight = pace.seconds_per_weight > 0 ? 0.7 * pace.seconds_per_weight + 0.3 * measured : measured;
    pace.busy_since = now;
    --pace.in_hand;
  }

  void give_back(u32 worker, const std::vector<Stretch>& held) override {
    for (const Stretch& s : held)
      for (u64 i = s.begin; i < s.end; ++i) left_ += work().weights[i];
    SharedPolicy::give_back(worker, held);
  }

  std::vector<Pace> paces_;
  double left_;  ///< weight not handed out
};

}  // namespace

std::unique_ptr<Policy> make_dynamic(Work work) {
  return std::make_unique<SharedPolicy>(std::move(work));
}
std::unique_ptr<Policy> make_guided(Work work) {
  return std::make_unique<GuidedPolicy>(std::move(work));
}

}  // namespace h5score::sched
