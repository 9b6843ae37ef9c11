// Policies, exhaustively: every block is done exactly once, for any number of blocks and workers, in any order, with
// losses.
#include "h5score/sched/policy.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace h5score::sched {
namespace {

Work work_of(u64 blocks, u32 workers, u64 group_length = 0) {
  Work work;
  work.workers = workers;
  for (u64 i = 0; i < blocks; ++i) {
    work.blocks.push_back(3 * i + 1);
    work.weights.push_back(1.0 + static_cast<double>(i % 3));
    if (group_length != 0) work.groups.push_back(i / group_length);
  }
  return work;
}

/// Plays a run with random order of events; workers in `losses` are lost at random moments. Counts each block's
/// completions.
class Play {
 public:
  Play(Schedule schedule, const Work& work, unsigned seed) : policy_(make_policy(schedule, work)), random_(seed) {
    for (u32 w = 0; w < work.workers; ++w) hands_[w];
  }

  void run(u32 losses) {
    // A bound on events: whoever holds nothing asks at most once between two other events.
    for (int event = 0; policy_->remaining() > 0; ++event) {
      ASSERT_LT(event, 100'000);
      auto worker = std::next(hands_.begin(), static_cast<std::ptrdiff_t>(random_() % hands_.size()));
      if (losses > 0 && hands_.size() > 1 && random_() % 8 == 0) {
        policy_->lost(worker->first);
        // A lost worker's late result does not count, and it gets nothing any more.
        for (const u64 block : worker->second) EXPECT_FALSE(policy_->done(worker->first, block, now_));
        EXPECT_EQ(policy_->next(worker->first, now_).kind, Next::Kind::done);
        hands_.erase(worker);
        --losses;
      } else if (worker->second.empty() || random_() % 3 == 0) {
        ask(worker->first, worker->second);
      } else {
        finish(worker->first, worker->second);
      }
      now_ += 1;
    }
    for (const auto& [worker, hand] : hands_) {
      EXPECT_TRUE(hand.empty());
      EXPECT_EQ(policy_->next(worker, now_).kind, Next::Kind::done);
    }
  }

  [[nodiscard]] const std::map<u64, u64>& completions() const { return completions_; }

 private:
  void ask(u32 worker, std::vector<u64>& hand) {
    const Next next = policy_->next(worker, now_);
    EXPECT_EQ(next.kind == Next::Kind::blocks, !next.blocks.empty());
    EXPECT_NE(next.kind, Next::Kind::done);
    hand.insert(hand.end(), next.blocks.begin(), next.blocks.end());
  }

  void finish(u32 worker, std::vector<u64>& hand) {
    const u64 block = hand.front();
    hand.erase(hand.begin());
    EXPECT_TRUE(policy_->done(worker, block, now_));
    EXPECT_FALSE(policy_->done(worker, block, now_)) << "twice";
    ++completions_[block];
  }

  std::unique_ptr<Policy> policy_;
  std::minstd_rand random_;
  std::map<u32, std::vector<u64>> hands_;
  std::map<u64, u64> completions_;
  double now_ = 0;
};

class PolicyTest : public testing::TestWithParam<Schedule> {};

TEST_P(PolicyTest, EveryBlockExactlyOnce) {
  for (u64 blocks = 0; blocks <= 40; ++blocks)
    for (u32 workers = 1; workers <= 17; ++workers)
      for (const u64 group_length : {0U, 1U, 4U, 40U})
        for (const u32 losses : {0U, 1U, workers - 1}) {
          const Work work = work_of(blocks, workers, group_length);
          Play play(GetParam(), work, static_cast<unsigned>(blocks * 100 + workers));
          play.run(losses);
          std::map<u64, u64> once;
          for (const u64 block : work.blocks) once[block] = 1;
          ASSERT_EQ(play.completions(), once) << blocks << " blocks, " << workers << " workers, " << losses << " lost";
        }
}

TEST_P(PolicyTest, RefusesABlockThatTheWorkerDoesNotHold) {
  const auto policy = make_policy(GetParam(), work_of(4, 2));
  const Next next = policy->next(0, 0);
  ASSERT_FALSE(next.blocks.empty());
  EXPECT_FALSE(policy->done(1, next.blocks[0], 1));
  EXPECT_FALSE(policy->done(0, 999, 1));
  EXPECT_FALSE(policy->done(0, 0, 1));
  EXPECT_EQ(policy->remaining(), 4U);
}

TEST_P(PolicyTest, InconsistentWorkIsAnError) {
  Work work = work_of(3, 2);
  work.weights.pop_back();
  EXPECT_THROW(make_policy(GetParam(), work), base::Error);
  work = work_of(3, 0);
  EXPECT_THROW(make_policy(GetParam(), work), base::Error);
}

/// Hands out everything to idle workers in turn, one block in hand at a time. Owners by index.
std::vector<u32> play_in_turn(Policy& policy, u32 workers, u64 blocks) {
  std::vector<u32> owners(blocks, ~u32{0});
  for (double now = 0; policy.remaining() > 0;)
    for (u32 w = 0; w < workers; ++w) {
      const Next next = policy.next(w, now);
      for (const u64 block : next.blocks) {
        owners[(block - 1) / 3] = w;
        EXPECT_TRUE(policy.done(w, block, now += 1));
      }
    }
  return owners;
}

u64 changes_inside_groups(const std::vector<u32>& owners, u64 group_length) {
  u64 changes = 0;
  for (u64 i = 1; i < owners.size(); ++i) changes += i % group_length != 0 && owners[i] != owners[i - 1] ? 1U : 0U;
  return changes;
}

TEST_P(PolicyTest, AGroupStaysOnOneWorker) {
  const Work work = work_of(400, 4, 5);
  const auto policy = make_policy(GetParam(), work);
  const auto owners = play_in_turn(*policy, 4, 400);
  // Only the tail may be split: at most one takeover for each worker and halving.
  EXPECT_LE(changes_inside_groups(owners, 5), 12U);
}

TEST_P(PolicyTest, OneHugeGroupStillOccupiesEveryWorker) {
  const auto policy = make_policy(GetParam(), work_of(400, 4, 400));
  const auto owners = play_in_turn(*policy, 4, 400);
  for (u32 w = 0; w < 4; ++w) EXPECT_GE(std::ranges::count(owners, w), 60) << "worker " << w;
}

INSTANTIATE_TEST_SUITE_P(Schedules, PolicyTest, testing::Values(Schedule::static_, Schedule::dynamic, Schedule::guided),
                         [](const auto& tested) { return std::string(to_string(tested.param)) + "_"; });

TEST(StaticOwners, TakeTurnsAndBalanceTheWeight) {
  Work work = work_of(10, 3);
  std::ranges::fill(work.weights, 1.0);
  EXPECT_THAT(static_owners(work),
              testing::ElementsAre(testing::ElementsAre(1, 10, 19, 28), testing::ElementsAre(4, 13, 22),
                                   testing::ElementsAre(7, 16, 25)));
  work.weights[0] = 10;  // heavier than all the others together
  EXPECT_EQ(static_owners(work)[0].size(), 1U);
}

TEST(StaticOwners, LeaveOutWorker0WhenItOnlyServes) {
  Work work = work_of(10, 3);
  work.worker0_works = false;
  const auto owners = static_owners(work);
  EXPECT_TRUE(owners[0].empty());
  EXPECT_EQ(owners[1].size() + owners[2].size(), 10U);
}

TEST(StaticPolicy, KeepsToTheOwners) {
  const Work work = work_of(20, 4);
  const auto owners = static_owners(work);
  const auto policy = make_policy(Schedule::static_, work);
  for (u32 w = 0; w < 4; ++w) {
    std::vector<u64> got;
    for (Next next = policy->next(w, 0); next.kind == Next::Kind::blocks; next = policy->next(w, 0))
      got.insert(got.end(), next.blocks.begin(), next.blocks.end());
    EXPECT_EQ(got, owners[w]);
  }
}

TEST(GuidedPolicy, StartsWithSingleBlocksThenBatchesThatShrink) {
  Work work = work_of(1000, 2);
  std::ranges::fill(work.weights, 1.0);
  const auto policy = make_policy(Schedule::guided, work);
  std::vector<u64> batches;
  for (double now = 0; policy->remaining() > 0;)
    for (u32 w = 0; w < 2; ++w) {
      const Next next = policy->next(w, now);
      if (w == 0 && !next.blocks.empty()) batches.push_back(next.blocks.size());
      for (const u64 block : next.blocks) EXPECT_TRUE(policy->done(w, block, now += 1));
    }
  ASSERT_GT(batches.size(), 3U);
  EXPECT_EQ(batches[0], 1U);
  EXPECT_GT(batches[1], 100U);
  EXPECT_TRUE(std::is_sorted(batches.rbegin(), batches.rend() - 1));
  EXPECT_EQ(batches.back(), 1U);
}

TEST(GuidedPolicy, GivesAFasterWorkerLargerBatches) {
  Work work = work_of(1000, 2);
  std::ranges::fill(work.weights, 1.0);
  const auto policy = make_policy(Schedule::guided, work);
  const u64 slow = policy->next(0, 0).blocks.at(0);
  const u64 fast = policy->next(1, 0).blocks.at(0);
  EXPECT_TRUE(policy->done(1, fast, 1));
  EXPECT_TRUE(policy->done(0, slow, 4));
  const auto for_slow = static_cast<double>(policy->next(0, 4).blocks.size());
  const auto for_fast = static_cast<double>(policy->next(1, 4).blocks.size());
  EXPECT_NEAR(for_slow, 998 * 0.2 / 2, 2);
  EXPECT_NEAR(for_fast, (998 - for_slow) * 0.8 / 2, 2);
}

}  // namespace
}  // namespace h5score::sched
