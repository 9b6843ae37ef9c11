// LIBSVM model files: what they become, and what is refused with the line's number.
#include "h5score/format/format.hpp"

#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace h5score::format {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* three_classes =
    "svm_type c_svc\n"
    "kernel_type rbf\n"
    "gamma 0.5\n"
    "nr_class 3\n"
    "total_sv 4\n"
    "rho 0.1 0.2 -0.3\n"
    "label 30 -1 7\n"
    "probA -1 -2 -3\n"
    "probB 0.1 0.2 0.3\n"
    "nr_sv 2 1 1\n"
    "SV\n"
    "1 2 1:0.5 3:-1 \n"
    "3 4 2:1e-3 \n"
    "-5 6 5:1 \n"
    "-7 -8 1:1 2:2 3:3 4:4 5:5 \n";

model::Model load(const std::string& text) {
  const TemporaryFolder folder;
  return load_model(folder.write("a.model", text));
}

// The text with the first `from` replaced by `to`.
std::string edited(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& from, const std::string& to) {
  return message_of([&] { load(edited(three_classes, from, to)); });
}

TEST(Libsvm, ReadsAClassifier) {
  const auto m = load(three_classes);
  EXPECT_EQ(m.n_features, 5U);
  EXPECT_EQ(m.precision, model::Precision::float64);
  EXPECT_EQ(m.origin.format, "libsvm");
  EXPECT_EQ(m.head.kind, model::HeadKind::one_vs_one);
  EXPECT_EQ(m.head.link, model::Link::platt);
  EXPECT_THAT(std::get<std::vector<base::i64>>(m.head.classes), ElementsAre(30, -1, 7));
  EXPECT_THAT(m.head.prob_a, ElementsAre(-1, -2, -3));
  const auto& stage = std::get<model::KernelExpansion>(m.stages.at(0));
  EXPECT_EQ(stage.kernel.kind, model::KernelKind::rbf);
  EXPECT_EQ(stage.kernel.gamma, 0.5);
  EXPECT_THAT(stage.intercept, ElementsAre(-0.1, -0.2, 0.3));
  EXPECT_THAT(stage.support_vectors.values,
              ElementsAre(0.5, 0, -1, 0, 0, 0, 1e-3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5));
  // Pairs (0,1), (0,2), (1,2); the third vector is of class 1, the fourth of class 2.
  EXPECT_THAT(stage.coefficients.values, ElementsAre(1, 2, 0, 3, 4, 0, -5, 0, 6, 0, -7, -8));
}

TEST(Libsvm, ReadsRegressionAndOneClass) {
  const std::string regression =
      "svm_type epsilon_svr\nkernel_type polynomial\ndegree 2\ngamma 0.1\ncoef0 1\nnr_class 2\ntotal_sv 2\nrho 0.5\n"
      "probA 0.25\nSV\n0.5 1:1\n-0.5 2:1\n";
  auto m = load(regression);
  EXPECT_EQ(m.head.kind, model::HeadKind::values);
  EXPECT_EQ(m.head.link, model::Link::none);
  EXPECT_EQ(std::get<model::KernelExpansion>(m.stages.at(0)).kernel.degree, 2U);
  EXPECT_THAT(std::get<model::KernelExpansion>(m.stages.at(0)).coefficients.values, ElementsAre(0.5, -0.5));
  m = load(edited(edited(regression, "epsilon_svr", "one_class"), "probA", "prob_density_marks"));
  EXPECT_EQ(m.head.kind, model::HeadKind::one_class);
  EXPECT_THAT(std::get<std::vector<base::i64>>(m.head.classes), ElementsAre(-1, 1));
  EXPECT_EQ(load(edited(regression, "epsilon_svr", "nu_svr")).head.kind, model::HeadKind::values);
}

TEST(Libsvm, AcceptsWhatLibsvmAccepts) {
  EXPECT_EQ(load(edited(three_classes, "gamma 0.5\n", "gamma 0.5\ncoef0 3\ndegree 9\n")).n_features, 5U);  // not rbf's
  EXPECT_EQ(load(edited(three_classes, "1:0.5 3:-1", "1:+0.5   3:-1e0")).n_features, 5U);
  std::string carriage_returns;
  for (const char c : std::string(three_classes)) carriage_returns += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_EQ(load(carriage_returns).n_features, 5U);
  EXPECT_EQ(load(std::string("# written by another program\n") + three_classes).n_features, 5U);
}

