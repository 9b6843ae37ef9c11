// The master's decisions, scripted: any order of arrival, loss and stop, without a communicator.
#include "h5score/run/master.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace h5score::run {
namespace {

using sched::Schedule;
using Kind = MasterEvent::Kind;

sched::Work work_of(u64 blocks, u32 ranks) {
  sched::Work work;
  work.workers = ranks;
  for (u64 b = 0; b < blocks; ++b) {
    work.blocks.push_back(b);
    work.weights.push_back(1);
  }
  return work;
}

/// Equal ranks.
MasterLimits limits_of(u32 ranks, u64 credits, u64 send_slots, bool scores, u64 lanes = 1) {
  MasterLimits limits{std::vector<RankLimits>(ranks, {lanes, credits}), send_slots, scores};
  limits.ranks[0].credits = lanes;
  return limits;
}

Master master_of(u64 blocks, MasterLimits limits, Schedule schedule = Schedule::dynamic) {
  sched::Work work = work_of(blocks, static_cast<u32>(limits.ranks.size()));
  work.worker0_works = limits.scores;
  return Master(sched::make_policy(schedule, std::move(work)), limits);
}

std::vector<std::pair<u32, u64>> all_assignments(Master& master) {
  std::vector<std::pair<u32, u64>> result;
  while (const auto next = master.assignment(0)) result.emplace_back(next->worker, next->block);
  return result;
}

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Master, SuppliesTheHungriestWorkerFirstUpToItsCredits) {
  Master master = master_of(100, limits_of(3, 2, 100, true));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 0), Pair(2, 1), Pair(1, 2), Pair(2, 3)));
  EXPECT_TRUE(master.on({Kind::result, 2, 1}, 1));
  EXPECT_TRUE(master.on({Kind::result, 2, 3}, 1));
  EXPECT_TRUE(master.on({Kind::result, 1, 0}, 1));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(2, 4), Pair(1, 5), Pair(2, 6)));
}

TEST(Master, SendsNoMoreThanItHasSlotsFor) {
  Master master = master_of(100, limits_of(3, 3, 1, true));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 0)));
  EXPECT_THAT(all_assignments(master), IsEmpty());
  EXPECT_TRUE(master.on({Kind::sent, 0, 0}, 0));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(2, 1)));
}

TEST(Master, ScoresOnlyWhenEveryWorkerIsSupplied) {
  Master master = master_of(100, limits_of(2, 2, 100, true));
  EXPECT_EQ(master.own_block(0), std::nullopt);
  all_assignments(master);
  EXPECT_EQ(master.own_block(0), 2U);
  EXPECT_EQ(master.own_block(0), std::nullopt) << "one at a time";
  EXPECT_TRUE(master.on({Kind::result, 1, 0}, 0));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 3))) << "supplies while it scores";
  EXPECT_TRUE(master.on({Kind::result, 0, 2}, 0));
  EXPECT_EQ(master.own_block(0), 4U);
}

TEST(Master, SuppliesItsOtherLanesLikeAWorker) {
  MasterLimits limits = limits_of(2, 4, 100, true, 3);
  limits.ranks[0].credits = 4;
  Master master = master_of(100, limits);
  EXPECT_EQ(master.own_block(0), 0U) << "two lanes do not wait for the workers";
  EXPECT_EQ(master.own_block(0), 1U);
  EXPECT_EQ(master.own_block(0), std::nullopt) << "the lane that supplies the others does";
  EXPECT_EQ(all_assignments(master).size(), 4U);
  EXPECT_EQ(master.own_block(0), 6U);
  EXPECT_EQ(master.own_block(0), 7U) << "and one ahead";
  EXPECT_EQ(master.own_block(0), std::nullopt) << "no more than its credits";
}

TEST(Master, LeavesNoLaneIdleWhileBlocksAreLeft) {
  Master master = master_of(7, limits_of(3, 4, 100, true, 2));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 0), Pair(2, 1), Pair(1, 2), Pair(2, 3), Pair(1, 4)));
  EXPECT_EQ(master.own_block(0), 5U);
  EXPECT_EQ(master.own_block(0), 6U);
  EXPECT_EQ(master.own_block(0), std::nullopt);
}

