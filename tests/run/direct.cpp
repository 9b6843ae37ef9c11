// The parts of `--io direct` that need no file: division of threads, flags, messages, sums of pieces.
#include "h5score/base/error.hpp"

#include "run/direct_message.hpp"
#include "run/job_lanes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace h5score::run {
namespace {

u64 sum(const std::vector<u64>& values) {
  return std::accumulate(values.begin(), values.end(), u64{0});
}

TEST(Lanes, AsManyAsThreadsWhereBlocksAndMemoryAllow) {
  const LaneLimits plenty{.threads = 6, .ranks = 2, .blocks = 1000, .lane_bytes = 1 << 20, .memory = 1 << 30};
  EXPECT_EQ(plan_lanes(plenty), std::vector<u64>(6, 1));
  LaneLimits little = plenty;
  little.memory = 4 << 20;
  EXPECT_EQ(plan_lanes(little), (std::vector<u64>{2, 2, 1, 1}));
  LaneLimits few = plenty;
  few.blocks = 16;
  EXPECT_EQ(plan_lanes(few), (std::vector<u64>{3, 3}));
}

TEST(Lanes, EveryThreadHasALane) {
  for (u64 threads = 1; threads < 20; ++threads)
    for (u64 blocks = 0; blocks < 200; blocks += 7)
      for (u64 memory = 0; memory < 30; memory += 3) {
        const auto lanes =
            plan_lanes({.threads = threads, .ranks = 3, .blocks = blocks, .lane_bytes = 2, .memory = memory});
        EXPECT_EQ(sum(lanes), threads);
        EXPECT_GE(*std::min_element(lanes.begin(), lanes.end()), 1U);
      }
}

ResultLayout two_models() {
  return make_result_layout({{{.kind = model::ResultKind::prediction, .type = {.size = 8}},
                              {.kind = model::ResultKind::status, .type = {base::ElementKind::unsigned_integer, 1}}},
                             {{.kind = model::ResultKind::status, .type = {base::ElementKind::unsigned_integer, 1}}}},
                            {}, {});
}

TEST(FlagCounter, CountsRowsWithAFlagInAnyModel) {
  const auto layout = two_models();
  constexpr u64 rows = 1000;
  base::Bytes results(rows * layout.row_bytes, std::byte{0});
  FlagCounter counter(layout);
  EXPECT_EQ(counter.count(results, rows).rows.any, 0U);
  EXPECT_FALSE(counter.count(results, rows).first_missing);
  const auto status = [&](u64 of, u64 row) -> std::byte& {
    u64 slot = 0;
    while (layout.slots[slot].model != of || layout.slots[slot].kind != model::ResultKind::status) ++slot;
    return results[layout.offset(slot, rows) + row];
  };
  status(0, 999) = std::byte{model::status_missing};
  status(1, 999) = std::byte{model::status_nonfinite};
  status(1, 30) = std::byte{model::status_missing};
  status(0, 5) = std::byte{model::status_nonfinite};
  std::fill_n(results.begin(), 8 * rows, std::byte{255});  // predictions are no flags
  const auto flags = counter.count(results, rows);
  EXPECT_EQ(flags.rows.any, 3U);
  EXPECT_EQ(flags.rows.missing, 2U);
  EXPECT_EQ(flags.rows.nonfinite, 2U);
  EXPECT_EQ(flags.first_missing, 30U);
}

TEST(DirectMessages, CarryAllAndFitWhatWasAnnounced) {
  const auto layout = two_models();
  const FeatureStatistics statistics{.sample = {.block_step = 2, .stretch_step = 1}, .features = {3, 2}, .ranges = {}};
  const sched::BlockPlan plan{.boundaries = {0, 1000, 1001}, .groups = {}};
  using storage::Ownership;
  for (const auto least : {Ownership::all, Ownership::pages, Ownership::none}) {
    const DirectMessages messages(layout, statistics, plan, least);
    DirectOutcome outcome;
    outcome.rank = 7;
    outcome.write = 41;
    outcome.synced = 40;
    outcome.crc = 0xfedcba98;
    outcome.flags = {{3, 2, 1}, 17};
    outcome.sums.assign(statistics.bytes(0), std::byte{9});
    if (least == Ownership::pages)
      for (u64 i = 0; i < 2 * layout.slots.size(); ++i) outcome.rest.push_back({i, base::Bytes(4095, std::byte{1})});
    if (least == Ownership::none)
      for (const auto& slot : layout.slots) outcome.rest.push_back({5, base::Bytes(1000 * slot.row_bytes())});
    base::Bytes message(messages.bytes(0), std::byte{77});
    DirectMessages::encode(outcome, message);
    const auto got = DirectMessages::decode(message);
    EXPECT_EQ(got.rank, 7U);
    EXPECT_EQ(got.write, 41U);
    EXPECT_EQ(got.synced, 40U);
    EXPECT_EQ(got.crc, 0xfedcba98U);
    EXPECT_EQ(got.flags.first_missing, 17U);
    EXPECT_EQ(got.flags.rows.nonfinite, 1U);
    EXPECT_EQ(got.sums, outcome.sums);
    ASSERT_EQ(got.rest.size(), outcome.rest.size());
    for (u64 i = 0; i < got.rest.size(); ++i) EXPECT_EQ(got.rest[i].bytes, outcome.rest[i].bytes);
    EXPECT_LT(messages.bytes(1), messages.bytes(0));  // not sampled
    base::Bytes small(20);
    EXPECT_THROW(DirectMessages::encode(outcome, small), base::Error);
    EXPECT_THROW(static_cast<void>(DirectMessages::decode(base::ByteView(message).first(20))), base::Error);
  }
}

TEST(BlockSums, DoNotDependOnTheOrderOfStretches) {
  constexpr u64 stretches = 23;
  const FeatureStatistics statistics{.sample = {.block_step = 1, .stretch_step = 3}, .features = {2, 1}, .ranges = {}};
  BlockSums sums(statistics);
  const auto total = [&](const std::vector<u64>& order) {
    for (const u64 stretch : order)
      for (u64 m = 0; m < 2; ++m) {
        std::mt19937_64 random(stretch);
        std::vector<double> values(512);
        std::normal_distribution<double> normal(3, 2);
        for (auto& x : values) x = normal(random);
        model::FeatureSums one(statistics.features[m]);
        one.add(values.data(), 2, 256, {});
        sums.add(m, stretch * 3, one.sums());
      }
    base::Bytes bytes(statistics.bytes(0));
    sums.take(bytes);
    return bytes;
  };
  std::vector<u64> order(stretches);
  std::iota(order.begin(), order.end(), u64{0});
  const auto expected = total(order);
  model::FeatureSum first;
  std::copy_n(expected.begin(), sizeof first, reinterpret_cast<std::byte*>(&first));
  EXPECT_EQ(first.rows(), stretches * 256);
  std::mt19937_64 random(1);
  for (int attempt = 0; attempt < 20; ++attempt) {
    std::shuffle(order.begin(), order.end(), random);
    EXPECT_EQ(total(order), expected);
  }
}

}  // namespace
}  // namespace h5score::run
