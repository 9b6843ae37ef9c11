// The engine over in-process ranks: shapes and failures that need no MPI; also what the thread sanitizer sees.
#include "h5score/base/error.hpp"
#include "h5score/comm/serial.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/run/run_or_abort.hpp"

#include "comm/thread_world.hpp"
#include "fake_run.hpp"
#include "run/engine_buffers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace h5score::test {
namespace {

using run::Schedule;
using testing::HasSubstr;

std::string message_of(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (const Aborted&) {
    return "aborted";
  }
  return "";
}

class EngineThreads : public testing::TestWithParam<Schedule> {
 protected:
  static run::EngineOptions options(u64 memory = u64{1} << 24) {
    run::EngineOptions options;
    options.schedule = GetParam();
    options.memory_per_rank = memory;
    return options;
  }
};

TEST_P(EngineThreads, WritesEveryBlockForAnyRanksAndGroups) {
  for (const u32 ranks : {1U, 2U, 3U, 8U, 10U})
    for (const u64 blocks : {0U, 1U, 9U, 60U}) {
      auto plan = plan_of(blocks);
      for (u64 b = 0; b < blocks; ++b) plan.groups.push_back(b / 4);
      FakeSink sink;
      const auto errors = run_ranks(ranks, [&](comm::Communicator& comm) {
        FakeSource source({});
        FakeScorer scorer({});
        const auto result =
            run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, comm.root() ? &sink : nullptr, options());
        if (comm.root()) {
          u64 reported = 0;
          for (const auto& rank : result.ranks) reported += rank.blocks;
          EXPECT_EQ(reported, blocks);
        }
      });
      for (const auto& error : errors) EXPECT_EQ(message_of(error), "");
      EXPECT_EQ(sink.written, expected_results(all_blocks(plan), {})) << ranks << " ranks, " << blocks << " blocks";
      EXPECT_THAT(sink.times, testing::Each(testing::Pair(testing::_, 1)));
      EXPECT_TRUE(sink.crc_matches);
    }
}

