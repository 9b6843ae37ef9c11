// What compilation folds, and what it must leave alone. That the results stay the same is tested for every family in
// reference_test.cpp.
#include "h5score/base/error.hpp"

#include "model/graph.hpp"
#include "models.hpp"
#include "scored.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace h5score::model {
namespace {

using testing::affine;
using testing::bare;
using testing::Random;

/// The stages that are left, by their descriptions.
std::string left(Model model, u64 features = 3) {
  model.n_features = features;
  std::string text;
  for (const Stage& stage : simplify(model, Precision::float64).stages)
    text += (text.empty() ? "" : "; ") + describe(stage);
  return text;
}
std::string left(std::vector<Stage> stages, std::vector<std::vector<u64>> inputs = {}) {
  Model model;
  model.stages = std::move(stages);
  model.inputs = std::move(inputs);
  return left(std::move(model));
}

const Scale kScale{{1, 2, 3}, {1, 2, 4}};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Simplify, FoldsChains) {
  Random random(1);
  const Activation relu{ActivationKind::relu, 0};
  EXPECT_EQ(left({kScale, affine(random, 3, 2)}), "affine 3 -> 2");
  EXPECT_EQ(left({affine(random, 3, 3), kScale, relu, affine(random, 3, 3)}), "affine 3 -> 3; relu; affine 3 -> 3");
  EXPECT_EQ(left({Select{{2, 0, 1}}, kScale, affine(random, 3, 2)}), "select 3 columns; affine 3 -> 2");
  EXPECT_EQ(left({kScale, Select{{2, 0, 1}}, affine(random, 3, 2)}), "affine 3 -> 2");
  EXPECT_EQ(left({Select{{2, 0, 1}}, Select{{2, 0, 1}}, Select{{2, 0, 1}}, relu}), "select 3 columns; relu");
  EXPECT_EQ(left({Select{{0, 1, 2}}, Activation{}, Impute{{kNan, kNan, kNan}, 0, true}}), "");
  EXPECT_EQ(left({affine(random, 3, 50), affine(random, 50, 2)}), "affine 3 -> 2");
}

TEST(Simplify, LeavesWhatOthersReadOrWhatChangesMissingValues) {
  Random random(1);
  EXPECT_EQ(left({kScale, affine(random, 3, 3), Combine{CombineKind::add}}, {{0}, {1}, {1, 2}}),
            "scale; affine 3 -> 3; add");
  EXPECT_EQ(left({kScale, affine(random, 3, 3), Combine{CombineKind::add}}, {{0}, {1}, {0, 2}}), "affine 3 -> 3; add");
  EXPECT_EQ(left({MarkMissing{0}, Impute{{1, kNan, kNan}, 0, true}, affine(random, 3, 2)}),
            "mark missing; impute; affine 3 -> 2");
  EXPECT_EQ(left({Select{{0, 2}}, affine(random, 2, 2)}), "select 2 columns; affine 2 -> 2");
}

TEST(Simplify, DropsWhatNobodyNeeds) {
  Random random(1);
  EXPECT_EQ(left({affine(random, 3, 9), affine(random, 3, 2), Log1p{}, Log1p{}}, {{0}, {0}, {1}, {2}}),
            "affine 3 -> 2; log1p");
}

TEST(Simplify, RepeatedColumnsAddTheirWeights) {
  Model m = bare(2, {});
  m.stages = {Select{{1, 0, 1}}, Affine{{3, 1, {1, 10, 100}}, {0.5}}};
  EXPECT_EQ(simplify(m, Precision::float64).stages.size(), 1U);
  EXPECT_EQ(testing::score(m, {2, 3}).prediction[0], 0.5 + 303 + 20);
}

TEST(Compile, RefusesBranchesThatNeedTooMuchMemory) {
  Model m = bare(u64{1} << 22U, {});
  Combine all{CombineKind::add};
  std::vector<u64> nodes;
  for (u64 i = 0; i < 6; ++i) {
    m.stages.emplace_back(Log1p{});
    m.inputs.push_back({0});
    nodes.push_back(i + 1);
  }
  m.stages.emplace_back(all);
  m.inputs.push_back(nodes);
  EXPECT_THROW((void)compile(m), base::Error);
}

}  // namespace
}  // namespace h5score::model
