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
  static run::EngineOptions options(u64 memory = u64{1} << 24) { return {GetParam(), memory, {}, {}}; }
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
            run::run_blocks(comm, plan, all_blocks(plan), &source, scorer, comm.root() ? &sink : nullptr, options());
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

TEST_P(EngineThreads, AFailingScorerNamesTheBlock) {
  const auto plan = plan_of(40);
  std::string at_root;
  const auto errors = run_ranks(3, [&](comm::Communicator& comm) {
    FakeSource source({});
    FakeSink sink;
    FakeScorer scorer({});
    if (comm.rank() == 2)
      scorer.on_score = [](u64, const run::Poll&) { throw base::Error(base::ExitCode::data, "the chunk is damaged"); };
    run::run_blocks(comm, plan, all_blocks(plan), &source, scorer, &sink, options());
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
        run::run_blocks(comm, plan, all_blocks(plan), &source, scorer, &sink, options());
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
      run::run_blocks(comm, plan, all_blocks(plan), &source, scorer, &sink, options());
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
  EXPECT_THROW(run::run_blocks(comm, plan, all_blocks(plan), &source, scorer, &sink, options()), base::Error);
}

TEST_P(EngineThreads, ABlockThatDoesNotFitTheMemoryIsAUsageError) {
  const auto plan = plan_of(4);
  FakeSource source({});
  FakeScorer scorer({});
  FakeSink sink;
  comm::SerialCommunicator comm;
  try {
    run::run_blocks(comm, plan, all_blocks(plan), &source, scorer, &sink, options(900));
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
  for (const u64 payload : {1U, 100U, 1000U})
    for (const u64 result : {1U, 100U, 5000U})
      for (const u32 ranks : {1U, 2U, 5U, 1000U})
        for (u64 memory = payload + result; memory < 100 * (payload + result); memory += 1 + memory / 7) {
          const auto plan = run::plan_buffers(memory, {payload, result, 0}, ranks);
          const u64 own = plan.master_scores ? payload + result : 0;
          EXPECT_LE(own + plan.send_slots * payload + plan.result_slots * result, memory);
          EXPECT_LE(plan.worker_payloads * payload + plan.worker_results * result, memory);
          EXPECT_GE(std::min({plan.send_slots, plan.result_slots, plan.worker_payloads, plan.worker_results}), 1U);
        }
  EXPECT_THROW(run::plan_buffers(199, {100, 100, 3}, 4), base::Error);
  const auto ample = run::plan_buffers(u64{1} << 30, {1 << 20, 1 << 10, 0}, 4);
  EXPECT_EQ(ample.worker_payloads, 3U);
  EXPECT_EQ(ample.send_slots, 9U);
}

}  // namespace
}  // namespace h5score::test