TEST_P(EngineThreads, LanesOfUnequalNumbersWriteEveryBlockOnce) {
  // Above 64 KiB, so that ranks of one host share memory.
  const BlockSizes sizes{70'000, 64, 32};
  for (const bool one_host : {false, true})
    for (const u32 ranks : {1U, 2U, 3U})
      for (const u64 blocks : {0U, 1U, 5U, 70U}) {
        const auto plan = plan_of(blocks);
        FakeSink sink;
        const auto body = [&](comm::Communicator& comm) {
          FakeSource source(sizes);
          FakeLanes lanes(sizes, 1 + (blocks + comm.rank()) % 4);
          const auto result = run::run_blocks(comm, plan, all_blocks(plan), &source, lanes.lanes,
                                              comm.root() ? &sink : nullptr, options());
          u64 reported = 0;
          for (const auto& rank : result.ranks) reported += rank.blocks;
          EXPECT_EQ(reported, comm.root() ? blocks : 0U);
        };
        for (const auto& error : run_ranks(ranks, body, one_host)) EXPECT_EQ(message_of(error), "");
        EXPECT_EQ(sink.written, expected_results(all_blocks(plan), sizes))
            << ranks << " ranks, " << blocks << " blocks";
        EXPECT_THAT(sink.times, testing::Each(testing::Pair(testing::_, 1)));
        EXPECT_TRUE(sink.crc_matches);
      }
}

TEST_P(EngineThreads, AllLanesScoreAtOnce) {
  const auto plan = plan_of(12);
  FakeSource source({});
  FakeSink sink;
  std::atomic<u64> inside{0};
  // No block is finished before three are being scored; the last ones find no others.
  FakeLanes lanes({}, 3, [&](u64 block, const run::Poll& poll) {
    ++inside;
    while (block < 9 && inside < std::min<u64>(block / 3 * 3 + 3, 9)) poll();
  });
  comm::SerialCommunicator comm;
  const auto result = run::run_blocks(comm, plan, all_blocks(plan), &source, lanes.lanes, &sink, options());
  EXPECT_EQ(sink.written.size(), 12U);
  EXPECT_EQ(result.ranks[0].blocks, 12U);
  EXPECT_EQ(result.ranks[0].rows, 120U);
  const auto& p = result.ranks[0].phases;
  EXPECT_NEAR(p.fetch + p.decode + p.score + p.transfer + p.write + p.idle, result.loop_seconds, 0.005);
}

TEST_P(EngineThreads, LittleMemoryLeavesLanesIdle) {
  const auto plan = plan_of(20);
  FakeSink sink;
  const auto errors = run_ranks(2, [&](comm::Communicator& comm) {
    FakeSource source({});
    FakeLanes lanes({}, 4);
    run::run_blocks(comm, plan, all_blocks(plan), &source, lanes.lanes, &sink, options(1300));
  });
  for (const auto& error : errors) EXPECT_EQ(message_of(error), "");
  EXPECT_EQ(sink.written, expected_results(all_blocks(plan), {}));
}

TEST_P(EngineThreads, AFailureInAnyLaneNamesTheBlockAndEndsTheOthers) {
  const auto plan = plan_of(40);
  for (const u32 failing : {0U, 1U})
    for (const bool main_lane : {false, true}) {
      const auto errors = run_ranks(2, [&](comm::Communicator& comm) {
        FakeSource source({});
        FakeSink sink;
        const auto main_thread = std::this_thread::get_id();
        FakeLanes lanes({}, 3, [&](u64, const run::Poll&) {
          if (comm.rank() == failing && (std::this_thread::get_id() == main_thread) == main_lane)
            throw base::Error(base::ExitCode::data, "the chunk is damaged");
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        });
        run::run_blocks(comm, plan, all_blocks(plan), &source, lanes.lanes, &sink, options());
      });
      EXPECT_THAT(message_of(errors[failing]),
                  testing::MatchesRegex("block [0-9]+, rows [0-9]+:[0-9]+: the chunk is damaged"));
    }
}

TEST_P(EngineThreads, AStopEndsTheLanesAfterTheBlocksInHand) {
  const auto plan = plan_of(400);
  FakeSource source({});
  FakeSink sink;
  FakeLanes lanes({}, 3);
  auto with_stop = options();
  with_stop.stop_requested = [&] { return sink.written.size() >= 20; };
  comm::SerialCommunicator comm;
  const auto result = run::run_blocks(comm, plan, all_blocks(plan), &source, lanes.lanes, &sink, with_stop);
  EXPECT_TRUE(result.stopped);
  EXPECT_GE(sink.written.size(), 20U);
  EXPECT_LE(sink.written.size(), 60U);
}

/// Rank 2 alone is asked to stop, after its second block has begun.
struct StopOfOneRank {
  bool one_host = false;  ///< payloads in shared memory
  u64 memory = u64{1} << 24;
  u64 lanes = 1;
  BlockSizes sizes;
};

TEST_P(EngineThreads, AStopOfOneWorkerStopsAllRanksAndLosesNothing) {
  const auto plan = plan_of(300);
  constexpr u64 enough = u64{1} << 24;
  const BlockSizes large{70'000, 64, 32};  // worth sharing memory
  const std::vector<StopOfOneRank> cases{{false, enough, 1, {}},
                                         {false, 12'000, 1, {}},
                                         {true, enough, 1, large},
                                         {false, enough, 3, {}},
                                         {true, enough, 3, large}};
  for (const auto& tested : cases) {
    std::atomic<bool> told{false};
    std::atomic<u64> begun{0};
    std::atomic<u64> begun_before{0};
    FakeSink sink;
    const auto body = [&](comm::Communicator& comm) {
      FakeSource source(tested.sizes);
      std::atomic<u64> mine{0};
      FakeLanes lanes(tested.sizes, tested.lanes, [&](u64, const run::Poll& poll) {
        ++mine;
        // The others leave enough for rank 2.
        for (const bool waits = comm.rank() != 2 && ++begun > 60; waits && !told;) poll();
        for (int i = 0; i < 20; ++i) poll();
      });
      auto with_stop = options(tested.memory);
      with_stop.stop_requested = [&] {
        if (comm.rank() != 2 || mine < 2) return false;
        if (!told) begun_before = begun.load();
        told = true;
        return true;
      };
      const auto result =
          run::run_blocks(comm, plan, all_blocks(plan), &source, lanes.lanes, comm.root() ? &sink : nullptr, with_stop);
      EXPECT_TRUE(result.stopped) << "rank " << comm.rank();
      EXPECT_FALSE(comm.probe().has_value()) << "rank " << comm.rank() << " has a message left";
      if (!comm.root()) return;
      u64 reported = 0;
      for (const auto& rank : result.ranks) reported += rank.blocks;
      EXPECT_EQ(reported, sink.written.size()) << "what was scored is written";
    };
    for (const auto& error : run_ranks(4, body, tested.one_host)) EXPECT_EQ(message_of(error), "");
    EXPECT_GT(sink.written.size(), 0U);
    EXPECT_LT(sink.written.size(), 300U);
    EXPECT_THAT(sink.times, testing::Each(testing::Pair(testing::_, 1)));
    EXPECT_TRUE(sink.crc_matches);
    // Until they hear of it, the others can begin no more than what was assigned to them.
    EXPECT_LE(begun - begun_before, 60U);

    std::vector<u64> rest;
    for (const u64 block : all_blocks(plan))
      if (!sink.written.contains(block)) rest.push_back(block);
    const auto go_on = [&](comm::Communicator& comm) {
      FakeSource source(tested.sizes);
      FakeScorer scorer(tested.sizes);
      run::run_blocks(comm, plan, rest, &source, {&scorer}, comm.root() ? &sink : nullptr, options());
    };
    for (const auto& error : run_ranks(3, go_on, tested.one_host)) EXPECT_EQ(message_of(error), "");
    EXPECT_EQ(sink.written, expected_results(all_blocks(plan), tested.sizes));
  }
}

TEST_P(EngineThreads, ARankWithNothingToDoCanStopTheOthers) {
  const auto plan = plan_of(300);
  for (const u64 memory : {u64{12'000}, u64{1} << 24}) {
    std::atomic<bool> wanted{false};
    FakeSink sink;
    const auto errors = run_ranks(3, [&](comm::Communicator& comm) {
      FakeSource source({});
      FakeScorer scorer({});
      // The others wait in their first block until rank 2 has run dry and looked for work many times.
      scorer.on_score = [&](u64, const run::Poll& poll) {
        while (comm.rank() != 2 && !wanted) poll();
        poll();
      };
      u64 scored_before = 0;
      u64 looks = 0;
      auto with_stop = options(memory);
      with_stop.stop_requested = [&] {
        looks = std::exchange(scored_before, scorer.scored) == scorer.scored ? looks + 1 : 0;
        if (comm.rank() == 2 && looks > 1000) wanted = true;
        return comm.rank() == 2 && wanted;
      };
      const auto result =
          run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, comm.root() ? &sink : nullptr, with_stop);
      EXPECT_FALSE(comm.probe().has_value()) << "rank " << comm.rank() << " has a message left";
      if (!comm.root()) return;
      EXPECT_EQ(result.stopped, sink.written.size() < 300);
    });
    for (const auto& error : errors) EXPECT_EQ(message_of(error), "");
    if (GetParam() != Schedule::static_) continue;
    EXPECT_LT(sink.written.size(), 250U) << "the others had half of the blocks left";
  }
}

TEST_P(EngineThreads, AFailingScorerNamesTheBlock) {
  const auto plan = plan_of(40);
  std::string at_root;
  const auto errors = run_ranks(3, [&](comm::Communicator& comm) {
    FakeSource source({});
    FakeSink sink;
    FakeScorer scorer({});
    if (comm.rank() == 2)
      scorer.on_score = [](u64, const run::Poll&) { throw base::Error(base::ExitCode::data, "the chunk is damaged"); };
    run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, &sink, options());
  });
  EXPECT_THAT(message_of(errors[2]), testing::MatchesRegex("block [0-9]+, rows [0-9]+:[0-9]+: the chunk is damaged"));
}

TEST_P(EngineThreads, TheRootLearnsWhichRankFailedWithWhichBlock) {
  const auto plan = plan_of(40);
  testing::internal::CaptureStderr();
  std::vector<int> codes(3, 0);
  run_ranks(3, [&](comm::Communicator& comm) {
    FakeSource source({});
    FakeSink sink;
    FakeScorer scorer({});
    if (comm.rank() == 1)
      scorer.on_score = [](u64, const run::Poll&) { throw base::Error(base::ExitCode::data, "the chunk is damaged"); };
    try {
      run::run_or_abort(comm, [&] {
        run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, &sink, options());
        return 0;
      });
    } catch (const Aborted& aborted) {
      codes[comm.rank()] = aborted.code;
      throw;
    }
  });
  const std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_THAT(printed,
              testing::MatchesRegex("h5score: rank 1: block [0-9]+, rows [0-9]+:[0-9]+: the chunk is damaged\n"));
  EXPECT_EQ(codes[0], 65);
}

TEST_P(EngineThreads, FailingSourceAndSinkNameTheBlock) {
  const auto plan = plan_of(20);
  for (const bool at_source : {true, false}) {
    const auto errors = run_ranks(2, [&](comm::Communicator& comm) {
      FakeSource source({});
      FakeSink sink;
      FakeScorer scorer({});
      const auto fail = [](u64 block) {
        if (block == 7) throw base::Error(base::ExitCode::io, "the disk is on fire");
      };
      if (at_source) source.on_fetch = fail;
      if (!at_source) sink.on_write = fail;
      run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, &sink, options());
    });
    EXPECT_EQ(message_of(errors[0]), "block 7, rows 70:80: the disk is on fire");
  }
}

TEST_P(EngineThreads, APayloadAboveItsBoundIsAnError) {
  class Liar final : public run::BlockSource {
   public:
    u64 payload_bound(u64) const override { return 10; }
    void fetch(u64, base::AlignedBuffer& payload, const run::Poll&) override { payload.resize(11); }
  };
  const auto plan = plan_of(4);
  Liar source;
  FakeScorer scorer({});
  FakeSink sink;
  comm::SerialCommunicator comm;
  EXPECT_THROW(run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, &sink, options()), base::Error);
}

