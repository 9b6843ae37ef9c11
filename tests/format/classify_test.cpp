// Heads of networks: which one follows from the last stage, the number of columns and the labels.
#include "format/classify.hpp"

#include "support.hpp"

#include <gmock/gmock.h>

namespace h5score::format {
namespace {

using base::u64;
using model::ActivationKind;
using model::HeadKind;
using model::Link;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

model::Model network(u64 columns, std::vector<model::Stage> ending) {
  model::Model model;
  model.n_features = 2;
  model::Affine affine;
  affine.weights = {2, columns, std::vector<double>(2 * columns, 0.5)};
  affine.bias.resize(columns);
  model.stages.emplace_back(std::move(affine));
  for (auto& stage : ending) model.stages.push_back(std::move(stage));
  return model;
}

const model::Stage sigmoid = model::Activation{ActivationKind::sigmoid};
const model::Stage softmax = model::Softmax{};

model::ClassLabels words(u64 n) {
  std::vector<std::string> labels;
  for (u64 i = 0; i < n; ++i) labels.push_back(std::string(1, static_cast<char>('a' + i)));
  return labels;
}

void expect_head(model::Model model, u64 classes, HeadKind kind, Link link) {
  set_classes(model, words(classes));
  EXPECT_EQ(model.head.kind, kind);
  EXPECT_EQ(model.head.link, link);
  EXPECT_EQ(model::class_count(model.head.classes), classes);
  EXPECT_NO_THROW(model::validate(model));
}

TEST(Classify, SoftmaxGivesProbabilitiesAnythingElseLogits) {
  expect_head(network(3, {softmax}), 3, HeadKind::multiclass, Link::identity);
  expect_head(network(3, {model::Softmax{.group = 3}}), 3, HeadKind::multiclass, Link::identity);
  expect_head(network(3, {model::Softmax{.log = true}}), 3, HeadKind::multiclass, Link::softmax);
  expect_head(network(3, {}), 3, HeadKind::multiclass, Link::softmax);
  expect_head(network(2, {softmax}), 2, HeadKind::multiclass, Link::identity);
}

TEST(Classify, OneColumnIsOneOfTwoClasses) {
  expect_head(network(1, {sigmoid}), 2, HeadKind::binary, Link::identity);
  expect_head(network(1, {}), 2, HeadKind::binary, Link::sigmoid);
}

TEST(Classify, SigmoidPerClassIsAnyOfSeveralClasses) {
  expect_head(network(3, {sigmoid}), 3, HeadKind::multilabel, Link::identity);
}

TEST(Classify, WrongCountsNameBoth) {
  auto five = network(5, {softmax});
  EXPECT_THAT(message_of([&] { set_classes(five, words(4)); }),
              HasSubstr("4 class labels for a network with 5 outputs"));
  auto one = network(1, {sigmoid});
  EXPECT_THAT(message_of([&] { set_classes(one, words(3)); }), HasSubstr("with 1 output;"));
  EXPECT_THAT(message_of([&] { set_classes(one, words(1)); }), HasSubstr("1 class labels"));
}

TEST(Classify, DefaultHeadIsMulticlassOnlyAfterSoftmax) {
  auto classifier = network(3, {softmax});
  default_head(classifier);
  EXPECT_EQ(classifier.head.kind, HeadKind::multiclass);
  EXPECT_THAT(std::get<std::vector<base::i64>>(classifier.head.classes), ElementsAre(0, 1, 2));
  std::vector<std::vector<model::Stage>> others{{}, {sigmoid}, {model::Softmax{.log = true}}, {softmax, sigmoid}};
  for (const auto& ending : others) {
    auto values = network(3, ending);
    default_head(values);
    EXPECT_EQ(values.head.kind, HeadKind::values);
  }
  auto single = network(1, {softmax});
  default_head(single);
  EXPECT_EQ(single.head.kind, HeadKind::values);
}

TEST(Classify, AClassifierOnlyGetsOtherLabels) {
  auto model = network(3, {softmax});
  default_head(model);
  set_classes(model, words(3));
  EXPECT_EQ(model::class_name(model.head.classes, 2), "c");
  EXPECT_EQ(model.head.link, Link::identity);
  EXPECT_THAT(message_of([&] { set_classes(model, words(2)); }), HasSubstr("2 class labels for a model with 3"));
}

TEST(Classify, GoldenPredictionsBecomeWhatTheHeadCallsThem) {
  const auto with_golden = [](model::Model model, u64 columns, double value) {
    model.golden = model::GoldenRows{};
    model.golden->rows = {1, 2, {0, 0}};
    model.golden->prediction = {1, columns, std::vector<double>(columns, value)};
    set_classes(model, words(columns == 1 ? 2 : columns));
    EXPECT_NO_THROW(model::validate(model));
    EXPECT_TRUE(model.golden->prediction.values.empty());
    return *model.golden;
  };
  EXPECT_THAT(with_golden(network(2, {softmax}), 2, 0.5).probability.values, ElementsAre(0.5, 0.5));
  EXPECT_THAT(with_golden(network(2, {}), 2, 3).decision.values, ElementsAre(3, 3));
  EXPECT_THAT(with_golden(network(1, {sigmoid}), 1, 0.25).probability.values, ElementsAre(0.75, 0.25));
  EXPECT_THAT(with_golden(network(1, {}), 1, -4).decision.values, ElementsAre(-4));
}

TEST(Classify, ColumnsOfAGraph) {
  model::Model model = network(3, {});
  model.stages.emplace_back(model::Combine{});
  model.inputs = {{0}, {1, 0, 1}};
  EXPECT_EQ(output_columns(model), 8U);
}

}  // namespace
}  // namespace h5score::format
