// The static schedule: owners computed beforehand, changed only by a loss.
#include "policy_base.hpp"

#include <algorithm>
#include <deque>
#include <numeric>
#include <queue>

namespace h5score::sched {
namespace {

/// Indices instead of blocks; see static_owners().
std::vector<std::vector<u64>> owners_by_index(const Work& work) {
  std::vector<std::vector<u64>> owners(work.workers);
  const u32 first = work.worker0_works || work.workers == 1 ? 0 : 1;
  const double total = std::accumulate(work.weights.begin(), work.weights.end(), 0.0);
  const double longest = total / (4.0 * (work.workers - first));

  using Load = std::pair<double, u32>;
  std::priority_queue<Load, std::vector<Load>, std::greater<>> loads;
  for (u32 w = first; w < work.workers; ++w) loads.emplace(0.0, w);

  for (u64 i = 0; i < work.blocks.size();) {
    auto [load, worker] = loads.top();
    loads.pop();
    const u64 begin = i;
    double weight = 0;
    do {
      owners[worker].push_back(i);
      weight += work.weights[i];
      ++i;
    } while (i < work.blocks.size() && !work.groups.empty() && work.groups[i] == work.groups[begin] &&
             weight + work.weights[i] <= longest);
    loads.emplace(load + weight, worker);
  }
  return owners;
}

class StaticPolicy final : public PolicyBase {
 public:
  explicit StaticPolicy(Work work) : PolicyBase(std::move(work)), loads_(this->work().workers, 0.0) {
    for (const auto& own : owners_by_index(this->work())) queues_.emplace_back(own.begin(), own.end());
    for (u32 w = 0; w < queues_.size(); ++w)
      for (const u64 index : queues_[w]) loads_[w] += this->work().weights[index];
  }

 private:
  std::vector<u64> take(u32 worker, double /*now*/) override {
    auto& queue = queues_[worker];
    if (queue.empty()) return {};
    const u64 index = queue.front();
    queue.pop_front();
    loads_[worker] -= work().weights[index];
    return {index};
  }

  void give_back(u32 worker, const std::vector<Stretch>& held) override {
    std::vector<u64> homeless(queues_[worker].begin(), queues_[worker].end());
    queues_[worker].clear();
    for (const Stretch& s : held)
      for (u64 i = s.begin; i < s.end; ++i) homeless.push_back(i);
    std::sort(homeless.begin(), homeless.end());
    for (const u64 index : homeless) {
      u32 heir = worker;
      for (u32 w = work().worker0_works ? 0 : 1; w < queues_.size(); ++w)
        if (alive(w) && (heir == worker || loads_[w] < loads_[heir])) heir = w;
      if (heir == worker && alive(0)) heir = 0;  // the root alone is left
      queues_[heir].push_back(index);
      loads_[heir] += work().weights[index];
    }
  }

  std::vector<std::deque<u64>> queues_;
  std::vector<double> loads_;  ///< weight not handed out yet, by worker
};

}  // namespace

std::vector<std::vector<u64>> static_owners(const Work& work) {
  check(work);
  auto owners = owners_by_index(work);
  for (auto& own : owners)
    for (u64& index : own) index = work.blocks[index];
  return owners;
}

std::unique_ptr<Policy> make_static(Work work) {
  return std::make_unique<StaticPolicy>(std::move(work));
}

}  // namespace h5score::sched