TEST(Libsvm, IgnoresParametersThatTheKernelDoesNotHave) {
  const auto linear = edited(edited(three_classes, "rbf", "linear"), "gamma 0.5\n", "");
  const auto with_more = edited(linear, "nr_class", "gamma 9\ncoef0 9\ndegree 9\nnr_class");
  EXPECT_EQ(model::model_hash(load(linear)), model::model_hash(load(with_more)));
}

TEST(Libsvm, RefusesHeadersThatDoNotFit) {
  for (const char* key : {"svm_type c_svc", "kernel_type rbf", "gamma 0.5", "rho 0.1 0.2 -0.3", "label 30 -1 7",
                          "total_sv 4", "nr_sv 2 1 1", "probB 0.1 0.2 0.3"}) {
    const std::string word(key, std::string(key).find(' '));
    EXPECT_THAT(refusal(std::string(key) + "\n", ""), AllOf(HasSubstr(word), HasSubstr("missing"))) << key;
  }
  EXPECT_THAT(refusal("nr_class 3\n", ""), HasSubstr("nr_class must come before it"));
  EXPECT_THAT(refusal("nr_class 3", "nr_class 4294967297"), HasSubstr("line 4: 'nr_class'"));
  EXPECT_THAT(refusal("nr_class 3", "nr_class 1"), HasSubstr("line 4: 'nr_class'"));
  EXPECT_THAT(refusal("rho 0.1 0.2 -0.3", "rho 0.1 0.2"), AllOf(HasSubstr("line 6: 'rho'"), HasSubstr("3 expected")));
  EXPECT_THAT(refusal("rho 0.1", "rho nan"), HasSubstr("line 6: 'rho': 'nan'"));
  EXPECT_THAT(refusal("gamma 0.5", "gamma inf"), HasSubstr("line 3: 'gamma': 'inf'"));
  EXPECT_THAT(refusal("gamma 0.5", "gamma -0.5"), HasSubstr("negative"));
  EXPECT_THAT(refusal("label 30 -1 7", "label 30 -1 30"), HasSubstr("label 30 occurs twice"));
  EXPECT_THAT(refusal("label 30 -1 7", "label 30 -1 7.5"), HasSubstr("line 7: 'label'"));
  EXPECT_THAT(refusal("gamma 0.5", "gamma 0.5\ngamma 0.5"), HasSubstr("line 4: 'gamma': it occurs twice"));
  EXPECT_THAT(refusal("gamma 0.5", "gama 0.5"), HasSubstr("line 3: 'gama': unknown header entry"));
  EXPECT_THAT(refusal("c_svc", "c_svm"), AllOf(HasSubstr("'c_svm' is unknown"), HasSubstr("nu_svc")));
  EXPECT_THAT(refusal("rbf", "precomputed"), HasSubstr("not supported"));
  EXPECT_THAT(refusal("nr_sv 2 1 1", "nr_sv 2 1 2"), HasSubstr("more than total_sv"));
  EXPECT_THAT(refusal("nr_sv 2 1 1", "nr_sv 1 1 1"), HasSubstr("less than total_sv"));
  EXPECT_THAT(refusal("nr_sv 2 1 1", "nr_sv 18446744073709551615 1 4"), HasSubstr("more than total_sv"));
  EXPECT_THAT(refusal("SV\n", ""), HasSubstr("line 11"));
}

