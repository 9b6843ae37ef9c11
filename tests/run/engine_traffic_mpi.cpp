// How much a run communicates, counted at MPI's own entry points: exactly what the design says, and nothing else.
#include "h5score/run/engine.hpp"

#include "fake_run.hpp"
#include "mpi_world.hpp"
#include "pmpi_counter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace h5score::test {
namespace {

using run::Schedule;

constexpr BlockSizes small{4000, 100, 50};
constexpr unsigned long trailer = 16;

/// A block's part of a scatter: what the payload may need and a trailer of 32 bytes, aligned.
unsigned long round_part(unsigned long bound) {
  return (bound + 32 + 63) / 64 * 64;
}

struct Traffic {
  MpiCounts before;
  MpiCounts after;
  run::EngineResult result;
  u64 scored_here = 0;
  u64 scored_payload_bytes = 0;
  u64 scored_result_bytes = 0;
  u64 scored_part_bytes = 0;

  [[nodiscard]] unsigned long sends(comm::Tag tag) const {
    const int t = static_cast<int>(tag);
    return (after.sends.contains(t) ? after.sends.at(t) : 0) - (before.sends.contains(t) ? before.sends.at(t) : 0);
  }
  [[nodiscard]] unsigned long bytes(comm::Tag tag) const {
    const int t = static_cast<int>(tag);
    return (after.send_bytes.contains(t) ? after.send_bytes.at(t) : 0) -
           (before.send_bytes.contains(t) ? before.send_bytes.at(t) : 0);
  }
};

Traffic run_counted(Schedule schedule, u64 blocks, u64 memory, bool node_memory = false,
                    const BlockSizes& sizes = small) {
  comm::Communicator& comm = mpi_world();
  const auto plan = plan_of(blocks);
  FakeSource source(sizes);
  FakeScorer scorer(sizes);
  FakeSink sink;
  Traffic traffic;
  scorer.on_score = [&](u64 block, const run::Poll&) {
    traffic.scored_payload_bytes += sizes.payload_of(block);
    traffic.scored_result_bytes += sizes.result_of(block);
    traffic.scored_part_bytes += round_part(sizes.payload_of(block) + sizes.slack);
  };
  traffic.before = mpi_counts();
  traffic.result = run::run_blocks(comm, plan, all_blocks(plan), &source, {&scorer}, comm.root() ? &sink : nullptr,
                                   {schedule, memory, node_memory, {}, {}});
  traffic.after = mpi_counts();
  traffic.scored_here = scorer.scored;
  return traffic;
}

/// Every rank's value at every rank.
u64 sum_over_ranks(u64 value) {
  comm::Communicator& comm = mpi_world();
  const auto all = comm.gather(std::as_bytes(std::span(&value, 1)));
  u64 sum = 0;
  for (const auto& bytes : all) {
    u64 one = 0;
    std::memcpy(&one, bytes.data(), sizeof one);
    sum += one;
  }
  base::Bytes message(sizeof sum);
  std::memcpy(message.data(), &sum, sizeof sum);
  comm.broadcast(message);
  std::memcpy(&sum, message.data(), sizeof sum);
  return sum;
}

class CreditTraffic : public testing::TestWithParam<Schedule> {};

TEST_P(CreditTraffic, OnePayloadAndOneResultForEachBlockScoredElsewhere) {
  comm::Communicator& comm = mpi_world();
  // Little memory, so that the static schedule uses credits as well.
  const u64 memory = GetParam() == Schedule::static_ ? 12'000 : u64{1} << 24;
  const Traffic t = run_counted(GetParam(), 50, memory);
  const u64 remote = sum_over_ranks(comm.root() ? 0 : t.scored_here);
  const u64 remote_bytes = sum_over_ranks(comm.root() ? 0 : t.scored_payload_bytes);
  EXPECT_EQ(sum_over_ranks(t.scored_here), 50U);
  EXPECT_EQ(t.sends(comm::Tag::payload), comm.root() ? remote : 0U);
  EXPECT_EQ(t.bytes(comm::Tag::payload), comm.root() ? remote_bytes + remote * trailer : 0U);
  EXPECT_EQ(t.sends(comm::Tag::result), comm.root() ? 0U : t.scored_here);
  EXPECT_EQ(t.bytes(comm::Tag::result), comm.root() ? 0U : t.scored_result_bytes + t.scored_here * trailer);
  EXPECT_EQ(t.sends(comm::Tag::control), comm.root() ? comm.size() - 1 : 0U) << "one dismissal each";
  EXPECT_EQ(t.bytes(comm::Tag::control), comm.root() ? comm.size() - 1 : 0U);
  EXPECT_EQ(t.sends(comm::Tag::failure), 0U);
  EXPECT_EQ(t.after.scatters, t.before.scatters);
  EXPECT_EQ(t.after.gathers - t.before.gathers, 2U) << "the ranks' hosts and lanes, and their reports";
  for (const auto& rank : t.result.ranks)
    EXPECT_EQ(rank.messages, rank.rank == 0 ? remote + comm.size() - 1 : rank.blocks);
}

TEST_P(CreditTraffic, OnOneHostOnlyWhereTheBlocksLieTravels) {
  comm::Communicator& comm = mpi_world();
  const Traffic t = run_counted(GetParam(), 50, u64{1} << 24, true, {100'000, 1000, 50});
  constexpr unsigned long slot_message = 24;
  const u64 remote = sum_over_ranks(comm.root() ? 0 : t.scored_here);
  EXPECT_EQ(t.sends(comm::Tag::payload), comm.root() ? remote : 0U);
  EXPECT_EQ(t.bytes(comm::Tag::payload), comm.root() ? remote * slot_message : 0U);
  EXPECT_EQ(t.sends(comm::Tag::result), comm.root() ? 0U : t.scored_here);
  EXPECT_EQ(t.bytes(comm::Tag::result), comm.root() ? 0U : t.scored_here * slot_message);
  EXPECT_EQ(t.after.scatters, t.before.scatters);
}

INSTANTIATE_TEST_SUITE_P(Schedules, CreditTraffic,
                         testing::Values(Schedule::static_, Schedule::dynamic, Schedule::guided),
                         [](const auto& tested) { return std::string(run::to_string(tested.param)) + "_"; });

TEST(RoundTraffic, OneScatterAndOneGatherForEachRoundAndNoMessages) {
  comm::Communicator& comm = mpi_world();
  const u64 ranks = comm.size();
  for (const u64 blocks : {0U, 1U, 50U}) {
    const Traffic t = run_counted(Schedule::static_, blocks, u64{1} << 24);
    const u64 rounds = (blocks + ranks - 1) / ranks;
    if (ranks > 1) {
      EXPECT_GE(t.after.scatters - t.before.scatters, rounds + 1) << "and one for the first sizes";
      EXPECT_LE(t.after.scatters - t.before.scatters, rounds + 2) << "uneven blocks may need one round more";
      EXPECT_EQ(t.after.gathers - t.before.gathers, t.after.scatters - t.before.scatters + 1)
          << "and two for the ranks' hosts and reports, but none for the first sizes";
    }
    EXPECT_EQ(t.sends(comm::Tag::payload) + t.sends(comm::Tag::result) + t.sends(comm::Tag::control), 0U);
    const u64 own_rounds = t.after.scatters - t.before.scatters - (ranks > 1 ? 1 : 0);
    const u64 remote = sum_over_ranks(comm.root() ? 0 : t.scored_here);
    const u64 remote_bytes = sum_over_ranks(comm.root() ? 0 : t.scored_part_bytes);
    const u64 empty_parts = (ranks - 1) * own_rounds - remote;
    const u64 first_sizes = ranks > 1 ? 8 * ranks : 0;
    if (comm.root()) {
      EXPECT_EQ(t.after.scatter_bytes - t.before.scatter_bytes,
                remote_bytes + empty_parts * round_part(0) + first_sizes);
    }
  }
}

}  // namespace
}  // namespace h5score::test
