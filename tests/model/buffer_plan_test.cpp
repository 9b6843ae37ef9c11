// Buffers are reused, and never while somebody still needs what is in them.
#include "model/buffer_plan.hpp"

#include "models.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace h5score::model {
namespace {

using testing::Random;

/// Runs the plan on names of nodes in place of columns, as an evaluator would.
void expect_right(u64 features, const std::vector<StepShape>& steps, u64 output) {
  const BufferPlan plan = plan_buffers(features, steps, output);
  constexpr u64 kSpoilt = ~u64{0};
  std::vector<u64> content(plan.widths.size(), kSpoilt);
  std::vector<u64> width_of{features};
  for (const StepShape& step : steps) width_of.push_back(step.width);
  content[0] = 0;
  ASSERT_EQ(plan.steps.size(), steps.size());
  for (u64 i = 0; i < steps.size(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    const StepBuffers& at = plan.steps[i];
    if (at.copied_first) content[at.inputs[0]] = content[*at.copied_first];
    ASSERT_EQ(at.inputs.size(), steps[i].inputs.size());
    for (u64 k = 0; k < at.inputs.size(); ++k) {
      EXPECT_EQ(content[at.inputs[k]], steps[i].inputs[k]) << "input " << k;
      EXPECT_GE(plan.widths[at.inputs[k]], width_of[steps[i].inputs[k]]);
      if (steps[i].in_place)
        EXPECT_EQ(at.inputs[k] == at.output, k == 0) << "input " << k;
      else
        EXPECT_NE(at.inputs[k], at.output) << "input " << k;
    }
    if (steps[i].spoils) content[at.inputs[0]] = kSpoilt;
    content[at.output] = i + 1;
    EXPECT_GE(plan.widths[at.output], steps[i].width);
  }
  EXPECT_EQ(content[plan.output], output);
}

TEST(BufferPlan, NeverOverwritesWhatIsNeeded) {
  Random random(11);
  for (u64 trial = 0; trial < 300; ++trial) {
    const u64 features = 1 + random.below(9);
    std::vector<u64> widths{features};
    std::vector<StepShape> steps;
    for (u64 i = 0; i < 1 + random.below(14); ++i) {
      StepShape step;
      for (u64 k = 0; k < 1 + random.below(3); ++k) step.inputs.push_back(random.below(i + 1));
      step.in_place = random.below(2) == 0;
      step.spoils = !step.in_place && random.below(4) == 0;
      if (step.spoils) step.inputs.resize(1);
      step.width = step.in_place ? widths[step.inputs[0]] : 1 + random.below(9);
      widths.push_back(step.width);
      steps.push_back(step);
    }
    expect_right(features, steps, steps.size());
    if (HasFailure()) FAIL() << "trial " << trial;
  }
}

TEST(BufferPlan, ChainsNeedTwoBuffers) {
  const std::vector<StepShape> steps = {{{0}, 10, true}, {{1}, 64}, {{2}, 64, true}, {{3}, 32}, {{4}, 5}};
  const BufferPlan plan = plan_buffers(10, steps, 5);
  EXPECT_EQ(plan.widths, (std::vector<u64>{32, 64}));
  EXPECT_EQ(plan.columns_at_once, 128U);
}

TEST(BufferPlan, DeepResidualNetworksNeedTwo) {
  std::vector<StepShape> steps;
  for (u64 x = 0; x < 90; x += 3) {
    steps.push_back({{x}, 7});
    steps.push_back({{x + 1}, 7, true});
    steps.push_back({{x, x + 2}, 7, true});
  }
  expect_right(7, steps, steps.size());
  EXPECT_EQ(plan_buffers(7, steps, steps.size()).widths.size(), 2U);
}

TEST(BufferPlan, FeaturesMayBeTheResult) {
  const BufferPlan plan = plan_buffers(3, {}, 0);
  EXPECT_EQ(plan.output, 0U);
  EXPECT_EQ(plan.widths, std::vector<u64>{3});
}

}  // namespace
}  // namespace h5score::model
