// The native format: what is written is read back, and what does not belong there is refused.
#include "h5score/base/archive.hpp"
#include "h5score/format/format.hpp"
#include "h5score/h5/io.hpp"

#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace h5score::format {
namespace {

using model::Matrix;
using ::testing::HasSubstr;

Matrix matrix(base::u64 rows, base::u64 cols, double first) {
  Matrix m{.rows = rows, .cols = cols, .values = std::vector<double>(rows * cols)};
  for (double& value : m.values) value = first += 0.1;
  return m;
}

// Every kind of stage, in an order whose widths fit.
model::Model every_stage() {
  model::Model m;
  m.n_features = 3;
  m.stages = {
      model::Impute{{1, 2, 3}, 0, true},
      model::Impute{{4, 5, 6}, -99, false},
      model::Clip{-5, 5},
      model::Scale{{0.1, 0.2, 0.3}, {1, 2, 3}},
      model::Normalize{model::Norm::l1},
      model::Affine{matrix(3, 2, 1), {7, 8}},
      model::Activation{model::ActivationKind::leaky_relu, 0.25},
      model::Activation{model::ActivationKind::tanh, 0},
      model::Softmax{},
      model::Log1p{},
      model::KernelExpansion{matrix(4, 2, 0), {model::KernelKind::polynomial, 0.5, 0.25, 4}, matrix(4, 2, 2), {1, 2}}};
  m.head.target_names = {"redshift", "n\xc3\xa9"};
  m.feature_names = {"u", "g", "r"};
  m.precision = model::Precision::float32;
  m.origin = {"test", "1.0", "native"};
  m.golden = model::GoldenRows{
      .rows = matrix(2, 3, 0), .prediction = matrix(2, 2, 1), .decision = {}, .probability = {}, .label_codes = {}};
  return m;
}

// Branches, every stage that moves or combines columns, and what a model may know of its features.
model::Model graph() {
  using model::CombineKind;
  model::Model m;
  m.n_features = 3;
  m.stages = {model::MarkMissing{-99.5},
              model::Impute{{1, std::nan(""), 3}, 0, true},
              model::Select{{2, 0}},
              model::Affine{matrix(3, 2, 0), {1, 2}},
              model::Activation{model::ActivationKind::erf, 0},
              model::Combine{CombineKind::add},
              model::Binarize{0.5},
              model::Combine{CombineKind::concat},
              model::Softmax{2, true}};
  m.inputs = {{0}, {1}, {2}, {2}, {4}, {3, 5}, {3}, {6, 7, 3}, {8}};
  for (const CombineKind kind : {CombineKind::subtract, CombineKind::multiply, CombineKind::divide,
                                 CombineKind::minimum, CombineKind::maximum}) {
    m.inputs.push_back({9, m.stages.size()});
    m.stages.emplace_back(model::Combine{kind});
  }
  m.input_shape = {3, 1, 1};
  m.total_count = 1e4;
  m.reference = model::FeatureReference{{1, 2, std::nan("")}, {1, 1, 1}, {}, {4, 5, 6}};
  m.origin.format = "native";
  return m;
}

// A linear classifier with `columns` columns and a head.
model::Model classifier(model::HeadKind kind, model::Link link, const model::ClassLabels& classes, base::u64 columns) {
  model::Model m;
  m.n_features = 2;
  m.stages = {model::Affine{matrix(2, columns, 0), std::vector<double>(columns, 0.5)}};
  m.head.kind = kind;
  m.head.link = link;
  m.head.classes = classes;
  m.origin.format = "native";
  return m;
}

void expect_round_trip(const model::Model& m) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.h5");
  save_model(path, m);
  EXPECT_EQ(base::to_bytes(load_model(path)), base::to_bytes(m));
  EXPECT_FALSE(std::filesystem::exists(path + ".0.tmp"));
}

TEST(Native, RoundTripOfEveryStage) {
  expect_round_trip(every_stage());
}

TEST(Native, RoundTripOfAGraph) {
  expect_round_trip(graph());
}

