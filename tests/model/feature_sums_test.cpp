// Sums of features: against numpy's figures, split in any way, and what is worth a warning.
#include "h5score/model/feature_sums.hpp"

#include "models.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace h5score::model {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr u64 kColumns = 9;
constexpr u64 kRows = 5;

// Ordinary values; a large mean; a constant; a mark; infinities; nothing but NaN; one value; and two more.
constexpr double kValues[kRows][kColumns] = {
    {1.5, 1e9 + 0.125, 7, 99, kInf, kNan, -0.0, 3.25, 5},  //
    {2.5, 1e9 + 0.25, 7, 2.5, 1, kNan, kNan, -1, 6},       //
    {-4, 1e9 + 0.375, 7, -1, 2, kNan, kNan, 2, 99},        //
    {0.25, 1e9 + 0.75, 7, kNan, -kInf, kNan, kNan, 8, 7},  //
    {3, 1e9 + 0.875, 7, 4, 3, kNan, kNan, 1e-3, 8},
};

struct Expected {
  u64 n, missing, infinite;
  double minimum, maximum, mean, stddev;
};

// numpy 1.24: min, max, mean and std of x[isfinite(x)].
constexpr Expected kExpected[kColumns] = {
    {5, 0, 0, -4.0, 3.0, 0.65, 2.507987240796891},
    {5, 0, 0, 1000000000.125, 1000000000.875, 1000000000.475, 0.2893959225697566},
    {5, 0, 0, 7.0, 7.0, 7.0, 0.0},
    {4, 1, 0, -1.0, 99.0, 26.125, 42.113499913923086},
    {3, 0, 2, 1.0, 3.0, 2.0, 0.816496580927726},
    {0, 5, 0, 0, 0, 0, 0},
    {1, 4, 0, 0.0, 0.0, 0.0, 0.0},
    {5, 0, 0, -1.0, 8.0, 2.4501999999999997, 3.147859615675388},
    {5, 0, 0, 5.0, 99.0, 25.0, 37.013511046643494},
};
constexpr Expected kMarked3{3, 2, 0, -1.0, 4.0, 1.8333333333333333, 2.0949675149960894};
constexpr Expected kMarked8{4, 1, 0, 5.0, 8.0, 6.5, 1.118033988749895};

void expect_sum(const FeatureSum& sum, const Expected& expected, double tolerance) {
  EXPECT_EQ(sum.n, expected.n);
  EXPECT_EQ(sum.missing, expected.missing);
  EXPECT_EQ(sum.infinite, expected.infinite);
  EXPECT_EQ(sum.rows(), kRows);
  EXPECT_EQ(sum.minimum, expected.minimum);
  EXPECT_EQ(sum.maximum, expected.maximum);
  EXPECT_NEAR(sum.mean, expected.mean, tolerance * std::abs(expected.mean));
  EXPECT_NEAR(sum.stddev(), expected.stddev, 1e-7 * expected.stddev);
}

TEST(FeatureSums, AgreesWithNumpy) {
  FeatureSums sums(kColumns);
  sums.add(&kValues[0][0], kColumns, kRows, {});
  for (u64 j = 0; j < kColumns; ++j) {
    SCOPED_TRACE(j);
    expect_sum(sums.sums()[j], kExpected[j], 1e-15);
    EXPECT_EQ(sums.sums()[j].outside, 0U);
  }
}

TEST(FeatureSums, AgreesWithNumpyInFloat) {
  std::vector<float> values;
  for (const auto& row : kValues)
    for (const double x : row) values.push_back(static_cast<float>(x));
  FeatureSums sums(kColumns);
  sums.add(values.data(), kColumns, kRows, {});
  for (const u64 j : {0U, 2U, 3U, 4U, 5U, 6U, 8U}) {  // exact in float
    SCOPED_TRACE(j);
    expect_sum(sums.sums()[j], kExpected[j], 1e-15);
  }
}

TEST(FeatureSums, TakesTheModelsMarksAsMissing) {
  FeatureSums sums(kColumns);
  sums.add(&kValues[0][0], kColumns, kRows, {.minimum = {}, .maximum = {}, .marks = {99}});
  expect_sum(sums.sums()[0], kExpected[0], 1e-15);
  expect_sum(sums.sums()[3], kMarked3, 1e-15);
  expect_sum(sums.sums()[8], kMarked8, 1e-15);
}

TEST(FeatureSums, CountsWhatIsOutsideTheTrainingRange) {
  FeatureRange range{
      .minimum = std::vector<double>(kColumns, 0), .maximum = std::vector<double>(kColumns, 7), .marks = {}};
  FeatureSums sums(kColumns);
  sums.add(&kValues[0][0], kColumns, kRows, range);
  std::vector<u64> outside;
  for (const auto& sum : sums.sums()) outside.push_back(sum.outside);
  EXPECT_EQ(outside, (std::vector<u64>{1, 5, 0, 2, 2, 0, 0, 2, 2}));
  range.minimum.clear();
  sums.clear();
  sums.add(&kValues[0][0], kColumns, kRows, range);
  EXPECT_EQ(sums.sums()[0].outside, 0U);
}

TEST(FeatureSums, LeavesOutPaddingColumnsAndRows) {
  std::vector<double> tile(8 * 16, 1e300);
  for (u64 r = 0; r < kRows; ++r) std::copy_n(kValues[r], kColumns, tile.data() + r * 16);
  FeatureSums padded(kColumns);
  padded.add(tile.data(), 16, kRows, {});
  FeatureSums plain(kColumns);
  plain.add(&kValues[0][0], kColumns, kRows, {});
  EXPECT_TRUE(std::ranges::equal(padded.sums(), plain.sums()));
}

