// Which rows are missing or not finite: a NaN that the model handles, or that it never reads, is neither.
#include "models.hpp"
#include "scored.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace h5score::model {
namespace {

using testing::bare;
using testing::Results;
using testing::score;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Status, MarksMissingAndNonfiniteRows) {
  const Results r = score(bare(2, testing::head(HeadKind::multilabel, Link::sigmoid, 2)),
                          {1, -1, kNan, 1, 1, kInf, -kInf, kNan, -3, 3});
  EXPECT_EQ(r.status, (std::vector<base::u8>{status_ok, status_missing, status_nonfinite,
                                             status_missing | status_nonfinite, status_ok}));
  EXPECT_EQ(r.label, (std::vector<std::int32_t>{1, 0, -1, -1, -1, -1, -1, -1, 0, 1}));
  for (u64 i = 2; i < 8; ++i) {
    EXPECT_TRUE(std::isnan(r.probability[i]));
    EXPECT_TRUE(std::isnan(r.decision[i]));
  }
  EXPECT_EQ(r.decision[8], -3);
}

TEST(Status, ImputedNanIsNotMissing) {
  Model m = bare(2, {});
  m.stages = {Scale{{1, 1}, {2, 2}}, Impute{{7, 8}, 0, true}};
  const Results r = score(m, {kNan, 2, 2, kNan, kInf, 2});
  EXPECT_EQ(r.status, (std::vector<base::u8>{0, 0, status_nonfinite}));
  EXPECT_EQ(std::vector<double>(r.prediction.begin(), r.prediction.begin() + 4), (std::vector<double>{7, 2, 2, 8}));
}

TEST(Status, ImputeOfAValueLeavesNanMissing) {
  Model m = bare(2, {});
  m.stages = {Impute{{7, 8}, -999, false}};
  const Results r = score(m, {-999, 2, 2, kNan});
  EXPECT_EQ(r.status, (std::vector<base::u8>{0, status_missing}));
  EXPECT_EQ(r.prediction[0], 7);
}

TEST(Status, ResultThatIsNotFiniteIsMarked) {
  Model m = bare(1, {});
  m.stages = {Log1p{}};
  const Results r = score(m, {-1, -2, 0});
  EXPECT_EQ(r.status, (std::vector<base::u8>{status_nonfinite, status_nonfinite, 0}));
  EXPECT_TRUE(std::isnan(r.prediction[0]));
}

/// Sums two columns.
Affine sum() {
  return {{2, 1, {1, 1}}, {0}};
}