TEST(Libsvm, RefusesVectorsThatDoNotFit) {
  EXPECT_THAT(refusal("1:0.5 3:-1", "1:0.5 1:-1"), AllOf(HasSubstr("line 12"), HasSubstr("ascend")));
  EXPECT_THAT(refusal("1:0.5 3:-1", "3:0.5 1:-1"), HasSubstr("index 1 after 3"));
  EXPECT_THAT(refusal("1:0.5", "0:0.5"), AllOf(HasSubstr("line 12"), HasSubstr("index 0")));
  EXPECT_THAT(refusal("1:0.5", "-1:0.5"), HasSubstr("line 12"));
  EXPECT_THAT(refusal("1:0.5", "4294967296:0.5"), HasSubstr("line 12"));
  EXPECT_THAT(refusal("1:0.5", "1:nan"), HasSubstr("'nan'"));
  EXPECT_THAT(refusal("1:0.5", "1:1e999"), HasSubstr("'1e999'"));
  EXPECT_THAT(refusal("1:0.5", "1:"), HasSubstr("line 12"));
  EXPECT_THAT(refusal("1:0.5", "1 0.5"), HasSubstr("index:value expected"));
  EXPECT_THAT(refusal("1 2 1:0.5", "1 1:0.5"), HasSubstr("line 12"));
  EXPECT_THAT(refusal("3 4 2:1e-3 \n", ""), HasSubstr("3 of 4 support vectors"));
  EXPECT_THAT(refusal("3 4 2:1e-3 \n", "3 4 2:1e-3 \n3 4 2:1e-3 \n"), HasSubstr("more support vectors than total_sv"));
  EXPECT_THAT(refusal("5:5 \n", "5:5"), HasSubstr("ends inside line 15"));
}

TEST(Libsvm, BoundsMemoryByTheFile) {
  const std::string far = edited(three_classes, "5:1 \n", "4000000000:1 \n");
  EXPECT_THAT(message_of([&] { load(edited(far, "5:5 \n", "\n")); }), HasSubstr("too sparse"));
  const std::string many =
      edited(edited(three_classes, "total_sv 4", "total_sv 1000000000000"), "nr_sv 2 1 1", "nr_sv 999999999998 1 1");
  EXPECT_THAT(message_of([&] { load(many); }), HasSubstr("too short"));
}

TEST(Libsvm, SurvivesFilesThatEndEarly) {
  const std::string whole = three_classes;
  for (std::size_t kept = 0; kept < whole.size(); ++kept) message_of([&] { load(whole.substr(0, kept)); });
}

TEST(Libsvm, WidensToTheColumnsOfTheData) {
  auto m = load(three_classes);
  EXPECT_FALSE(widen(m, 5));
  EXPECT_TRUE(widen(m, 7));
  EXPECT_EQ(m.n_features, 7U);
  model::validate(m);
  const auto& vectors = std::get<model::KernelExpansion>(m.stages.at(0)).support_vectors;
  EXPECT_EQ(vectors.cols, 7U);
  EXPECT_THAT(std::vector<double>(vectors.values.begin(), vectors.values.begin() + 7),
              ElementsAre(0.5, 0, -1, 0, 0, 0, 0));
  EXPECT_FALSE(widen(m, 6));
  EXPECT_THAT(message_of([&] { widen(m, base::u64{1} << 40); }), HasSubstr("too large"));
  m.origin.library = "scikit-learn";
  EXPECT_FALSE(widen(m, 8));
}

TEST(Registry, NamesWhatAFileIsThatCannotBeRead) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& content) {
    return message_of([&] { load_model(folder.write("x", content)); });
  };
  EXPECT_THAT(refused("\x80\x04\x95"), AllOf(HasSubstr("pickle"), HasSubstr("export_sklearn.py")));
  EXPECT_THAT(refused("\x08\x07\x12\x07pytorch"), HasSubstr("ONNX"));
  EXPECT_THAT(refused("PK\x03\x04"), HasSubstr("zip"));
  EXPECT_THAT(refused("solver_type L2R_LR\nnr_class 2\n"), HasSubstr("LIBLINEAR"));
  EXPECT_THAT(refused(""), HasSubstr("empty"));
  EXPECT_THAT(refused("anything else"), AllOf(HasSubstr("native HDF5"), HasSubstr("LIBSVM")));
  message_of([&] { load_model(folder.file("absent")); }, base::ExitCode::no_input);
  EXPECT_THAT(message_of([&] { load_model(folder.file(".")); }, base::ExitCode::no_input),
              HasSubstr("not a regular file"));
}

TEST(Registry, ListsEachFormatOnce) {
  std::vector<std::string> names;
  for (const auto& format : formats()) names.emplace_back(format.name);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"keras", "native", "libsvm"}));
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
}

}  // namespace
}  // namespace h5score::format