TEST(Master, WithoutMemoryForItDoesNotScore) {
  Master master = master_of(100, limits_of(2, 2, 100, false));
  all_assignments(master);
  EXPECT_EQ(master.own_block(0), std::nullopt);
}

TEST(Master, HandsOutTheLastBlocksOneByOne) {
  Master master = master_of(6, limits_of(3, 3, 100, true));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 0), Pair(2, 1), Pair(1, 2), Pair(2, 3)));
  EXPECT_EQ(master.own_block(0), 4U);
  EXPECT_TRUE(master.on({Kind::result, 1, 0}, 0));
  EXPECT_THAT(all_assignments(master), IsEmpty()) << "worker 1 still has a block";
  EXPECT_TRUE(master.on({Kind::result, 1, 2}, 0));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 5)));
}

TEST(Master, AResultThatNobodyWasAskedForDoesNotCount) {
  Master master = master_of(10, limits_of(3, 2, 100, true));
  all_assignments(master);
  EXPECT_FALSE(master.on({Kind::result, 1, 1}, 0)) << "worker 2 has block 1";
  EXPECT_FALSE(master.on({Kind::result, 1, 99}, 0));
  EXPECT_TRUE(master.on({Kind::result, 1, 0}, 0));
  EXPECT_FALSE(master.on({Kind::result, 1, 0}, 0)) << "twice";
  EXPECT_EQ(master.remaining(), 9U);
}

TEST(Master, StopEndsAfterWhatIsInHand) {
  Master master = master_of(10, limits_of(2, 2, 100, true));
  all_assignments(master);
  EXPECT_TRUE(master.on({Kind::stop, 0, 0}, 0));
  EXPECT_FALSE(master.finished());
  EXPECT_TRUE(master.on({Kind::result, 1, 0}, 0));
  EXPECT_THAT(all_assignments(master), IsEmpty());
  EXPECT_EQ(master.own_block(0), std::nullopt);
  EXPECT_TRUE(master.on({Kind::result, 1, 1}, 0));
  EXPECT_TRUE(master.finished());
  EXPECT_EQ(master.remaining(), 8U);
}

TEST(Master, AfterAStopBlocksThatAreNotBegunComeBack) {
  Master master = master_of(10, limits_of(3, 2, 100, true));
  EXPECT_EQ(all_assignments(master).size(), 4U);
  EXPECT_FALSE(master.on({Kind::returned, 1, 2}, 0)) << "nobody was asked to";
  EXPECT_TRUE(master.on({Kind::stop, 0, 0}, 0));
  EXPECT_TRUE(master.on({Kind::returned, 1, 2}, 0));
  EXPECT_TRUE(master.on({Kind::result, 1, 0}, 0));
  EXPECT_FALSE(master.on({Kind::returned, 1, 0}, 0)) << "it holds nothing any more";
  EXPECT_TRUE(master.on({Kind::returned, 2, 3}, 0));
  EXPECT_FALSE(master.finished());
  EXPECT_TRUE(master.on({Kind::result, 2, 1}, 0));
  EXPECT_TRUE(master.finished());
  EXPECT_EQ(master.remaining(), 8U);
  EXPECT_THAT(all_assignments(master), IsEmpty());
}

TEST(Master, GivesALostWorkersBlocksToOthers) {
  Master master = master_of(4, limits_of(3, 2, 100, false));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(1, 0), Pair(2, 1)));
  EXPECT_TRUE(master.on({Kind::result, 2, 1}, 0));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(2, 2)));
  EXPECT_TRUE(master.on({Kind::result, 2, 2}, 0));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(2, 3)));
  EXPECT_TRUE(master.on({Kind::lost, 1, 0}, 0));
  EXPECT_FALSE(master.on({Kind::result, 1, 0}, 0)) << "too late";
  EXPECT_TRUE(master.on({Kind::result, 2, 3}, 0));
  EXPECT_THAT(all_assignments(master), ElementsAre(Pair(2, 0)));
  EXPECT_TRUE(master.on({Kind::result, 2, 0}, 0));
  EXPECT_TRUE(master.finished());
}

