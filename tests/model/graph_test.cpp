// Stages put in front, and what models know of the rows that they were trained on.
#include "models.hpp"
#include "scored.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace h5score::model {
namespace {

using testing::affine;
using testing::bare;
using testing::Random;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A model of two features.
Model with(std::vector<Stage> stages, std::vector<std::vector<u64>> inputs = {}) {
  Model m = bare(2, {});
  m.stages = std::move(stages);
  m.inputs = std::move(inputs);
  return m;
}

TEST(Prepend, KeepsChainsChains) {
  Random random(1);
  Model m = with({affine(random, 2, 3)});
  prepend(m, {MarkMissing{99}, Impute{{1, 2}, 0, true}});
  EXPECT_TRUE(m.inputs.empty());
  EXPECT_EQ(m.stages.size(), 3U);
  EXPECT_EQ(testing::score(m, {99, 2, 1, 2}).status, (std::vector<base::u8>{0, 0}));
}

TEST(Prepend, ShowsEveryBranchTheNewStages) {
  const Impute impute{{1, 2}, 0, true};
  Model m = with({Scale{{0, 0}, {10, 10}}, Combine{CombineKind::add}}, {{0}, {1, 0}});
  Model same = m;
  prepend(same, {});
  EXPECT_EQ(same.inputs, m.inputs);
  prepend(m, {MarkMissing{99}, impute});
  EXPECT_EQ(m.inputs, (std::vector<std::vector<u64>>{{0}, {1}, {2}, {3, 2}}));
  EXPECT_EQ(testing::score(m, {kNan, 99, 3, 4}).prediction, (std::vector<double>{11, 22, 33, 44}));
}

TEST(TrainingReference, ComesFromALeadingScaler) {
  Random random(1);
  const Model m = with({Scale{{23.1, 5}, {2, -0.5}}, affine(random, 2, 1)});
  const auto reference = training_reference(m);
  ASSERT_TRUE(reference.has_value());
  EXPECT_EQ(reference->mean, (std::vector<double>{23.1, 5}));
  EXPECT_EQ(reference->stddev, (std::vector<double>{0.5, 2}));
  EXPECT_TRUE(reference->minimum.empty());
}

TEST(TrainingReference, GoesBackThroughColumnwiseStages) {
  const Model m = with({MarkMissing{99}, Impute{{1, kNan}, 0, true}, Scale{{0, 0}, {1 / 255.0, 1}}, Clip{0, 1}, Log1p{},
                        Scale{{0.5, 1}, {4, 0}}, Normalize{Norm::l2}, Scale{{7, 7}, {7, 7}}});
  const auto reference = training_reference(m);
  ASSERT_TRUE(reference.has_value());
  EXPECT_NEAR(reference->mean[0], 255 * std::expm1(0.5), 1e-12);
  EXPECT_TRUE(std::isnan(reference->stddev[0])) << "the deviation of logarithms is not that of the values";
  EXPECT_NEAR(reference->mean[1], std::expm1(1), 1e-12);
  EXPECT_TRUE(std::isnan(reference->stddev[1])) << "a factor of 0 says nothing";
}

TEST(TrainingReference, IsUnknownWithoutAScalerOfTheFeatures) {
  Random random(1);
  const Scale scale{{1, 2}, {3, 4}};
  EXPECT_FALSE(training_reference(with({affine(random, 2, 1)})).has_value());
  EXPECT_FALSE(training_reference(with({Log1p{}, affine(random, 2, 2), scale})).has_value());
  EXPECT_FALSE(training_reference(with({Combine{CombineKind::add}, scale}, {{0, 0}, {1}})).has_value());
  EXPECT_FALSE(training_reference(with({Scale{{0, 0}, {0.1, 0.2}}})).has_value()) << "a scaler by the largest value";
}

// A ColumnTransformer: each branch selects its columns and scales them in its own way.
TEST(TrainingReference, FollowsColumnsThroughBranches) {
  Model m = bare(5, {});
  m.stages = {Select{{3, 0}},
              Scale{{10, 20}, {0.5, 0.25}},
              Select{{1}},
              Log1p{},
              Scale{{2}, {0.5}},
              Combine{CombineKind::concat},
              Select{{4}},
              Scale{{0}, {0.1}},
              Combine{CombineKind::concat}};
  m.inputs = {{0}, {1}, {0}, {3}, {4}, {2, 5}, {0}, {7}, {6, 8}};
  const auto reference = training_reference(m);
  ASSERT_TRUE(reference.has_value());
  EXPECT_EQ(reference->mean[0], 20);
  EXPECT_EQ(reference->stddev[0], 4);
  EXPECT_NEAR(reference->mean[1], std::expm1(2), 1e-12);
  EXPECT_TRUE(std::isnan(reference->mean[2])) << "no scaler sees it";
  EXPECT_EQ(reference->mean[3], 10);
  EXPECT_TRUE(std::isnan(reference->mean[4])) << "a scaler by the largest value";
  m.stages.emplace_back(Scale{{0, 0, 0, 1}, {1, 1, 1, 1}});  // behind all of them
  m.inputs.push_back({9});
  EXPECT_EQ(training_reference(m)->mean[4], 10);
  EXPECT_EQ(training_reference(m)->mean[0], 20);
}

TEST(TrainingReference, IsUnknownWhereScalersDisagree) {
  const Model m =
      with({Scale{{1, 2}, {1, 1}}, Scale{{3, 2}, {1, 1}}, Combine{CombineKind::concat}}, {{0}, {0}, {1, 2}});
  const auto reference = training_reference(m);
  ASSERT_TRUE(reference.has_value());
  EXPECT_TRUE(std::isnan(reference->mean[0]));
}

TEST(TrainingReference, PrefersWhatTheModelSays) {
  Model m = with({Scale{{23.1, 5}, {2, 1}}});
  m.reference = FeatureReference{{1, 2}, {3, 4}, {}, {}};
  EXPECT_EQ(training_reference(m)->mean, (std::vector<double>{1, 2}));
  m.reference = FeatureReference{{}, {}, {0, 0}, {9, 9}};
  EXPECT_EQ(training_reference(m)->mean, (std::vector<double>{23.1, 5}));
  EXPECT_EQ(training_reference(m)->maximum, (std::vector<double>{9, 9}));
  m.reference = FeatureReference{{}, {}, {23.1, 5}, {24, 7}};
  EXPECT_TRUE(training_reference(m)->mean.empty()) << "a scaler to a range";
}

}  // namespace
}  // namespace h5score::model