TEST(Native, RoundTripOfEveryHead) {
  using model::HeadKind;
  using model::Link;
  expect_round_trip(classifier(HeadKind::binary, Link::sigmoid, std::vector<base::i64>{-7, 1LL << 60}, 1));
  expect_round_trip(classifier(HeadKind::multiclass, Link::normalized_sigmoid, std::vector<double>{0.1, 1.5, 2}, 3));
  expect_round_trip(classifier(HeadKind::multilabel, Link::sigmoid, std::vector<std::string>{"a", "b c"}, 2));
  expect_round_trip(classifier(HeadKind::one_class, Link::none, std::vector<base::i64>{-1, 1}, 1));
  auto pairs = classifier(HeadKind::one_vs_one, Link::platt, std::vector<base::i64>{3, 1, 2}, 3);
  pairs.head.prob_a = {-1, -2, -3};
  pairs.head.prob_b = {0.1, 0.2, 0.3};
  pairs.head.label_by_probability = true;
  expect_round_trip(pairs);
  pairs.head.decision_ovr = true;
  pairs.head.label_by_probability = false;
  expect_round_trip(pairs);
}

TEST(Native, RoundTripOfMultilabelGoldenRows) {
  auto m = classifier(model::HeadKind::multilabel, model::Link::none, std::vector<base::i64>{0, 1}, 2);
  m.golden = model::GoldenRows{.rows = matrix(3, 2, 0),
                               .prediction = {},
                               .decision = matrix(3, 2, 0),
                               .probability = {},
                               .label_codes = {0, 1, 1, 1, 0, 0}};
  expect_round_trip(m);
}

TEST(Native, WritesNothingForAModelThatIsNotValid) {
  const TemporaryFolder folder;
  auto m = every_stage();
  m.n_features = 4;
  message_of([&] { save_model(folder.file("bad.h5"), m); });
  EXPECT_FALSE(std::filesystem::exists(folder.file("bad.h5")));
  message_of([&] { save_model(folder.file("no/such/folder.h5"), every_stage()); }, base::ExitCode::cant_create);
}

TEST(Native, ReplacesAModelThatExists) {
  const TemporaryFolder folder;
  const std::string path = folder.write("model.h5", "something else");
  save_model(path, every_stage());
  EXPECT_EQ(load_model(path).n_features, 3U);
}

// Writes a small valid model, lets `change` edit the file, and gives the message of its refusal.
std::string refusal(const std::function<void(const h5::Handle&)>& change, const model::Model& good = every_stage()) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.h5");
  save_model(path, good);
  {
    const h5::Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "cannot be reopened");
    change(file);
  }
  const std::string message = message_of([&] { load_model(path); });
  EXPECT_THAT(message, HasSubstr(path));
  return message;
}

void replace_attribute(const h5::Handle& group, const char* name, const auto& value) {
  h5::check(H5Adelete(group.get(), name), name);
  h5::write_attribute(group, name, value);
}

void remove(const h5::Handle& file, const char* name) {
  h5::check(H5Ldelete(file.get(), name, H5P_DEFAULT), name);
}

TEST(Native, RefusesOtherVersionsAndFormats) {
  EXPECT_THAT(refusal([](const auto& f) { replace_attribute(f, "format_version", base::i64{2}); }),
              AllOf(HasSubstr("version 2"), HasSubstr("up to 1")));
  EXPECT_THAT(refusal([](const auto& f) { replace_attribute(f, "format", std::string("keras")); }),
              HasSubstr("'keras'"));
  EXPECT_THAT(refusal([](const auto& f) { h5::check(H5Adelete(f.get(), "format"), ""); }),
              HasSubstr("export_sklearn.py"));
}

