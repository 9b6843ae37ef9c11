// The engine over real MPI: every schedule gives every block once with the right bytes, within the memory limit.
#include "h5score/base/archive.hpp"
#include "h5score/run/engine.hpp"

#include "fake_run.hpp"
#include "mpi_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace h5score::test {
namespace {

using run::Schedule;

struct Outcome {
  run::EngineResult result;
  FakeSink sink;
  u64 scored_here = 0;
};

Outcome run_all(const std::vector<u64>& todo, const sched::BlockPlan& plan, BlockSizes sizes,
                const run::EngineOptions& options, u64 lanes_here = 1) {
  comm::Communicator& comm = mpi_world();
  Outcome outcome;
  FakeSource source(sizes);
  FakeLanes lanes(sizes, lanes_here);
  outcome.result = run::run_blocks(comm, plan, todo, comm.root() ? &source : nullptr, lanes.lanes,
                                   comm.root() ? &outcome.sink : nullptr, options);
  outcome.scored_here = lanes.scored();
  return outcome;
}

class EngineMpi : public testing::TestWithParam<Schedule> {
 protected:
  static run::EngineOptions options(u64 memory = u64{1} << 26) {
    run::EngineOptions options;
    options.schedule = GetParam();
    options.memory_per_rank = memory;
    return options;
  }
};

TEST_P(EngineMpi, WritesEveryBlockOnceWithItsBytes) {
  for (const u64 blocks : {0U, 1U, 2U, 5U, 40U, 200U}) {
    const BlockSizes sizes{blocks == 200 ? u64{200'000} : 1000, 64, 32};
    const auto plan = plan_of(blocks);
    const auto todo = all_blocks(plan);
    const Outcome outcome = run_all(todo, plan, sizes, options());
    EXPECT_FALSE(outcome.result.stopped);
    if (!mpi_world().root()) continue;
    EXPECT_EQ(outcome.sink.written, expected_results(todo, sizes)) << blocks << " blocks";
    EXPECT_THAT(outcome.sink.times, testing::Each(testing::Pair(testing::_, 1)));
    EXPECT_TRUE(outcome.sink.crc_matches);
    ASSERT_EQ(outcome.result.ranks.size(), mpi_world().size());
    u64 reported = 0;
    for (const auto& rank : outcome.result.ranks) reported += rank.blocks;
    EXPECT_EQ(reported, blocks);
  }
}

TEST_P(EngineMpi, WritesTheSameWithAnyLanesAndWithOrWithoutSharedMemory) {
  const BlockSizes sizes{200'000, 20'000, 32};
  const auto plan = plan_of(60);
  const u32 rank = mpi_world().rank();
  for (const u64 lanes : {1U, 2U, 4U})
    for (const u32 without : {0U, 1U, 2U, 99U}) {
      // Rank `without` shares nothing; without the root nobody does.
      auto some_share = options();
      some_share.node_memory = rank != without;
      const Outcome outcome = run_all(all_blocks(plan), plan, sizes, some_share, 1 + (lanes + rank) % 4);
      if (!mpi_world().root()) continue;
      EXPECT_EQ(outcome.sink.written, expected_results(all_blocks(plan), sizes)) << lanes << " lanes, " << without;
      EXPECT_THAT(outcome.sink.times, testing::Each(testing::Pair(testing::_, 1)));
    }
}

TEST_P(EngineMpi, DoesOnlyTheBlocksAskedFor) {
  const auto plan = plan_of(50);
  const std::vector<u64> todo{3, 4, 17, 30, 31, 49};
  const Outcome outcome = run_all(mpi_world().root() ? todo : std::vector<u64>(), plan, {}, options());
  if (mpi_world().root()) {
    EXPECT_EQ(outcome.sink.written, expected_results(todo, {}));
  }
}

TEST_P(EngineMpi, KeepsTheMemoryLimit) {
  const BlockSizes sizes{100'000, 20'000, 0};
  const auto plan = plan_of(60);
  for (const u64 memory : {u64{130'000}, u64{300'000}, u64{1'000'000}, u64{5'000'000}}) {
    const Outcome outcome = run_all(all_blocks(plan), plan, sizes, options(memory));
    if (!mpi_world().root()) continue;
    EXPECT_EQ(outcome.sink.written, expected_results(all_blocks(plan), sizes));
    for (const auto& rank : outcome.result.ranks) {
      EXPECT_LE(rank.buffer_bytes, memory) << "rank " << rank.rank;
      EXPECT_TRUE(rank.blocks == 0 || rank.buffer_bytes > 50'000) << "rank " << rank.rank;
    }
  }
}

TEST_P(EngineMpi, StopsAfterTheBlocksInHand) {
  const auto plan = plan_of(400);
  const BlockSizes sizes;
  u64 done = 0;
  auto with_stop = options();
  with_stop.on_progress = [&](u64 blocks, u64) { done = blocks; };
  with_stop.stop_requested = [&] { return done >= 20; };
  const Outcome outcome = run_all(all_blocks(plan), plan, sizes, with_stop);
  EXPECT_TRUE(outcome.result.stopped);
  if (!mpi_world().root()) return;
  EXPECT_EQ(outcome.sink.written.size(), done);
  EXPECT_GE(done, 20U);
  EXPECT_LE(done, 20U + 5 * mpi_world().size());
}

TEST_P(EngineMpi, ReportsTimesThatAddUp) {
  const auto plan = plan_of(30);
  comm::Communicator& comm = mpi_world();
  FakeSource source({});
  FakeScorer scorer({});
  FakeSink sink;
  scorer.on_score = [](u64, const run::Poll& poll) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (std::chrono::steady_clock::now() < end) poll();
  };
  comm.barrier();
  const auto result = run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, &sink, options());
  for (const auto& rank : result.ranks) {
    const auto& p = rank.phases;
    const double sum = p.fetch + p.decode + p.score + p.transfer + p.write + p.idle;
    // Other ranks' loops begin and end at slightly other times than the root's.
    if (rank.rank == 0) {
      EXPECT_NEAR(sum, result.loop_seconds, 0.005);
    }
    EXPECT_LE(sum, result.loop_seconds + 1);
    EXPECT_GE(sum, static_cast<double>(rank.blocks) * 0.002);
    EXPECT_FALSE(rank.host.empty());
    EXPECT_GT(rank.peak_memory_bytes, 1'000'000U);
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, EngineMpi, testing::Values(Schedule::static_, Schedule::dynamic, Schedule::guided),
                         [](const auto& tested) {
                           return tested.param == Schedule::static_ ? std::string("static")
                                                                    : std::string(run::to_string(tested.param));
                         });

}  // namespace
}  // namespace h5score::test