struct Case {
  const char* name;
  u64 features;
  std::vector<Stage> stages;
  std::vector<std::vector<u64>> inputs;
  std::vector<bool> matters;
  std::vector<double> row;
  int status;
  double prediction;  ///< the first column, where the row has results
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"an imputed column", 2, {Impute{{7, kNan}, 0, true}, sum()}, {}, {false, true}, {kNan, 1}, 0, 8},
      {"a column that Impute leaves", 2, {Impute{{7, kNan}, 0, true}, sum()}, {}, {false, true}, {1, kNan}, 1, 0},
      {"an infinity in an imputed column", 2, {Impute{{7, 8}, 0, true}, sum()}, {}, {false, false}, {kInf, 1}, 2, 0},
      {"imputed too late", 2, {sum(), Impute{{7}, 0, true}}, {}, {true, true}, {kNan, 1}, 1, 0},
      {"imputed after columnwise stages",
       1,
       {Scale{{1}, {2}}, Log1p{}, Clip{-9, 9}, Impute{{7}, 0, true}},
       {},
       {false},
       {kNan},
       0,
       7},
      {"a dropped column", 3, {Select{{2, 0}}, sum()}, {}, {true, false, true}, {1, kNan, 2}, 0, 3},
      {"an infinity in a dropped column", 3, {Select{{2, 0}}, sum()}, {}, {true, false, true}, {1, -kInf, 2}, 0, 3},
      {"a permuted column", 2, {Select{{1, 0}}, sum()}, {}, {true, true}, {1, kNan}, 1, 0},
      {"a column that a Select behind drops", 2, {Log1p{}, Select{{0}}}, {}, {true, false}, {0, -5}, 0, 0},
      {"marked", 2, {MarkMissing{99}, sum()}, {}, {true, true}, {1, 99}, 1, 0},
      {"not marked", 2, {MarkMissing{99}, sum()}, {}, {true, true}, {1, 98}, 0, 99},
      {"marked and infinite", 2, {MarkMissing{99}, sum()}, {}, {true, true}, {kInf, 99}, 3, 0},
      {"marked and imputed", 2, {MarkMissing{99}, Impute{{7, kNan}, 0, true}, sum()}, {}, {false, true}, {99, 1}, 0, 8},
      {"marked, but not imputed",
       2,
       {MarkMissing{99}, Impute{{7, kNan}, 0, true}, sum()},
       {},
       {false, true},
       {1, 99},
       1,
       0},
      {"marked in other units",
       1,
       {Scale{{1}, {2}}, MarkMissing{196}, Impute{{kNan}, 0, true}},
       {},
       {true},
       {99},
       1,
       0},
      {"marked and dropped", 2, {MarkMissing{99}, Select{{0}}}, {}, {true, false}, {5, 99}, 0, 5},
      {"a value for the mark, a NaN for the rest",
       2,
       {Impute{{7, 7}, 99, false}, Impute{{1, kNan}, 0, true}, sum()},
       {},
       {false, true},
       {99, 99},
       0,
       14},
      {"one branch imputes, one does not",
       2,
       {Impute{{7, 7}, 0, true}, Combine{CombineKind::add}, sum()},
       {{0}, {0, 1}, {2}},
       {true, true},
       {1, kNan},
       1,
       0},
      {"both branches impute",
       1,
       {Impute{{7}, 0, true}, Impute{{5}, 0, true}, Combine{CombineKind::subtract}},
       {{0}, {0}, {1, 2}},
       {false},
       {kNan},
       0,
       2},
      {"imputed behind a sum of columns",
       1,
       {Binarize{0}, Combine{CombineKind::add}, Impute{{7}, 0, true}},
       {{0}, {0, 1}, {2}},
       {false},
       {kNan},
       0,
       7},
      {"beside another column",
       2,
       {Select{{0}}, Select{{1}}, Impute{{7}, 0, true}, Combine{CombineKind::concat}, sum()},
       {{0}, {0}, {2}, {3, 1}, {4}},
       {true, false},
       {1, kNan},
       0,
       8},
      {"beside another column that is missing",
       2,
       {Select{{0}}, Select{{1}}, Impute{{7}, 0, true}, Combine{CombineKind::concat}, sum()},
       {{0}, {0}, {2}, {3, 1}, {4}},
       {true, false},
       {kNan, 1},
       1,
       0},
      {"the larger of a value and NaN",
       2,
       {Select{{0}}, Select{{1}}, Combine{CombineKind::maximum}},
       {{0}, {0}, {1, 2}},
       {true, true},
       {1, kNan},
       1,
       0},
      {"read by a stage that nothing needs", 2, {Select{{1}}, Select{{0}}}, {{0}, {0}}, {true, false}, {3, kNan}, 0, 3},
      {"a non-finite result",
       2,
       {Select{{0}}, Select{{1}}, Combine{CombineKind::divide}},
       {{0}, {0}, {1, 2}},
       {true, true},
       {1, 0},
       2,
       0},
  };
  return all;
}

TEST(Status, FollowsEveryWayOfAColumn) {
  for (const Case& c : cases())
    for (const Precision precision : {Precision::float32, Precision::float64}) {
      SCOPED_TRACE(c.name);
      Model m = bare(c.features, {});
      m.stages = c.stages;
      m.inputs = c.inputs;
      EXPECT_EQ(compile(m, {precision, {}})->missing_matters(), c.matters);
      const Results r = score(m, c.row, {precision, {}});
      EXPECT_EQ(r.status, (std::vector<base::u8>{static_cast<base::u8>(c.status)}));
      if (c.status == status_ok)
        EXPECT_EQ(r.prediction[0], c.prediction);
      else
        EXPECT_TRUE(std::isnan(r.prediction[0]));
    }
}

// The mark of one row must not reach its neighbours, nor the next tile.
TEST(Status, MarksStayWithTheirRows) {
  Model m = bare(2, {});
  m.stages = {MarkMissing{99}, sum()};
  const u64 n = 3 * compile(m)->tile_rows() + 1;
  std::vector<double> rows(2 * n, 1);
  for (u64 i = 0; i < n; i += 7) rows[2 * i + i % 2] = 99;
  const Results r = score(m, rows);
  for (u64 i = 0; i < n; ++i) ASSERT_EQ(r.status[i], i % 7 == 0 ? status_missing : status_ok) << "row " << i;
}

}  // namespace
}  // namespace h5score::model