TEST(Native, RefusesUnknownNames) {
  EXPECT_THAT(refusal([](const auto& f) { h5::write_attribute(f, "n_feature", base::i64{3}); }),
              HasSubstr("'n_feature' is unknown"));
  EXPECT_THAT(refusal([](const auto& f) { h5::write_doubles(f, "stages/3/scale", {1}, {1}); }),
              HasSubstr("/stages/3: 'scale' is unknown"));
  EXPECT_THAT(refusal([](const auto& f) { h5::create_group(f, "stages/12"); }), HasSubstr("/stages/11 is missing"));
  EXPECT_THAT(refusal([](const auto& f) { h5::create_group(f, "stages/extra"); }), HasSubstr("/stages/11 is missing"));
  EXPECT_THAT(refusal([](const auto& f) { h5::write_attribute(h5::open_group(f, "stages/8"), "alpha", 1.0); }),
              HasSubstr("'alpha' is unknown"));
  EXPECT_THAT(
      refusal([](const auto& f) { replace_attribute(h5::open_group(f, "stages/7"), "function", std::string("mish")); }),
      AllOf(HasSubstr("stage 7"), HasSubstr("'mish' is unknown"), HasSubstr("softplus")));
}

TEST(Native, RefusesMissingAndMistypedParts) {
  EXPECT_THAT(refusal([](const auto& f) { remove(f, "stages/5/bias"); }), HasSubstr("/stages/5/bias is missing"));
  EXPECT_THAT(refusal([](const auto& f) { remove(f, "head"); }), HasSubstr("/head is missing"));
  EXPECT_THAT(refusal([](const auto& f) { h5::check(H5Adelete(f.get(), "n_features"), ""); }),
              HasSubstr("'n_features' is missing"));
  EXPECT_THAT(refusal([](const auto& f) { replace_attribute(f, "n_features", base::i64{-1}); }), HasSubstr("negative"));
  EXPECT_THAT(refusal([](const auto& f) { replace_attribute(f, "n_features", std::string("3")); }),
              HasSubstr("'n_features'"));
  EXPECT_THAT(refusal([](const auto& f) {
                remove(f, "stages/5/bias");
                h5::write_strings(f, "stages/5/bias", {"7", "8"});
              }),
              HasSubstr("/stages/5/bias"));
  EXPECT_THAT(refusal([](const auto& f) {
                remove(f, "stages/5/bias");
                h5::write_doubles(f, "stages/5/bias", {1, 2}, {7, 8});
              }),
              HasSubstr("2 dimensions"));
}

TEST(Native, RefusesGraphsThatDoNotFit) {
  const auto with_inputs = [](const char* stage, const std::vector<base::i64>& nodes) {
    return refusal([&](const auto& f) { replace_attribute(h5::open_group(f, stage), "inputs", nodes); }, graph());
  };
  EXPECT_THAT(with_inputs("stages/4", {5}), AllOf(HasSubstr("stage 4"), HasSubstr("reads node 5")));
  EXPECT_THAT(with_inputs("stages/4", {-1}), HasSubstr("reads node -1"));
  EXPECT_THAT(with_inputs("stages/4", {}), HasSubstr("has no input"));
  EXPECT_THAT(with_inputs("stages/5", {3}), HasSubstr("at least 2 inputs"));
  EXPECT_THAT(refusal([](const auto& f) { replace_attribute(h5::open_group(f, "stages/4"), "inputs", 4.0); }, graph()),
              HasSubstr("does not hold integers"));
  EXPECT_THAT(
      refusal([](const auto& f) { replace_attribute(h5::open_group(f, "stages/8"), "group", base::i64{-2}); }, graph()),
      HasSubstr("negative"));
  EXPECT_THAT(refusal(
                  [](const auto& f) {
                    remove(f, "stages/2/columns");
                    h5::write_integers(f, "stages/2/columns", {2}, {0, -1});
                  },
                  graph()),
              HasSubstr("negative"));
  EXPECT_THAT(refusal(
                  [](const auto& f) {
                    h5::write_doubles(f, "reference/median", {3}, {1, 2, 3});
                  },
                  graph()),
              HasSubstr("/reference: 'median' is unknown"));
}

TEST(Native, RefusesNumbersThatAreNotFinite) {
  refusal([](const auto& f) { replace_attribute(h5::open_group(f, "stages/10"), "gamma", std::nan("")); });
  refusal([](const auto& f) { replace_attribute(h5::open_group(f, "stages/2"), "low", -HUGE_VAL); });
  refusal([](const auto& f) {
    remove(f, "stages/5/bias");
    h5::write_doubles(f, "stages/5/bias", {2}, {7, std::nan("")});
  });
}

