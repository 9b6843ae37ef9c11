// What people are told of features that look unlike the training data.
#include "run/feature_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace h5score::run {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr TextStyle style{.width = 100, .utf8 = false, .terminal = false};

// Features 0..n-1 whose means are off by 1, 2, ... standard deviations.
std::vector<FeatureReport> shifted(u64 n, const std::vector<std::string>& names) {
  model::FeatureReference training;
  std::vector<model::FeatureSum> sums;
  for (u64 i = 0; i < n; ++i) {
    training.mean.push_back(10);
    training.stddev.push_back(2);
    const double mean = 10 + 2 * static_cast<double>(i + 1);
    sums.push_back({.n = 50, .minimum = mean, .maximum = mean, .mean = mean});
  }
  return report_features(sums, names, training);
}

RunReport report_of(std::vector<FeatureReport> features) {
  RunReport report;
  report.rows = 2000;
  report.feature_rows = 500;
  report.models.resize(1);
  report.models[0].features = std::move(features);
  return report;
}

TEST(FeatureReport, KnowsTrainingAsFarAsTheModelDoes) {
  const auto features = shifted(4, {"a", "b", "c", "d"});
  EXPECT_EQ(features[3].name, "d");
  EXPECT_EQ(features[3].mean, 10);
  EXPECT_EQ(features[3].stddev, 2);
  EXPECT_FALSE(features[3].minimum.has_value());
  EXPECT_EQ(features[3].warning, "mean 18, training 10 (+4.0 sigma)");
  EXPECT_EQ(features[2].warning, "");
  EXPECT_FALSE(report_features({{.n = 50}}, {}, std::nullopt)[0].mean.has_value());
}

TEST(FeatureReport, NamesTheWorstFirst) {
  EXPECT_EQ(feature_warnings(report_of(shifted(5, {"a", "b", "c", "d", "e"})), style),
            "Unlike the training data, going by 500 of 2,000 rows:\n"
            "  e: mean 20, training 10 (+5.0 sigma)\n"
            "  d: mean 18, training 10 (+4.0 sigma)\n");
}

TEST(FeatureReport, IsSilentWhereNothingIsUnlike) {
  EXPECT_EQ(feature_warnings(report_of(shifted(3, {})), style), "");
  EXPECT_EQ(feature_warnings(RunReport(), style), "");
  EXPECT_EQ(feature_warnings(shifted(3, {}), 100, style), "");
}

TEST(FeatureReport, CutsLongLists) {
  const std::string text = feature_warnings(report_of(shifted(25, {})), style);
  EXPECT_THAT(text, HasSubstr("  feature 24: "));
  EXPECT_THAT(text, HasSubstr("  feature 15: "));
  EXPECT_THAT(text, Not(HasSubstr("  feature 14: ")));
  EXPECT_THAT(text, HasSubstr("  and 12 more (see --report)\n"));
  // One more line than "and 1 more" would take.
  EXPECT_THAT(feature_warnings(report_of(shifted(14, {})), style), Not(HasSubstr("more")));
}

TEST(FeatureReport, SaysWhoseRowsTheyAre) {
  auto report = report_of(shifted(4, {}));
  report.resumed_blocks = 3;
  EXPECT_THAT(feature_warnings(report, style), HasSubstr("going by 500 of the 2,000 rows that this run scored:\n"));
  EXPECT_THAT(feature_warnings(report.models[0].features, 10'000, style),
              HasSubstr("going by a sample of 10,000 rows:\n"));
}

TEST(FeatureReport, TellsModelsApart) {
  auto report = report_of(shifted(4, {}));
  report.models.push_back(report.models[0]);
  report.models[0].name = "z";
  report.models[1].name = "kind";
  const std::string text = feature_warnings(report, style);
  EXPECT_THAT(text, HasSubstr("  z: feature 3: mean 18"));
  EXPECT_THAT(text, HasSubstr("  kind: feature 3: mean 18"));
}

}  // namespace
}  // namespace h5score::run
