// Block plans: full cover, chunk boundaries, limits, absurd sizes.
#include "h5score/sched/plan.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace h5score::sched {
namespace {

using testing::Each;
using testing::ElementsAre;

PlanSpan span_of(u64 rows, u64 chunk_rows = 0, double bytes_per_row = 100, u64 phase = 0) {
  return {rows, chunk_rows, phase, bytes_per_row, bytes_per_row};
}

PlanLimits limits_of(double target_bytes) {
  PlanLimits limits;
  limits.target_bytes = target_bytes;
  return limits;
}

std::vector<u64> lengths(const BlockPlan& plan) {
  std::vector<u64> result;
  for (u64 b = 0; b < plan.blocks(); ++b) result.push_back(plan.range(b).size());
  return result;
}

TEST(MakePlan, WithoutAGridCutsEquallyUpToTheTarget) {
  const PlanSpan span = span_of(25);
  const BlockPlan plan = make_plan({&span, 1}, limits_of(1000));
  EXPECT_THAT(plan.boundaries, ElementsAre(0, 10, 20, 25));
  EXPECT_TRUE(plan.groups.empty());
}

TEST(MakePlan, NoRowsGiveNoBlocks) {
  EXPECT_EQ(make_plan({}, {}).blocks(), 0U);
  const std::vector<PlanSpan> spans{span_of(0), span_of(7), span_of(0, 3), span_of(0)};
  const BlockPlan plan = make_plan(spans, limits_of(1000));
  EXPECT_THAT(plan.boundaries, ElementsAre(0, 7));
}

TEST(MakePlan, GroupsWholeChunkRowsUpToTheTarget) {
  const PlanSpan span = span_of(25, 4);
  EXPECT_THAT(make_plan({&span, 1}, limits_of(1000)).boundaries, ElementsAre(0, 8, 16, 24, 25));
}

TEST(MakePlan, FirstBlockEndsOnTheGridWhenRowsStartInsideAChunk) {
  const PlanSpan span = span_of(20, 4, 100, 3);
  EXPECT_THAT(make_plan({&span, 1}, limits_of(1000)).boundaries, ElementsAre(0, 5, 13, 20));
}

TEST(MakePlan, ChunkRowALittleAboveTheTargetStaysWhole) {
  const PlanSpan span = span_of(100, 40);
  const BlockPlan plan = make_plan({&span, 1}, limits_of(1000));
  EXPECT_THAT(plan.boundaries, ElementsAre(0, 40, 80, 100));
  EXPECT_TRUE(plan.groups.empty());
}

TEST(MakePlan, ChunkRowFarAboveTheTargetIsCutIntoAGroup) {
  const PlanSpan span = span_of(250, 100);
  const BlockPlan plan = make_plan({&span, 1}, limits_of(1000));
  EXPECT_THAT(plan.boundaries, ElementsAre(0, 34, 68, 100, 134, 168, 200, 234, 250));
  EXPECT_THAT(plan.groups, ElementsAre(1, 1, 1, 2, 2, 2, 3, 3));
}

TEST(MakePlan, PartsOfAChunkRowLieAlikeWhereverTheSpanStarts) {
  const PlanSpan whole = span_of(300, 100);
  const PlanSpan late = span_of(260, 100, 100, 40);
  auto expected = make_plan({&whole, 1}, limits_of(1000)).boundaries;
  std::vector<u64> shifted{0};
  for (const u64 b : expected)
    if (b > 40) shifted.push_back(b - 40);
  EXPECT_EQ(make_plan({&late, 1}, limits_of(1000)).boundaries, shifted);
}

TEST(MakePlan, BlocksDoNotCrossSpans) {
  const std::vector<PlanSpan> spans{span_of(15), span_of(6, 4), span_of(200, 100)};
  const BlockPlan plan = make_plan(spans, limits_of(1000));
  EXPECT_EQ(plan.rows(), 221U);
  for (const u64 edge : {15U, 21U}) EXPECT_TRUE(std::ranges::binary_search(plan.boundaries, edge)) << edge;
  ASSERT_EQ(plan.groups.size(), plan.blocks());
  for (u64 b = 1; b < plan.blocks(); ++b)
    if (plan.range(b).begin <= 21) {
      EXPECT_NE(plan.groups[b], plan.groups[b - 1]) << b;
    }
}

TEST(MakePlan, CostlyRowsMakeShorterBlocks) {
  const PlanSpan span = span_of(100);
  PlanLimits limits = limits_of(1e6);
  limits.flops_per_row = 1e9;
  limits.target_flops = 2.5e9;
  EXPECT_THAT(lengths(make_plan({&span, 1}, limits)), Each(2));
}

TEST(MakePlan, KeepsMaxBytesWhateverTheGrid) {
  for (const u64 chunk : {0U, 1U, 7U, 64U, 1000U}) {
    const PlanSpan span = span_of(5000, chunk);
    PlanLimits limits = limits_of(1e6);
    limits.max_bytes = 2000;
    limits.result_bytes_per_row = 100;
    EXPECT_THAT(lengths(make_plan({&span, 1}, limits)), Each(testing::Le(10U))) << chunk;
  }
}

TEST(MakePlan, ARowLargerThanMaxBytesIsABlock) {
  const PlanSpan span = span_of(3, 0, 1e12);
  EXPECT_THAT(lengths(make_plan({&span, 1}, {})), ElementsAre(1, 1, 1));
}

TEST(MakePlan, BlockRowsAreExactWithinEachSpan) {
  PlanLimits limits;
  limits.block_rows = 7;
  const std::vector<PlanSpan> spans{span_of(16, 4), span_of(5, 100)};
  const BlockPlan plan = make_plan(spans, limits);
  EXPECT_THAT(plan.boundaries, ElementsAre(0, 7, 14, 16, 21));
  const PlanSpan chunky = span_of(20, 10);
  EXPECT_THAT(make_plan({&chunky, 1}, limits).groups, ElementsAre(1, 1, 2));
}

TEST(MakePlan, BlockRowsBeyondTheMemoryLimitAreAnError) {
  PlanLimits limits;
  limits.block_rows = 1000;
  limits.max_bytes = 5000;
  const PlanSpan span = span_of(2000);
  EXPECT_THROW(make_plan({&span, 1}, limits), base::Error);
  const PlanSpan shorter = span_of(50);
  EXPECT_EQ(make_plan({&shorter, 1}, limits).blocks(), 1U);
}

TEST(MakePlan, AbsurdRowCountsGrowTheBlocks) {
  for (const u64 chunk : {u64{0}, u64{1}, u64{4096}, u64{1} << 40}) {
    PlanSpan span = span_of(1'000'000'000'000'000'000, chunk, 1);
    PlanLimits limits;
    limits.max_bytes = 1e15;
    const BlockPlan plan = make_plan({&span, 1}, limits);
    EXPECT_EQ(plan.rows(), span.rows);
    EXPECT_LE(plan.blocks(), limits.max_blocks + 2) << chunk;
    EXPECT_GT(plan.blocks(), limits.max_blocks / 8) << chunk;
  }
}

TEST(MakePlan, TooManyBlocksForTheMemoryLimitAreAnError) {
  const PlanSpan span = span_of(1'000'000'000'000'000'000, 0, 1);
  EXPECT_THROW(make_plan({&span, 1}, {}), base::Error);
  PlanLimits limits;
  limits.block_rows = 10;
  EXPECT_THROW(make_plan({&span, 1}, limits), base::Error);
}

TEST(MakePlan, RowsThatOverflowAreAnError) {
  const std::vector<PlanSpan> spans{span_of(~u64{0} - 5), span_of(10)};
  EXPECT_THROW(make_plan(spans, {}), base::Error);
}

/// Offsets of `rows` rows of a skewed matrix: most are short, some are empty, a few are huge.
std::vector<u64> skewed_offsets(u64 rows, u64 seed) {
  std::mt19937_64 random(seed);
  std::vector<u64> offsets{seed};
  for (u64 row = 0; row < rows; ++row) {
    const u64 kind = random() % 50;
    offsets.push_back(offsets.back() + (kind == 0 ? random() % 5000 : kind < 10 ? 0 : random() % 40));
  }
  return offsets;
}

PlanSpan uneven_span(const std::vector<u64>& offsets) {
  return {.rows = offsets.size() - 1,
          .payload_bytes_per_row = 8,
          .decoded_bytes_per_row = 8,
          .offsets = offsets,
          .payload_bytes_per_element = 8,
          .decoded_bytes_per_element = 12};
}

TEST(MakePlan, BlocksOfUnequalRowsNeverExceedTheTargetUnlessOfOneRow) {
  for (u64 seed = 0; seed < 40; ++seed) {
    const auto offsets = skewed_offsets(1 + seed * 25, seed);
    const PlanSpan span = uneven_span(offsets);
    const PlanLimits limits = limits_of(static_cast<double>(200 + seed * 300));
    const BlockPlan plan = make_plan({&span, 1}, limits);
    ASSERT_EQ(plan.rows(), span.rows);
    EXPECT_TRUE(plan.groups.empty());
    const auto bytes = [&](u64 begin, u64 end) {
      return static_cast<double>(8 * (end - begin) + 8 * (offsets[end] - offsets[begin]));
    };
    for (u64 b = 0; b < plan.blocks(); ++b) {
      const auto [begin, end] = plan.range(b);
      ASSERT_LT(begin, end);
      EXPECT_TRUE(end - begin == 1 || bytes(begin, end) <= limits.target_bytes) << seed << ", block " << b;
      EXPECT_TRUE(end == span.rows || bytes(begin, end + 1) > limits.target_bytes) << seed << ", block " << b;
    }
  }
}

TEST(MakePlan, UnequalRowsKeepTheOtherLimits) {
  const auto offsets = skewed_offsets(1000, 7);
  const PlanSpan span = uneven_span(offsets);
  PlanLimits limits;
  limits.max_bytes = 30'000;
  limits.result_bytes_per_row = 100;
  const BlockPlan plan = make_plan({&span, 1}, limits);
  for (u64 b = 0; b < plan.blocks(); ++b) {
    const auto [begin, end] = plan.range(b);
    EXPECT_TRUE(end - begin == 1 || 108 * (end - begin) + 12 * (offsets[end] - offsets[begin]) <= 30'000) << b;
  }
  limits = {};
  limits.flops_per_row = 1e9;
  EXPECT_THAT(lengths(make_plan({&span, 1}, limits)), Each(2));
  limits.block_rows = 300;
  EXPECT_THAT(make_plan({&span, 1}, limits).boundaries, ElementsAre(0, 300, 600, 900, 1000));
  limits = limits_of(10);
  limits.max_blocks = 20;
  EXPECT_LE(make_plan({&span, 1}, limits).blocks(), 22U);
}

TEST(MakePlan, LargeChunksOfElementsMakeLargerBlocks) {
  const auto offsets = skewed_offsets(2000, 3);
  PlanSpan span = uneven_span(offsets);
  const u64 blocks = make_plan({&span, 1}, limits_of(10'000)).blocks();
  span.chunk_elements = 5000;
  EXPECT_LT(make_plan({&span, 1}, limits_of(10'000)).blocks(), blocks / 2);
}

TEST(MakePlan, CoversEveryRowForAllSmallLayouts) {
  for (u64 rows = 0; rows <= 30; ++rows)
    for (u64 chunk = 0; chunk <= 12; ++chunk)
      for (u64 phase = 0; phase < std::max<u64>(chunk, 1); ++phase)
        for (const double target : {100.0, 250.0, 500.0, 2000.0}) {
          const PlanSpan span = span_of(rows, chunk, 100, phase);
          PlanLimits limits = limits_of(target);
          limits.whole_chunk_factor = 2;
          const BlockPlan plan = make_plan({&span, 1}, limits);
          EXPECT_EQ(plan.rows(), rows);
          EXPECT_THAT(lengths(plan), Each(testing::Ge(1U)));
          EXPECT_TRUE(plan.groups.empty() || plan.groups.size() == plan.blocks());
          for (u64 b = 1; b < plan.blocks(); ++b) {
            // A boundary inside a chunk row joins two blocks of one group.
            const bool on_grid = chunk == 0 || (plan.boundaries[b] + phase) % chunk == 0;
            const bool grouped = !plan.groups.empty() && plan.groups[b] == plan.groups[b - 1];
            ASSERT_NE(on_grid, grouped) << rows << " rows, chunks of " << chunk << ", phase " << phase << ", block "
                                        << b;
          }
        }
}

}  // namespace
}  // namespace h5score::sched