TEST(Master, DoesEverythingItselfWhenAllWorkersAreLost) {
  Master master = master_of(3, limits_of(2, 2, 100, false));
  all_assignments(master);
  EXPECT_TRUE(master.on({Kind::lost, 1, 0}, 0));
  for (int i = 0; i < 3; ++i) {
    const auto block = master.own_block(0);
    ASSERT_TRUE(block);
    EXPECT_TRUE(master.on({Kind::result, 0, *block}, 0));
  }
  EXPECT_TRUE(master.finished());
  EXPECT_THROW(master.on({Kind::lost, 0, 0}, 0), base::Error);
}

/// Ranks that answer in random order; each block's result must count exactly once.
class Script {
 public:
  Script(Schedule schedule, u64 blocks, MasterLimits limits, unsigned seed)
      : limits_(limits), master_(master_of(blocks, limits, schedule)), random_(seed), hands_(limits.ranks.size()) {}

  void run(u32 losses) {
    for (int event = 0; !master_.finished(); ++event) {
      ASSERT_LT(event, 100'000) << "no progress";
      collect();
      const auto worker = static_cast<u32>(random_() % limits_.ranks.size());
      if (worker != 0 && losses > 0 && random_() % 10 == 0) {
        lose(worker);
        --losses;
      } else if (in_flight_ > 0 && random_() % 2 == 0) {
        --in_flight_;
        EXPECT_TRUE(master_.on({Kind::sent, 0, 0}, now_));
      } else {
        finish(worker);
      }
      now_ += 1;
    }
  }
  [[nodiscard]] const std::map<u64, u64>& completions() const { return completions_; }

 private:
  void collect() {
    while (const auto next = master_.assignment(now_)) {
      hands_[next->worker].push_back(next->block);
      ++in_flight_;
      EXPECT_LE(in_flight_, limits_.send_slots);
      EXPECT_LE(hands_[next->worker].size(), limits_.ranks[next->worker].credits);
    }
    while (const auto own = master_.own_block(now_)) {
      hands_[0].push_back(*own);
      EXPECT_LE(hands_[0].size(), limits_.ranks[0].credits);
    }
  }
  void lose(u32 worker) {
    if (lost_[worker]) return;
    lost_[worker] = true;
    EXPECT_TRUE(master_.on({Kind::lost, worker, 0}, now_));
    for (const u64 block : hands_[worker]) EXPECT_FALSE(master_.on({Kind::result, worker, block}, now_));
    hands_[worker].clear();
  }
  void finish(u32 worker) {
    auto& hand = hands_[worker];
    if (hand.empty()) return;
    const auto chosen = hand.begin() + static_cast<std::ptrdiff_t>(random_() % hand.size());
    EXPECT_TRUE(master_.on({Kind::result, worker, *chosen}, now_));
    ++completions_[*chosen];
    hand.erase(chosen);
  }

  MasterLimits limits_;
  Master master_;
  std::minstd_rand random_;
  std::vector<std::vector<u64>> hands_;
  std::map<u32, bool> lost_;
  std::map<u64, u64> completions_;
  u64 in_flight_ = 0;
  double now_ = 0;
};

class MasterScripts : public testing::TestWithParam<Schedule> {};

TEST_P(MasterScripts, EveryBlockCountsOnceInAnyOrderWithLosses) {
  for (const u64 blocks : {0U, 1U, 2U, 7U, 40U})
    for (u32 ranks = 1; ranks <= 9; ++ranks)
      for (const bool scores : {true, false})
        for (const u64 credits : {1U, 3U})
          for (const u32 losses : {0U, 1U, ranks - 1}) {
            MasterLimits limits = limits_of(ranks, credits, 2, scores);
            for (u32 r = 0; r < ranks; ++r) limits.ranks[r] = {1 + (blocks + r) % 4, credits + r % 3};
            Script script(GetParam(), blocks, limits, static_cast<unsigned>(blocks * 31 + ranks));
            script.run(losses);
            std::map<u64, u64> once;
            for (u64 b = 0; b < blocks; ++b) once[b] = 1;
            ASSERT_EQ(script.completions(), once) << blocks << " blocks, " << ranks << " ranks, " << losses << " lost";
          }
}

INSTANTIATE_TEST_SUITE_P(Schedules, MasterScripts,
                         testing::Values(Schedule::static_, Schedule::dynamic, Schedule::guided),
                         [](const auto& tested) { return std::string(to_string(tested.param)) + "_"; });

}  // namespace
}  // namespace h5score::run