TEST_P(EngineThreads, ABlockThatDoesNotFitTheMemoryIsAUsageError) {
  const auto plan = plan_of(4);
  FakeSource source({});
  FakeScorer scorer({});
  FakeSink sink;
  comm::SerialCommunicator comm;
  try {
    run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, &sink, options(900));
    ADD_FAILURE() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("block 0 does not fit the memory limit"));
    EXPECT_THAT(error.what(), HasSubstr("--memory-per-rank"));
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, EngineThreads,
                         testing::Values(Schedule::static_, Schedule::dynamic, Schedule::guided),
                         [](const auto& tested) { return std::string(run::to_string(tested.param)) + "_"; });

TEST(RunOrAbort, OneRankReturnsTheErrorsCodeAndPrintsOnce) {
  comm::SerialCommunicator comm;
  EXPECT_EQ(run::run_or_abort(comm, [] { return 75; }), 75);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run::run_or_abort(comm, []() -> int { throw base::Error(base::ExitCode::no_input, "a.h5: no such file"); }),
            66);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "h5score: a.h5: no such file\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(run::run_or_abort(comm, []() -> int { throw std::logic_error("surprise"); }), 70);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "h5score: surprise\n");
}

TEST(PlanBuffers, FitTheMemoryForEverySize) {
  constexpr u64 page = 4096;
  for (const u64 payload : {1U, 100U, 100'000U})
    for (const u64 result : {1U, 100U, 500'000U})
      for (const u64 ranks : {1U, 2U, 5U, 1000U})
        for (const u64 lanes : {1U, 2U, 7U})
          for (const bool shares : {false, true})
            for (u64 memory = payload + result; memory < 100 * (payload + result); memory += 1 + memory / 3) {
              const auto plan = run::plan_buffers(memory, {payload, result, 0}, std::vector<u64>(ranks, lanes),
                                                  std::vector<bool>(ranks, shares));
              const auto bytes = [&](const run::LaneBuffers& own) {
                return own.payloads * payload + own.results * result;
              };
              u64 root = plan.send_slots * payload + plan.result_slots * result;
              if (plan.master_scores) root += bytes(plan.own[0]);
              for (u64 w = 1; w < ranks; ++w) {
                const u64 slots = plan.shared_slots[w];
                if (slots > 0) root += slots * (payload + result) + page;
                ASSERT_LE(std::max(bytes(plan.own[w]), slots * (payload + result)), memory);
                ASSERT_LE(plan.own[w].lanes, std::min({lanes, plan.own[w].payloads, plan.own[w].results}));
              }
              ASSERT_LE(root, memory);
              ASSERT_GE(plan.own.back().lanes, 1U);
              ASSERT_EQ(std::min({u64{1}, plan.send_slots, plan.result_slots}), ranks == 1 ? 0U : 1U);
            }
  EXPECT_THROW(run::plan_buffers(199, {100, 100, 3}, {1, 1}, {false, false}), base::Error);
}

TEST(PlanBuffers, TakesNoMoreThanItNeeds) {
  const run::BlockDemand blocks{u64{4} << 20, u64{1} << 16, 0};
  const auto messages = run::plan_buffers(u64{1} << 30, blocks, {1, 1, 1, 1}, std::vector<bool>(4, false));
  EXPECT_EQ(messages.own[0].payloads, 1U);
  EXPECT_EQ(messages.own[1].payloads, 3U);
  EXPECT_EQ(messages.send_slots, 6U) << "24 MiB on their way keep a network busy";
  const auto shared = run::plan_buffers(u64{1} << 30, blocks, {1, 1, 4}, {false, true, true});
  EXPECT_THAT(shared.shared_slots, testing::ElementsAre(0, 2, 5)) << "one that waits for those being scored";
  const auto tiny = run::plan_buffers(u64{1} << 30, {1000, 100, 0}, {4, 4}, {false, false});
  EXPECT_EQ(tiny.own[0].payloads, 6U) << "small messages say nothing about how long a block takes";
  EXPECT_EQ(tiny.own[1].payloads, 6U);
}

}  // namespace
}  // namespace h5score::test
