// Broken and hostile models are refused with a message before anything is computed or allocated from them.
#include "h5score/base/error.hpp"

#include "models.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace h5score::model {
namespace {

using testing::class_codes;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// 4 features -> 3 hidden -> 3 classes, with golden rows.
Model good() {
  testing::Random random(1);
  Model m;
  m.n_features = 4;
  m.stages = {Scale{random.vector(4), random.vector(4)}, testing::affine(random, 4, 3),
              Activation{ActivationKind::relu, 0}, testing::affine(random, 3, 3)};
  m.head = testing::head(HeadKind::multiclass, Link::softmax, 3);
  m.feature_names = {"u", "g", "r", "i"};
  m.golden = GoldenRows{random.matrix(2, 4), {}, random.matrix(2, 3), {}, {0, 2}};
  return m;
}

Model svm() {
  testing::Random random(1);
  Model m;
  m.n_features = 4;
  m.stages = {testing::expansion(random, KernelKind::rbf, 5, 4, 3)};
  m.head = testing::head(HeadKind::one_vs_one, Link::platt, 3);
  return m;
}

std::string message_of(const Model& model) {
  try {
    validate(model);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    return error.what();
  }
  return "accepted";
}

Affine& affine_of(Model& m) {
  return std::get<Affine>(m.stages[1]);
}
/// 3 features, two branches that meet, with everything that a model may know of its features.
Model graph() {
  testing::Random random(1);
  Model m;
  m.n_features = 4;
  m.stages = {
      Select{{0, 3}}, testing::affine(random, 4, 2), Combine{CombineKind::add}, Softmax{2, true}, MarkMissing{99},
      Binarize{0.5}};
  m.inputs = {{0}, {0}, {1, 2}, {3}, {4}, {5}};
  m.input_shape = {2, 1, 2};
  m.total_count = 1e4;
  m.reference = FeatureReference{{1, 2, 3, 4}, {1, kNan, 0, 2}, {}, {4, 4, kNan, 4}};
  return m;
}

KernelExpansion& expansion_of(Model& m) {
  return std::get<KernelExpansion>(m.stages[0]);
}

TEST(Validate, AcceptsEveryFamily) {
  EXPECT_EQ(message_of(good()), "accepted");
  EXPECT_EQ(message_of(svm()), "accepted");
  EXPECT_EQ(message_of(graph()), "accepted");
  for (const auto& [name, model] : testing::every_family()) EXPECT_EQ(message_of(model), "accepted") << name;
}

TEST(Validate, NamesWhatIsWrong) {
  const struct {
    Model (*base)();
    std::function<void(Model&)> damage;
    const char* message;
  } cases[] = {
      {good, [](Model& m) { m.n_features = 0; }, "no features"},
      {good, [](Model& m) { m.n_features = u64{1} << 61U; }, "2305843009213693952 features"},
      {good, [](Model& m) { m.n_features = 5; }, "takes 4 columns, but gets 5"},
      {good, [](Model& m) { m.precision = Precision{7}; }, "precision"},
      {good, [](Model& m) { affine_of(m).weights.values.pop_back(); }, "it has 11 values"},
      {good, [](Model& m) { affine_of(m).weights.rows = u64{1} << 61U; }, "values"},
      {good,
       [](Model& m) {
         affine_of(m).weights = {u64{1} << 62U, 12, {}};
       },
       "overflows"},
      {good,
       [](Model& m) {
         affine_of(m).weights = {u64{1} << 32U, u64{1} << 32U, {}};
       },
       "overflows"},
      {good,
       [](Model& m) {
         affine_of(m).weights = {4, 0, {}};
       },
       "no outputs"},
      {good, [](Model& m) { affine_of(m).weights.values[2] = kNan; }, "weights[2] is nan"},
      {good, [](Model& m) { affine_of(m).bias[1] = 1 / 0.0; }, "bias[1] is inf"},
      {good, [](Model& m) { affine_of(m).bias.push_back(0); }, "bias has 4 entries, not 3"},
      {good, [](Model& m) { std::get<Scale>(m.stages[0]).factor.pop_back(); }, "factor has 3 entries, not 4"},
      {good, [](Model& m) { std::get<Scale>(m.stages[0]).offset[0] = kNan; }, "offset[0] is nan"},
      {good,
       [](Model& m) {
         m.stages[2] = Activation{ActivationKind{99}, 0};
       },
       "unknown activation"},
      {good,
       [](Model& m) {
         m.stages[2] = Activation{ActivationKind::elu, kNan};
       },
       "alpha is nan"},
      {good, [](Model& m) { m.stages[2] = Normalize{Norm{9}}; }, "unknown norm"},
      {good,
       [](Model& m) {
         m.stages[2] = Clip{2, 1};
       },
       "low above high"},
      {good,
       [](Model& m) {
         m.stages[2] = Impute{{0, 0}, 0, true};
       },
       "takes 2 columns, but gets 3"},
      {good,
       [](Model& m) {
         m.stages[2] = Impute{{0, 0, 0}, kNan, false};
       },
       "missing value"},
      {good,
       [](Model& m) {
         m.stages.pop_back();
         m.stages.pop_back();
         m.stages.pop_back();
       },
       "the head needs 3"},
      {good, [](Model& m) { m.head.classes = class_codes(2); }, "the head needs 2"},
      {good,
       [](Model& m) {
         m.head.classes = std::vector<std::string>{"a", "b", "a"};
       },
       "repeat"},
      {good,
       [](Model& m) {
         m.head.classes = std::vector<double>{1, kNan, 2};
       },
       "class labels[1] is nan"},
      {good, [](Model& m) { m.head.kind = HeadKind{50}; }, "unknown kind"},
      {good, [](Model& m) { m.head.link = Link::platt; }, "cannot give probabilities"},
      {good,
       [](Model& m) {
         m.head.target_names = {"a", "b", "c"};
       },
       "target names"},
      {good, [](Model& m) { m.head.kind = HeadKind::binary; }, "3 classes, not 2"},
      {good, [](Model& m) { m.head.label_by_probability = true; }, "one-vs-one"},
      {good, [](Model& m) { m.feature_names.pop_back(); }, "feature names has 3 entries, not 4"},
      {good,
       [](Model& m) {
         m.golden->rows = {257, 4, std::vector<double>(257 * 4)};
       },
       "257 golden rows"},
      {good,
       [](Model& m) {
         m.golden->rows = {2, 3, std::vector<double>(6)};
       },
       "3 features, not 4"},
      {good,
       [](Model& m) {
         m.golden->decision = {3, 2, std::vector<double>(6)};
       },
       "3 x 2, not 2 x 3"},
      {good,
       [](Model& m) {
         m.golden->label_codes = {0, 3};
       },
       "class code"},
      {good, [](Model& m) { m.golden->label_codes = {0}; }, "golden labels has 1 entries, not 2"},
      {svm, [](Model& m) { expansion_of(m).support_vectors.values.pop_back(); }, "19 values"},
      {svm,
       [](Model& m) {
         expansion_of(m).coefficients = {4, 3, std::vector<double>(12)};
       },
       "for 5 support vectors"},
      {svm, [](Model& m) { expansion_of(m).intercept.pop_back(); }, "intercept has 2 entries, not 3"},
      {svm, [](Model& m) { expansion_of(m).kernel.gamma = kNan; }, "gamma is nan"},
      {svm, [](Model& m) { expansion_of(m).kernel.kind = KernelKind{4}; }, "unknown kernel"},
      {svm, [](Model& m) { m.head.prob_a.pop_back(); }, "prob_a has 2 entries, not 3"},
      {svm, [](Model& m) { m.head.prob_b[0] = kNan; }, "prob_b[0] is nan"},
      {svm, [](Model& m) { m.head.classes = class_codes(4); }, "the head needs 6"},
      {graph, [](Model& m) { m.inputs.pop_back(); }, "6 stages, but inputs of 5"},
      {graph, [](Model& m) { m.inputs[1] = {}; }, "has no input"},
      {graph, [](Model& m) { m.inputs[1] = {2}; }, "stage 1 (affine 4 -> 2) reads a stage that is not before it"},
      {graph, [](Model& m) { m.inputs[1] = {~u64{0}}; }, "not before it"},
      {graph,
       [](Model& m) {
         m.inputs[3] = {3, 3};
       },
       "takes 1 input, but gets 2"},
      {graph, [](Model& m) { m.inputs[2] = {1}; }, "takes at least 2 inputs, but gets 1"},
      {graph, [](Model& m) { m.inputs.clear(); }, "takes 4 columns, but gets 2"},
      {graph,
       [](Model& m) {
         m.inputs[2] = {1, 0};
       },
       "gets inputs of 2 and 4 columns"},
      {graph, [](Model& m) { m.stages[2] = Combine{CombineKind{7}}; }, "unknown combination"},
      {graph,
       [](Model& m) {
         m.stages[0] = Select{{0, 4}};
       },
       "takes column 4, but gets 4"},
      {graph, [](Model& m) { m.stages[0] = Select{}; }, "selects nothing"},
      {graph,
       [](Model& m) {
         m.stages[3] = Softmax{3, false};
       },
       "'softmax of groups of 3' gets 2 columns"},
      {graph, [](Model& m) { m.stages[4] = MarkMissing{kNan}; }, "value is nan"},
      {graph, [](Model& m) { m.stages[5] = Binarize{kNan}; }, "threshold is nan"},
      {graph,
       [](Model& m) {
         m.stages[5] = Impute{{1, 1 / 0.0}, 0, true};
       },
       "statistics[1] is inf"},
      {graph,
       [](Model& m) {
         m.input_shape = {2, 3};
       },
       "input shape has 6 values, not 4"},
      {graph,
       [](Model& m) {
         m.input_shape = {u64{1} << 63U, 4};
       },
       "overflows"},
      {graph, [](Model& m) { m.total_count = 0; }, "total count"},
      {graph, [](Model& m) { m.total_count = kNan; }, "total count"},
      {graph, [](Model& m) { m.reference->mean.pop_back(); }, "reference mean has 3 entries, not 4"},
      {graph, [](Model& m) { m.reference->maximum[0] = 1 / 0.0; }, "reference maximum[0] is inf"},
      {graph, [](Model& m) { m.reference->stddev[3] = -1; }, "reference stddev[3] is negative"},
  };
  for (const auto& c : cases) {
    Model model = c.base();
    c.damage(model);
    EXPECT_THAT(message_of(model), HasSubstr(c.message));
    EXPECT_THROW((void)compile(model), base::Error) << c.message;
  }
}

// What a hostile file of a few kilobytes may ask for: wide stages without parameters, doubled again and again.
TEST(Validate, BoundsColumnsOfAllStages) {
  Model m;
  m.n_features = u64{1} << 20U;
  for (u64 i = 0; i < 200; ++i) m.stages.emplace_back(Log1p{});
  EXPECT_THAT(message_of(m), HasSubstr("columns together"));
  m = {};
  m.n_features = 2;
  for (u64 i = 0; i < 62; ++i) {
    m.stages.emplace_back(Combine{CombineKind::concat});
    m.inputs.push_back({i, i});
  }
  EXPECT_THAT(message_of(m), HasSubstr("4194304 are supported"));
}

TEST(OutputWidth, NamesBothNumbers) {
  testing::Random random(1);
  EXPECT_EQ(output_width(Stage(testing::affine(random, 4, 3)), 4), 3U);
  EXPECT_EQ(output_width(Stage(Log1p{}), 9), 9U);
  EXPECT_EQ(output_width(Stage(Select{{1, 1, 1}}), 2), 3U);
  const std::vector<u64> widths = {4, 5, 4};
  EXPECT_EQ(output_width(Stage(Combine{CombineKind::concat}), widths), 13U);
  EXPECT_THROW((void)output_width(Stage(Combine{CombineKind::add}), widths), base::Error);
  EXPECT_THROW((void)output_width(Stage(Scale{{0, 0}, {1, 1}}), 3), base::Error);
}

TEST(Describe, SaysWhatAPersonCallsIt) {
  EXPECT_EQ(describe(good()), "neural network 4-3-3, 4 features, 3 classes");
  EXPECT_EQ(describe(svm()), "SVM (rbf kernel, 5 support vectors), 4 features, 3 classes");
  Model linear = good();
  linear.stages.erase(linear.stages.begin() + 2);
  EXPECT_EQ(describe(linear), "logistic regression, 4 features, 3 classes");
  linear.head = Head{};
  EXPECT_EQ(describe(linear), "linear regression, 4 features, 3 targets");
  EXPECT_EQ(describe(graph()), "neural network of 1 dense layer in branches, 4 features, 2 targets");
  Model wide;
  wide.n_features = 70000;
  EXPECT_EQ(describe(wide), "transformation, 70,000 features, 70,000 targets");
}

TEST(ClassLabels, PrintInTheirOwnType) {
  EXPECT_EQ(class_name(ClassLabels(std::vector<base::i64>{7, -1}), 1), "-1");
  EXPECT_EQ(class_name(ClassLabels(std::vector<double>{2.5, 3}), 0), "2.5");
  EXPECT_EQ(class_name(ClassLabels(std::vector<std::string>{"star", "galaxy"}), 1), "galaxy");
  EXPECT_EQ(class_count(ClassLabels(std::vector<std::string>{"star", "galaxy"})), 2U);
}

TEST(ModelHash, SeesEverythingThatDeterminesScoresAndNothingElse) {
  const std::string hash = model_hash(good());
  Model same = good();
  same.origin = {"scikit-learn", "9", "native"};
  same.golden.reset();
  EXPECT_EQ(model_hash(same), hash);
  Model other = good();
  affine_of(other).bias[0] += 1e-15;
  EXPECT_NE(model_hash(other), hash);
  other = good();
  other.precision = Precision::float32;
  EXPECT_NE(model_hash(other), hash);
  other = good();
  std::swap(other.feature_names[0], other.feature_names[1]);
  EXPECT_NE(model_hash(other), hash);
  other = good();
  other.inputs = {{0}, {1}, {2}, {3}};
  EXPECT_EQ(model_hash(other), hash) << "a chain written at length";
  other = graph();
  other.reference.reset();
  EXPECT_EQ(model_hash(other), model_hash(graph()));
  other.inputs[2] = {2, 1};
  EXPECT_NE(model_hash(other), model_hash(graph()));
  other = graph();
  other.total_count = 1e6;
  EXPECT_NE(model_hash(other), model_hash(graph()));
  other = graph();
  other.input_shape = {4};
  EXPECT_NE(model_hash(other), model_hash(graph()));
}

}  // namespace
}  // namespace h5score::model
