// What evaluators promise beside the numbers: shapes of results, missing and non-finite rows, ties, the self-test,
// polling.
#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/error.hpp"

#include "models.hpp"
#include "scored.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace h5score::model {
namespace {

using testing::bare;
using testing::Results;
using testing::score;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string shapes(const Model& model) {
  std::string text;
  const auto e = compile(model, {Precision::float32, {}});
  for (const ResultColumn& c : e->columns())
    text += std::string(to_string(c.kind)) + " " + base::to_string(c.type) + (c.matrix ? " n x " : " n ") +
            std::to_string(c.width) + "; ";
  return text;
}

TEST(Columns, HaveScikitLearnsShapes) {
  using testing::head;
  EXPECT_EQ(shapes(bare(1, {})), "prediction float32 n 1; status uint8 n 1; ");
  EXPECT_EQ(shapes(bare(3, {})), "prediction float32 n x 3; status uint8 n 1; ");
  EXPECT_EQ(shapes(bare(1, head(HeadKind::binary, Link::sigmoid, 2))),
            "label int32 n 1; probability float32 n x 2; decision float32 n 1; status uint8 n 1; ");
  EXPECT_EQ(shapes(bare(1, head(HeadKind::binary, Link::identity, 2))),
            "label int32 n 1; probability float32 n x 2; status uint8 n 1; ");
  EXPECT_EQ(shapes(bare(3, head(HeadKind::multiclass, Link::none, 3))),
            "label int32 n 1; decision float32 n x 3; status uint8 n 1; ");
  EXPECT_EQ(shapes(bare(2, head(HeadKind::multilabel, Link::sigmoid, 2))),
            "label int32 n x 2; probability float32 n x 2; decision float32 n x 2; status uint8 n 1; ");
  Head ovo = head(HeadKind::one_vs_one, Link::none, 4);
  EXPECT_EQ(shapes(bare(6, ovo)), "label int32 n 1; decision float32 n x 6; status uint8 n 1; ");
  ovo.decision_ovr = true;
  EXPECT_EQ(shapes(bare(6, ovo)), "label int32 n 1; decision float32 n x 4; status uint8 n 1; ");
  EXPECT_EQ(shapes(bare(1, head(HeadKind::one_class, Link::none, 2))),
            "label int32 n 1; decision float32 n 1; status uint8 n 1; ");
}

TEST(Labels, TiesAreDecidedAsInTheLibraries) {
  EXPECT_EQ(score(bare(3, testing::head(HeadKind::multiclass, Link::none, 3)), {1, 2, 2}).label[0], 1);
  EXPECT_EQ(score(bare(1, testing::head(HeadKind::binary, Link::none, 2)), {0, 1e-300, -1}).label,
            (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_EQ(score(bare(1, testing::head(HeadKind::binary, Link::identity, 2)), {0.5, 0.51}).label,
            (std::vector<std::int32_t>{0, 1}));
  // LIBSVM: a pair value of exactly 0 votes for the second class; the first of equally many votes wins
  EXPECT_EQ(score(bare(3, testing::head(HeadKind::one_vs_one, Link::none, 3)), {0, 1, 1, 1, -1, 1}).label,
            (std::vector<std::int32_t>{1, 0}));
}

TEST(Probabilities, AllSigmoidsZeroAreEquallyLikely) {
  const Results r = score(bare(2, testing::head(HeadKind::multiclass, Link::normalized_sigmoid, 2)), {-800, -900});
  EXPECT_EQ(r.probability, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(r.status[0], status_ok);
}

TEST(Probabilities, ExtremeDecisionsSaturate) {
  const Results r = score(bare(3, testing::head(HeadKind::multiclass, Link::softmax, 3)), {1e300, 0, -1e300});
  EXPECT_EQ(r.probability, (std::vector<double>{1, 0, 0}));
}

TEST(Folding, LargeOffsetsAreNotFoldedAway) {
  Model m = bare(1, {});
  m.stages = {Scale{{1e9}, {1e3}}, Affine{{1, 1, {3}}, {0.5}}};
  EXPECT_NEAR(score(m, {1e9 + 0.125}).prediction[0], 375.5, 1e-12);
}

// A date in days, say: its float32 neighbours are 0.004 apart, but the mean is no float32.
TEST(Folding, OffsetsThatFloatCannotHoldCostNoAccuracy) {
  Model m = bare(1, {});
  m.precision = Precision::float32;
  m.stages = {Scale{{59000.123456}, {1.7}}, Affine{{1, 1, {3}}, {0.5}}};
  const double x = static_cast<double>(59001.25F);
  EXPECT_NEAR(score(m, {x}).prediction[0], (x - 59000.123456) * 1.7 * 3 + 0.5, 2e-6);
}

TEST(Folding, NoSupportVectorsLeaveTheIntercept) {
  Model m = bare(2, {});
  m.stages = {KernelExpansion{{0, 2, {}}, {}, {0, 1, {}}, {4.25}}};
  EXPECT_EQ(score(m, {1, 2}).prediction[0], 4.25);
}

TEST(SelfTest, ComparesGoldenRows) {
  Model m = bare(3, testing::head(HeadKind::multiclass, Link::softmax, 3));
  EXPECT_EQ(self_test(m, *compile(m)).rows, 0U);
  m.golden = GoldenRows{{2, 3, {1, 2, 3, 2, 2, -1}}, {}, {2, 3, {1, 2, 3, 2, 2, -1}}, {}, {2, 1}};
  SelfTest test = self_test(m, *compile(m));  // the second row ties between classes 0 and 1
  EXPECT_TRUE(test.passed);
  EXPECT_EQ(test.rows, 2U);
  EXPECT_EQ(test.max_difference, 0);
  m.golden->label_codes = {0, 0};
  EXPECT_EQ(self_test(m, *compile(m)).label_mismatches, 1U);
  EXPECT_FALSE(self_test(m, *compile(m)).passed);
  m.golden->label_codes = {2, 0};
  m.golden->decision.values[0] = 1.001;
  test = self_test(m, *compile(m));
  EXPECT_FALSE(test.passed);
  EXPECT_NEAR(test.max_difference, 0.001 / 1.001, 1e-12);
  m.golden->decision.values[0] = kNan;
  EXPECT_FALSE(self_test(m, *compile(m)).passed);
}

TEST(SelfTest, ToleranceIsThatOfTheCoarserPrecision) {
  Model m = bare(1, {});
  m.golden = GoldenRows{{1, 1, {1}}, {1, 1, {1 + 1e-6}}, {}, {}, {}};
  EXPECT_FALSE(self_test(m, *compile(m)).passed);
  m.precision = Precision::float32;
  EXPECT_TRUE(self_test(m, *compile(m, {Precision::float64, {}})).passed);
  EXPECT_TRUE(self_test(m, *compile(m)).passed);
}

// Whoever reads rows scales them to the total count: golden rows are as the stages see them.
TEST(SelfTest, GoldenRowsAreThoseBehindTheTotalCount) {
  Model m = bare(2, {});
  m.total_count = 1e4;
  m.golden = GoldenRows{{1, 2, {1, 3}}, {1, 2, {1, 3}}, {}, {}, {}};
  EXPECT_EQ(self_test(m, *compile(m)).max_difference, 0);
  EXPECT_EQ(score(m, {1, 3}).prediction, (std::vector<double>{1, 3}));
}

TEST(Probe, DependsOnTheModelOnly) {
  const auto families = testing::every_family();
  EXPECT_EQ(probe(*compile(families[0].model)), probe(*compile(families[0].model)));
  EXPECT_NE(probe(*compile(families[0].model)), probe(*compile(families[1].model)));
}

TEST(InstructionSet, EnvironmentCapsTheChoice) {
  const Isa best = best_isa();
  ASSERT_EQ(setenv("H5SCORE_ISA", "baseline", 1), 0);
  EXPECT_EQ(best_isa(), Isa::baseline);
  EXPECT_EQ(compile(bare(1, {}))->isa(), Isa::baseline);
  EXPECT_THROW((void)compile(bare(1, {}), {{}, Isa::avx2}), base::Error);
  ASSERT_EQ(setenv("H5SCORE_ISA", "sse9", 1), 0);
  EXPECT_THROW((void)best_isa(), base::Error);
  ASSERT_EQ(unsetenv("H5SCORE_ISA"), 0);
  EXPECT_GE(best, Isa::baseline);
}

// Wide layers, many support vectors and many features: the work between two polls is bounded, whatever the shape.
TEST(Polling, HappensInsideLongTiles) {
  testing::Random random(2);
  Model wide = bare(3000, {});
  wide.stages = {testing::affine(random, 3000, 1500)};
  Model svm = bare(100, {});
  svm.stages = {testing::expansion(random, KernelKind::rbf, 4000, 100, 1)};
  Model flat = bare(200000, testing::head(HeadKind::binary, Link::none, 2));
  flat.stages = {Normalize{Norm::l2}, testing::affine(random, 200000, 1)};
  for (const Model& model : {wide, svm, flat}) {
    const auto e = compile(model, {{}, Isa::baseline});
    const auto workspace = e->make_workspace();
    base::AlignedBuffer tile(e->tile_rows() * e->input_stride() * sizeof(double));
    std::memset(tile.data(), 0, tile.size());
    u64 polls = 0;
    e->score(tile.data(), e->input_stride(), e->tile_rows(), *workspace, {}, [&] { ++polls; });
    const double flops = e->flops_per_row() * static_cast<double>(e->tile_rows());
    EXPECT_GT(static_cast<double>(polls), flops / 1e6) << describe(model);
  }
}

TEST(Polling, AddsUpOverShortTiles) {
  const auto e = compile(testing::every_family()[0].model);
  const auto workspace = e->make_workspace();
  base::AlignedBuffer tile(e->tile_rows() * e->input_stride() * sizeof(double));
  std::memset(tile.data(), 0, tile.size());
  u64 polls = 0;
  for (int i = 0; i < 1000; ++i)
    e->score(tile.data(), e->input_stride(), e->tile_rows(), *workspace, {}, [&] { ++polls; });
  EXPECT_GT(polls, 10U);
}

}  // namespace
}  // namespace h5score::model