TEST(Native, RefusesTextThatIsNotUtf8) {
  EXPECT_THAT(refusal([](const auto& f) {
                remove(f, "feature_names");
                h5::write_strings(f, "feature_names", {"u", "g\xe9", "r"});
              }),
              AllOf(HasSubstr("/feature_names"), HasSubstr("UTF-8")));
}

// A dataset whose extents promise more than the file holds, without a byte of data behind it.
void promise(const h5::Handle& file, const char* name, const std::vector<hsize_t>& extents,
             const std::vector<hsize_t>& chunk) {
  remove(file, name);
  const h5::Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), name);
  const h5::Handle properties(H5Pcreate(H5P_DATASET_CREATE), name);
  if (!chunk.empty()) h5::check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()), name);
  const h5::Handle dataset(
      H5Dcreate2(file.get(), name, H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), name);
}

TEST(Native, RefusesSizesThatTheFileCannotHold) {
  for (const char* name : {"stages/5/weights", "stages/10/support_vectors", "golden/rows"}) {
    const hsize_t much = hsize_t{1} << 40;
    EXPECT_THAT(refusal([&](const auto& f) {
                  promise(f, name, {much, 2}, {});
                }),
                HasSubstr("larger than its file can hold"));
    EXPECT_THAT(refusal([&](const auto& f) {
                  promise(f, name, {much, 2}, {1, 2});
                }),
                HasSubstr("larger than its file can hold"));
    EXPECT_THAT(refusal([&](const auto& f) { promise(f, name, {much, much}, {1, 2}); }), HasSubstr("overflows"));
  }
}

TEST(Native, RefusesWhatLeadsOutOfTheFile) {
  EXPECT_THAT(refusal([](const auto& f) {
                remove(f, "stages/5/bias");
                h5::check(H5Lcreate_external("other.h5", "/x", f.get(), "stages/5/bias", H5P_DEFAULT, H5P_DEFAULT),
                          "link");
              }),
              HasSubstr("/stages/5: link 'bias' leads into another file"));
  EXPECT_THAT(refusal([](const auto& f) {
                remove(f, "stages/5/bias");
                const hsize_t extent = 2;
                const h5::Handle space(H5Screate_simple(1, &extent, nullptr), "space");
                const h5::Handle properties(H5Pcreate(H5P_DATASET_CREATE), "properties");
                h5::check(H5Pset_external(properties.get(), "/etc/passwd", 0, 16), "external");
                const h5::Handle dataset(H5Dcreate2(f.get(), "stages/5/bias", H5T_IEEE_F64LE, space.get(), H5P_DEFAULT,
                                                    properties.get(), H5P_DEFAULT),
                                         "dataset");
              }),
              HasSubstr("outside its file"));
}

TEST(Native, RefusesALoopOfLinks) {
  refusal([](const auto& f) {
    remove(f, "stages/5/bias");
    h5::check(H5Lcreate_soft("/stages", f.get(), "stages/5/bias", H5P_DEFAULT, H5P_DEFAULT), "link");
  });
  refusal([](const auto& f) {
    remove(f, "stages/5/bias");
    h5::check(H5Lcreate_soft("bias", f.get(), "stages/5/bias", H5P_DEFAULT, H5P_DEFAULT), "link");
  });
}

TEST(Native, SurvivesFilesThatEndEarly) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.h5");
  save_model(path, graph());
  std::ifstream stream(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  for (std::size_t kept = 0; kept < whole.size(); kept += 997)
    message_of([&] { load_model(folder.write("cut.h5", whole.substr(0, kept))); });
}

TEST(Native, LeavesNoHandleOpen) {
  refusal([](const auto& f) { remove(f, "stages/5/bias"); });
  expect_round_trip(every_stage());
  EXPECT_EQ(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), 0);
}

}  // namespace
}  // namespace h5score::format
