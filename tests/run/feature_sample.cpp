// The sample of rows for feature statistics, and the tree of sums over the blocks.
#include "run/feature_sample.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace h5score::run {
namespace {

FeatureTree::Sums sums_of(u64 block) {
  std::mt19937_64 random(block + 1);
  std::normal_distribution<double> normal(3, 2);
  std::vector<double> values(2 * (1 + block % 5));
  for (auto& x : values) x = normal(random);
  model::FeatureSums sums(2);
  sums.add(values.data(), 2, values.size() / 2, {});
  return {sums.sums().begin(), sums.sums().end()};
}

FeatureTree::Sums total_of(const std::vector<u64>& blocks) {
  FeatureTree tree;
  for (const u64 block : blocks) tree.add(block, sums_of(block));
  return tree.total();
}

TEST(FeatureTree, TotalDoesNotDependOnTheOrderOfBlocks) {
  std::mt19937_64 random(1);
  for (u64 n = 1; n <= 40; ++n) {
    std::vector<u64> blocks(n);
    std::iota(blocks.begin(), blocks.end(), u64{0});
    const auto expected = total_of(blocks);
    u64 rows = 0;
    for (const u64 block : blocks) rows += 1 + block % 5;
    EXPECT_EQ(expected[0].rows(), rows);
    for (int attempt = 0; attempt < 20; ++attempt) {
      std::shuffle(blocks.begin(), blocks.end(), random);
      EXPECT_EQ(total_of(blocks), expected) << n << " blocks";
    }
    std::reverse(blocks.begin(), blocks.end());
    EXPECT_EQ(total_of(blocks), expected);
  }
}

TEST(FeatureTree, TotalOfSomeBlocksDoesNotDependOnTheirOrderEither) {
  std::mt19937_64 random(2);
  for (int attempt = 0; attempt < 50; ++attempt) {
    std::vector<u64> blocks(60);
    std::iota(blocks.begin(), blocks.end(), u64{0});
    std::shuffle(blocks.begin(), blocks.end(), random);
    blocks.resize(1 + random() % 59);
    std::sort(blocks.begin(), blocks.end());
    const auto expected = total_of(blocks);
    std::shuffle(blocks.begin(), blocks.end(), random);
    EXPECT_EQ(total_of(blocks), expected);
  }
}

TEST(FeatureTree, OrderDoesMatterWithoutATree) {
  // What the tree is for: merged one after the other, some order gives other bits.
  std::mt19937_64 random(3);
  std::vector<u64> blocks(40);
  std::iota(blocks.begin(), blocks.end(), u64{0});
  const auto chain = [&] {
    model::FeatureSums sums(2);
    for (const u64 block : blocks) sums.merge(sums_of(block));
    return FeatureTree::Sums(sums.sums().begin(), sums.sums().end());
  };
  const auto first = chain();
  bool differs = false;
  for (int attempt = 0; attempt < 20; ++attempt) {
    std::shuffle(blocks.begin(), blocks.end(), random);
    differs = differs || chain() != first;
  }
  EXPECT_TRUE(differs);
}

TEST(FeatureTree, HasNoTotalWithoutBlocks) {
  EXPECT_TRUE(FeatureTree().total().empty());
}

sched::BlockPlan plan_of(u64 blocks, u64 rows_per_block) {
  sched::BlockPlan plan;
  for (u64 b = 1; b <= blocks; ++b) plan.boundaries.push_back(b * rows_per_block);
  return plan;
}

u64 sampled_rows(const FeatureSample& sample, const sched::BlockPlan& plan) {
  u64 rows = 0;
  for (u64 b = 0; b < plan.blocks(); ++b)
    for (u64 row = 0; sample.takes_block(b) && row < plan.range(b).size(); ++row)
      rows += sample.takes_row(row) ? 1U : 0U;
  return rows;
}

TEST(FeatureSample, TakesAllRowsOfASmallRun) {
  const auto plan = plan_of(3, 1000);
  EXPECT_EQ(sampled_rows(plan_feature_sample(plan, 20, 40), plan), plan.rows());
}

TEST(FeatureSample, TakesAllRowsOfAnExpensiveModel) {
  const auto plan = plan_of(1000, 5000);
  EXPECT_EQ(sampled_rows(plan_feature_sample(plan, 20, 1e6), plan), plan.rows());
}

TEST(FeatureSample, TakesAFewRowsOfACheapModel) {
  for (const u64 rows_per_block : {100U, 256U, 1000U, 5000U, 100'000U}) {
    const auto plan = plan_of(20'000'000 / rows_per_block, rows_per_block);
    const double share = static_cast<double>(sampled_rows(plan_feature_sample(plan, 20, 40), plan)) / 2e7;
    EXPECT_GT(share, 0.001) << rows_per_block;
    EXPECT_LT(share, 0.02) << rows_per_block;
  }
}

TEST(FeatureSample, BoundsTheBytesOfAllSums) {
  const auto plan = plan_of(100'000, 32);
  const auto sample = plan_feature_sample(plan, 33'000, 1e9);
  const u64 blocks = (plan.blocks() + sample.block_step - 1) / sample.block_step;
  EXPECT_GT(blocks, 50U);
  EXPECT_LE(blocks * feature_bytes(33'000), u64{260} << 20U);
}

TEST(FeatureSample, OfNothingIsAnything) {
  EXPECT_EQ(plan_feature_sample({}, 20, 40).block_step, 1U);
  EXPECT_EQ(plan_feature_sample(plan_of(1, 10), 0, 40).block_step, 1U);
}

}  // namespace
}  // namespace h5score::run
