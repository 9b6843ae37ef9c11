// Rules of binding: which column feeds which feature, and what is said where that cannot be told.
#include "run/binding.hpp"

#include "h5score/base/error.hpp"

#include "run/first_missing.hpp"
#include "run/missing_values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace h5score::run {
namespace {

using storage::FeatureSource;
using storage::SourceTable;
using storage::TableKind;
using testing::ElementsAre;
using testing::HasSubstr;

using Names = std::vector<std::string>;
constexpr u64 none = FeatureSource::none;

SourceTable table_of(const Names& names, TableKind kind = TableKind::columns) {
  return {.kind = kind,
          .dataset = "/photometry",
          .columns = names.size(),
          .row_shape = {names.size()},
          .names = names,
          .names_from = "members of the group",
          .types = {base::ElementType{}},
          .meanings = {}};
}

SourceTable images(const std::vector<u64>& row_shape) {
  const u64 columns = std::accumulate(row_shape.begin(), row_shape.end(), u64{1}, std::multiplies<>());
  return {.kind = TableKind::array,
          .dataset = "/images",
          .columns = columns,
          .row_shape = row_shape,
          .names = {},
          .names_from = {},
          .types = {base::ElementType{}},
          .meanings = {}};
}

// The sum of its features.
model::Model model_of(u64 features, const Names& names = {}) {
  model::Model model;
  model.n_features = features;
  model.feature_names = names;
  model::Affine sum;
  sum.weights.rows = features;
  sum.weights.cols = 1;
  sum.weights.values.assign(features, 1.0);
  sum.bias.assign(1, 0.0);
  model.stages.emplace_back(std::move(sum));
  return model;
}
model::Model model_of(const Names& names) {
  return model_of(names.size(), names);
}

MissingFeatures by_mean() {
  return {.policy = MissingFeatures::Policy::mean, .value = 0};
}
MissingFeatures by_value(double value) {
  return {.policy = MissingFeatures::Policy::value, .value = value};
}

BoundModel bind(const SourceTable& table, const model::Model& model, const std::string& list = {},
                MissingFeatures missing = {}) {
  return FeatureBinder(table, "cat.h5", list, missing).bind(model, "z.h5");
}

std::string refusal(const SourceTable& table, const model::Model& model, const std::string& list = {},
                    MissingFeatures missing = {}, base::ExitCode code = base::ExitCode::data) {
  try {
    static_cast<void>(bind(table, model, list, missing));
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

// "2 0 1-3 =27.5": columns, differences, constants.
std::string text_of(const storage::Binding& binding) {
  std::string text;
  for (const auto& f : binding.features) {
    if (!text.empty()) text += ' ';
    if (f.column == none)
      text += "=" + std::to_string(f.constant).substr(0, 4);
    else
      text += std::to_string(f.column) + (f.minus == none ? "" : "-" + std::to_string(f.minus));
  }
  return text;
}

struct Case {
  const char* what;
  Names columns;
  Names features;  ///< of the model; {"#3"}: three without names
  const char* list;
  const char* expected;
};

TEST(Binding, ByTheRules) {
  const Names ugri{"u", "g", "r", "i"};
  const std::vector<Case> cases{
      {"another order", ugri, {"r", "u", "i", "g"}, "", "2 0 3 1"},
      {"fewer", ugri, {"i"}, "", "3"},
      {"a feature twice by a list", ugri, {"a", "b"}, "a=r,b=r", "2 2"},
      {"difference by name", ugri, {"u-g", "g - r", "i"}, "", "0-1 1-2 3"},
      {"difference by list", ugri, {"u-g", "i"}, "u-g,i", "0-1 3"},
      {"a name wins over a difference", {"u", "g", "u-g"}, {"u-g"}, "", "2"},
      {"a name wins over a difference in a list", {"u", "g", "u-g"}, {"#1"}, "u-g", "2"},
      {"blanks choose the minus", {"a", "b-c", "a-b", "c"}, {"x"}, "x=a-b - c", "2-3"},
      {"alias", {"MAG_U", "MAG_G"}, {"u", "g"}, "u=MAG_U, g=MAG_G", "0 1"},
      {"alias of a difference", {"MAG_U", "MAG_G"}, {"colour"}, "colour=MAG_U-MAG_G", "0-1"},
      {"alias wins over a column", ugri, {"u", "g"}, "u=r", "2 1"},
      {"alias of a number", ugri, {"x"}, "x=3", "3"},
      {"other columns are found without the list", ugri, {"x", "r"}, "x=u", "0 2"},
      {"names are not positions", {"1", "0"}, {"#2"}, "0,1", "1 0"},
      {"a name with =", {"a=b", "c"}, {"#1"}, "a=b", "0"},
      {"by position without the model's names", ugri, {"#4"}, "", "0 1 2 3"},
      {"list of names by position", ugri, {"#3"}, "i, u-g ,r", "3 0-1 2"},
      {"ranges", ugri, {"#5"}, "2:,0:2,0", "2 3 0 1 0"},
      {"ranges by name", ugri, {"r", "i"}, "0:4", "2 3"},
  };
  for (const auto& c : cases) {
    const auto table = table_of(c.columns);
    const bool unnamed = c.features.front().starts_with('#');
    const auto model = unnamed ? model_of(std::stoull(c.features.front().substr(1))) : model_of(c.features);
    EXPECT_EQ(text_of(bind(table, model, c.list).binding), c.expected) << c.what;
  }
}

TEST(Binding, ColumnsWithoutNames) {
  const auto table = images({4});
  EXPECT_EQ(text_of(bind(table, model_of({"a", "b", "c", "d"})).binding), "0 1 2 3");
  EXPECT_EQ(text_of(bind(table, model_of({"a", "b"}), "b=0,a=2").binding), "2 0");
  EXPECT_EQ(text_of(bind(table, model_of({"a", "b"}), "3,0").binding), "3 0");
  EXPECT_THAT(refusal(table, model_of({"a", "b"}), "b=0,2"), HasSubstr("1 of 2 features is not in cat.h5:/images (a)"));
  EXPECT_THAT(refusal(table, model_of(1), "g"), HasSubstr("--features g: the columns of cat.h5:/images have no names"));
}

TEST(Binding, NamesThatAreNotThere) {
  const auto table = table_of({"mag_U", "mag_g", "mag_r"});
  EXPECT_EQ(refusal(table, model_of({"mag_u", "mag_g", "mag_y"})),
            "z.h5: 2 of 3 features are not in cat.h5:/photometry (mag_u, mag_y); nearest to mag_u: mag_U; give them by "
            "--features NEW=COLUMN, or --missing-features mean|VALUE");
  EXPECT_EQ(refusal(table, model_of({"x", "y"}), "", by_value(0)),
            "z.h5: none of its 2 features is in cat.h5:/photometry (x, y); give them by --features NEW=COLUMN");
  EXPECT_THAT(refusal(table, model_of(1), "mag_gg"), HasSubstr("has no such column"));
  EXPECT_THAT(refusal(table, model_of(1), "mag_gg"), HasSubstr("did you mean mag_g?"));
  EXPECT_THAT(refusal(table, model_of({"a-b-c"}), "a-b-c"), HasSubstr("has no such column"));
}

TEST(Binding, ListsThatAreWrong) {
  const auto table = table_of({"a", "b", "a-b", "b-a"});
  const auto usage = base::ExitCode::usage;
  for (const char* text : {"a,,b", ",a", "a,", "=a", "x="}) refusal(table, model_of(2), text, {}, usage);
  EXPECT_THAT(refusal(table, model_of(1), "4", {}, usage), HasSubstr("out of range (cat.h5:/photometry has 4 columns"));
  EXPECT_THAT(refusal(table, model_of(1), "x=4", {}, usage), HasSubstr("out of range"));
  EXPECT_THAT(refusal(table, model_of(1), "18446744073709551615", {}, usage), HasSubstr("out of range"));
  EXPECT_THAT(refusal(table, model_of(1), "2:5", {}, usage), HasSubstr("out of range"));
  EXPECT_THAT(refusal(table, model_of(1), "3:2", {}, usage), HasSubstr("selects no column"));
  EXPECT_THAT(refusal(table, model_of(2), "x=a,x=b", {}, usage), HasSubstr("x stands for two things"));
  EXPECT_THAT(refusal(table, model_of(1), "a-b-a"), HasSubstr("more than one difference"));
  EXPECT_THAT(refusal(table, model_of(3), "a,b"), HasSubstr("the model expects 3 features (--features lists 2"));
}

TEST(Binding, RepeatedNamesAreRefusedOnEitherSide) {
  const auto twice = table_of({"a", "b", "a"});
  EXPECT_THAT(refusal(twice, model_of({"b"})), HasSubstr("cat.h5:/photometry: two columns are named a"));
  EXPECT_EQ(text_of(bind(twice, model_of(3)).binding), "0 1 2");
  EXPECT_THAT(refusal(table_of({"a", "b"}), model_of({"b", "b"})), HasSubstr("z.h5: two features are named b"));
}

TEST(Binding, WidthsMustAgreeByPosition) {
  EXPECT_EQ(refusal(images({20}), model_of(12)),
            "z.h5: the model expects 12 features (cat.h5:/images gives 20 per row); choose the model's columns by "
            "--features");
  EXPECT_THAT(refusal(images({3}), model_of(12)), HasSubstr("give another dataset or another model"));
}

TEST(Binding, MissingFeaturesTakeMeansOrAValue) {
  const auto table = table_of({"a", "b"});
  auto model = model_of({"b", "c", "a"});
  EXPECT_EQ(text_of(bind(table, model, "", by_value(27.5)).binding), "1 =27.5 0");
  EXPECT_TRUE(std::isnan(bind(table, model, "", by_value(std::nan(""))).binding.features[1].constant));
  EXPECT_THAT(refusal(table, model, "", by_mean()), HasSubstr("--missing-features mean needs them for c"));
  model.reference = model::FeatureReference{.mean = {1, 2.25, 3}, .stddev = {}, .minimum = {}, .maximum = {}};
  model.reference->mean[1] = std::nan("");
  EXPECT_THAT(refusal(table, model, "", by_mean()), HasSubstr("--missing-features mean needs them for c"));
  model.reference->mean = {std::nan(""), 2.25, std::nan("")};  // of features that are there, none is needed
  const auto bound = bind(table, model, "", by_mean());
  EXPECT_EQ(text_of(bound.binding), "1 =2.25 0");
  EXPECT_EQ(bound.report.matched, 2U);
  EXPECT_THAT(bound.report.notes, ElementsAre("2 of 3 matched; the others take their mean in training: c"));
}

TEST(Binding, GenesAreNoDifferences) {
  const Names genes{"TMEM189", "UBE2V1", "TP53"};
  const auto model = model_of({"TMEM189-UBE2V1", "TP53"});
  EXPECT_EQ(text_of(bind(table_of(genes, TableKind::sparse), model, "", by_value(0)).binding), "=0.00 2");
  EXPECT_EQ(text_of(bind(table_of(genes, TableKind::compound), model, "", by_value(0)).binding), "0-1 2");
}

TEST(Binding, TellsWhatIsNotPlain) {
  const auto table = table_of({"u", "g", "r"});
  EXPECT_EQ(bind(table, model_of({"g-r", "u"})).report.summary,
            "2 features by name from /photometry, 1 of them difference");
  const auto position = bind(table, model_of(3)).report;
  EXPECT_EQ(position.summary, "3 features by position from /photometry (the model has no feature names)");
  EXPECT_TRUE(position.notable);
  EXPECT_THAT(position.notes, ElementsAre("a group has no order of its own; its columns are taken in that of their "
                                          "names: u, g, r; --features gives another"));
  EXPECT_THAT(bind(table, model_of(3), "r,g,u").report.notes, testing::IsEmpty());
  EXPECT_EQ(bind(images({2}), model_of({"a", "b"})).report.summary,
            "2 features by position from /images (/images has no column names)");
  EXPECT_FALSE(bind(images({2}), model_of(2)).report.notable);
  EXPECT_THAT(bind(table, model_of({"u"}), "color=g-r").report.notes, ElementsAre("not read by this model: color"));
  auto total = model_of({"u"});
  total.total_count = 1e4;
  const auto bound = bind(table, total);
  EXPECT_EQ(bound.binding.total_count, 1e4);
  EXPECT_THAT(bound.report.notes, ElementsAre("each row is scaled so that all its 3 columns sum to 10000"));
  EXPECT_EQ(source_text(table, {.column = 0, .minus = 2}), table.source_name(0) + " - r");
}

TEST(Binding, ImagesMayHaveTheirChannelsAtTheOtherEnd) {
  auto first = model_of(2 * 3 * 4);
  first.input_shape = {2, 3, 4};  // channels, height, width
  const auto last = bind(images({3, 4, 2}), first);
  EXPECT_EQ(last.report.matching, Matching::permuted);
  for (u64 c = 0; c < 2; ++c)
    for (u64 y = 0; y < 3; ++y)
      for (u64 x = 0; x < 4; ++x)
        EXPECT_EQ(last.binding.features[(c * 3 + y) * 4 + x].column, (y * 4 + x) * 2 + c) << c << ' ' << y << ' ' << x;
  auto keras = model_of(2 * 3 * 4);
  keras.input_shape = {3, 4, 2};
  const auto back = bind(images({2, 3, 4}), keras);
  for (u64 i = 0; i < 24; ++i) EXPECT_EQ(back.binding.features[last.binding.features[i].column].column, i);
  EXPECT_THAT(back.report.notes,
              ElementsAre("the channels are moved: the model reads 3 x 4 x 2, /images stores 2 x 3 x 4"));
}

TEST(Binding, ShapesThatAgreeAsTheyAre) {
  using Shape = std::vector<u64>;
  const std::vector<std::pair<Shape, Shape>> alike{{{1, 28, 28}, {28, 28}}, {{28, 28, 1}, {1, 28, 28}},
                                                   {{28, 28}, {784}},       {{3, 32, 32}, {3, 1024}},
                                                   {{5, 5}, {5, 5}},        {{1, 1}, {}},
                                                   {{1, 4}, {4, 1}}};
  for (const auto& [input, row] : alike) {
    const auto order = match_shapes(input, row);
    ASSERT_TRUE(order) << testing::PrintToString(input);
    EXPECT_TRUE(order->columns.empty()) << testing::PrintToString(input);
  }
  const std::vector<std::pair<Shape, Shape>> unlike{
      {{28, 28}, {14, 56}}, {{3, 4, 2}, {4, 3, 2}}, {{1, 28, 14}, {14, 28}}, {{2, 3, 4}, {4, 3, 2}}};
  for (const auto& [input, row] : unlike) EXPECT_FALSE(match_shapes(input, row)) << testing::PrintToString(input);
  auto model = model_of(784);
  model.input_shape = {28, 28};
  EXPECT_THAT(refusal(images({14, 56}), model),
              HasSubstr("the model reads 28 x 28 (cat.h5:/images stores rows of 14 x 56)"));
}

TEST(Binding, MatchesAHundredThousandNames) {
  Names columns;
  for (u64 i = 0; i < 100'000; ++i) columns.push_back("gene-" + std::to_string(i));
  Names features(columns.rbegin(), columns.rend());
  features[7] = "gone-7";
  const auto table = table_of(columns);
  const auto model = model_of(features);
  const auto bound = bind(table, model, "", by_value(0));
  EXPECT_THAT(refusal(table, model), HasSubstr("nearest to gone-7: gene-7"));
  EXPECT_EQ(bound.report.matched, 99'999U);
  EXPECT_EQ(bound.binding.features.front().column, 99'999U);
}

// ---- missing values

storage::Treatment treat(const SourceTable& table, std::vector<model::Model>& models, const ScoreOptions& options) {
  const FeatureBinder binder(table, "cat.h5", options.features, options.missing_features);
  const std::string path = "z.h5";
  std::vector<BoundModel> bound;
  for (const auto& m : models) bound.push_back(binder.bind(m, path));
  std::vector<ModelToFill> to_fill;
  for (u64 i = 0; i < models.size(); ++i) to_fill.push_back({models[i], bound[i], path});
  return treat_missing(binder, table, to_fill, options);
}

TEST(MissingValues, ColumnsAreFilledAtTheSourceAndFeaturesInTheModel) {
  const auto table = table_of({"u", "g", "r"});
  std::vector<model::Model> models{model_of({"u-g", "g"}), model_of({"g"})};
  ScoreOptions options;
  options.missing_values = {99, -99, 99};
  options.fills = {{"u", 27.5}, {"u-g", 0.25}, {"r", 1}};
  const auto treatment = treat(table, models, options);
  EXPECT_THAT(treatment.missing, ElementsAre(-99, 99));
  EXPECT_THAT(treatment.fills, ElementsAre(storage::Treatment::Fill{.column = 0, .value = 27.5}));  // r is not read
  ASSERT_EQ(models[0].stages.size(), 2U);
  const auto& impute = std::get<model::Impute>(models[0].stages.front());
  EXPECT_EQ(impute.statistics[0], 0.25);
  EXPECT_TRUE(std::isnan(impute.statistics[1]));
  EXPECT_EQ(models[1].stages.size(), 1U);
}

TEST(MissingValues, FillTakesMeansOfWhatTheModelDoesNotHandle) {
  const auto table = table_of({"a", "b", "c", "d"});
  auto model = model_of({"a", "b", "c", "d"});
  model::prepend(
      model, {model::Impute{
                 .statistics = {std::nan(""), 5, std::nan(""), std::nan("")}, .missing = 0, .missing_is_nan = true}});
  model.reference = model::FeatureReference{.mean = {1, 2, 3, 4}, .stddev = {}, .minimum = {}, .maximum = {}};
  std::vector<model::Model> models{model};
  ScoreOptions options;
  options.missing = MissingPolicy::fill;
  options.fills = {{"c", 7}};
  static_cast<void>(treat(table, models, options));
  const auto& impute = std::get<model::Impute>(models[0].stages.front());
  EXPECT_EQ(impute.statistics[0], 1);
  EXPECT_TRUE(std::isnan(impute.statistics[1]));  // the model's own
  EXPECT_TRUE(std::isnan(impute.statistics[2]));  // filled in its column
  EXPECT_EQ(impute.statistics[3], 4);
}

TEST(MissingValues, UnknownNamesAndMeansAreRefused) {
  const auto table = table_of({"mag_u", "g"});
  std::vector<model::Model> models{model_of({"g"})};
  ScoreOptions options;
  options.fills = {{"mag_U", 1}};
  EXPECT_THAT(
      [&] { treat(table, models, options); },
      testing::ThrowsMessage<base::Error>(HasSubstr(
          "--fill mag_U: neither a column of cat.h5:/photometry nor a feature of a model; did you mean mag_u?")));
  options.fills = {};
  options.missing = MissingPolicy::fill;
  EXPECT_THAT([&] { treat(table, models, options); },
              testing::ThrowsMessage<base::Error>(HasSubstr("--missing fill needs that of g")));
}

TEST(FirstMissing, IsTheFirstRowInAnyOrderOfBlocks) {
  FirstMissing watch({2, 3, 5, 8});
  EXPECT_EQ(watch.add(8, 800), std::nullopt);
  EXPECT_EQ(watch.add(2, std::nullopt), std::nullopt);
  EXPECT_EQ(watch.add(5, 505), std::nullopt);
  EXPECT_EQ(watch.add(3, std::nullopt), 505U);
  FirstMissing last({1, 2});
  EXPECT_EQ(last.add(2, 20), std::nullopt);
  EXPECT_EQ(last.add(1, 15), 15U);
  FirstMissing never({1});
  EXPECT_EQ(never.add(1, std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace h5score::run