TEST(FeatureSums, MergesPartsToTheSumOfTheWhole) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(1e6, 1);
  constexpr u64 rows = 1000;
  std::vector<double> values(rows * kColumns);
  for (auto& x : values) x = random() % 50 == 0 ? kNan : normal(random);
  FeatureSums whole(kColumns);
  whole.add(values.data(), kColumns, rows, {});
  for (const u64 part : {1U, 7U, 256U, 999U}) {
    SCOPED_TRACE(part);
    FeatureSums merged(kColumns);
    for (u64 first = 0; first < rows; first += part) {
      FeatureSums some(kColumns);
      some.add(values.data() + first * kColumns, kColumns, std::min(part, rows - first), {});
      merged.merge(some.sums());
    }
    for (u64 j = 0; j < kColumns; ++j) {
      const FeatureSum& a = merged.sums()[j];
      const FeatureSum& b = whole.sums()[j];
      EXPECT_EQ(a.n, b.n);
      EXPECT_EQ(a.missing, b.missing);
      EXPECT_EQ(a.minimum, b.minimum);
      EXPECT_EQ(a.maximum, b.maximum);
      EXPECT_NEAR(a.mean, b.mean, 1e-14 * b.mean);
      EXPECT_NEAR(a.stddev(), b.stddev(), 1e-9);
    }
  }
}

TEST(FeatureSums, MergingNothingChangesNothing) {
  FeatureSum sum{
      .n = 3, .missing = 1, .infinite = 0, .outside = 2, .minimum = -1, .maximum = 4, .mean = 1, .squares = 9};
  const FeatureSum before = sum;
  sum.merge({});
  EXPECT_EQ(sum, before);
  FeatureSum none{.missing = 2};
  none.merge(before);
  EXPECT_EQ(none.missing, 3U);
  EXPECT_EQ(none.mean, 1);
  EXPECT_EQ(none.rows(), 6U);
}

FeatureReference reference(double mean, double stddev) {
  return {.mean = {mean}, .stddev = {stddev}, .minimum = {}, .maximum = {}};
}

FeatureSum hundred(double mean) {
  return {.n = 100, .minimum = mean - 1, .maximum = mean + 1, .mean = mean, .squares = 50};
}

TEST(FeatureWarning, TellsAShiftedMeanInTrainingDeviations) {
  const auto trained = reference(23.1, 0.439);
  EXPECT_EQ(warning_text(hundred(24.9), &trained, 0), "mean 24.9, training 23.1 (+4.1 sigma)");
  EXPECT_EQ(warning_text(hundred(21.3), &trained, 0), "mean 21.3, training 23.1 (-4.1 sigma)");
  EXPECT_EQ(warning_text(hundred(24.4), &trained, 0), "");  // 2.96
  EXPECT_EQ(warning_text(hundred(24.9), nullptr, 0), "");
}

TEST(FeatureWarning, TellsSharesAboveTheirLimits) {
  const auto trained = reference(23.1, 0.439);
  FeatureSum sum = hundred(24.9);
  sum.missing = 45;
  EXPECT_EQ(warning_text(sum, &trained, 0), "mean 24.9, training 23.1 (+4.1 sigma), 31 % missing");
  sum = hundred(23.1);
  sum.missing = 5;
  EXPECT_EQ(warning_text(sum, &trained, 0), "");  // 4.8 %
  sum.missing = 6;
  EXPECT_EQ(warning_text(sum, &trained, 0), "5.7 % missing");
  sum = hundred(23.1);
  sum.outside = 10;
  EXPECT_EQ(warning_text(sum, &trained, 0), "");
  sum.outside = 11;
  EXPECT_EQ(warning_text(sum, &trained, 0), "11 % outside the training range");
}

TEST(FeatureWarning, KnowsFeaturesThatWereConstant) {
  const auto trained = reference(0, 0);
  EXPECT_EQ(warning_text(hundred(0), &trained, 0), "");
  EXPECT_EQ(warning_text(hundred(2), &trained, 0), "mean 2, training 0 (constant there)");
}

TEST(FeatureWarning, SaysNothingOfAFewRows) {
  const auto trained = reference(0, 1);
  FeatureSum sum{.n = 9, .minimum = 50, .maximum = 50, .mean = 50};
  EXPECT_EQ(warning_text(sum, &trained, 0), "");
  sum.n = 10;
  EXPECT_EQ(warning_text(sum, &trained, 0), "mean 50, training 0 (+50.0 sigma)");
}

TEST(FeatureWarning, RanksBySeverity) {
  const auto trained = reference(0, 1);
  FeatureSum missing{.n = 90, .missing = 10};
  EXPECT_DOUBLE_EQ(compare(missing, &trained, 0).severity, 2);
  EXPECT_DOUBLE_EQ(compare(hundred(-9), &trained, 0).severity, 3);
}

TEST(FeatureRange, TakesMarksOfTheFirstStagesOnly) {
  Model m;
  m.n_features = 1;
  m.stages = {MarkMissing{99}, MarkMissing{-9999}, Clip{0, 1}, MarkMissing{1}};
  EXPECT_EQ(feature_range(m).marks, (std::vector<double>{99, -9999}));
}

}  // namespace
}  // namespace h5score::model
