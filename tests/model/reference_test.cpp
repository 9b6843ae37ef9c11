// Whole models against the plain textbook computation in extended precision, and against scikit-learn's own results.
#include "models.hpp"
#include "sklearn_reference.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace h5score::model {
namespace {

using testing::Random;
using Real = long double;
using Row = std::vector<Real>;

Real norm_of(Norm norm, const Row& x) {
  Real sum = 0;
  for (const Real v : x)
    sum = norm == Norm::max ? std::max(sum, std::abs(v)) : sum + (norm == Norm::l1 ? std::abs(v) : v * v);
  return norm == Norm::l2 ? std::sqrt(sum) : sum;
}

Real kernel_value(const Kernel& kernel, const Row& x, const double* s) {
  Real dot = 0;
  Real distance = 0;
  for (u64 j = 0; j < x.size(); ++j) {
    dot += x[j] * s[j];
    distance += (x[j] - s[j]) * (x[j] - s[j]);
  }
  switch (kernel.kind) {
    case KernelKind::linear:
      return dot;
    case KernelKind::polynomial:
      return std::pow(kernel.gamma * dot + kernel.coef0, static_cast<Real>(kernel.degree));
    case KernelKind::rbf:
      return std::exp(-kernel.gamma * distance);
    case KernelKind::sigmoid:
      return std::tanh(kernel.gamma * dot + kernel.coef0);
  }
  return 0;
}

Real activated(const Activation& a, Real x) {
  const Real s = 1 / (1 + std::exp(-x));
  switch (a.kind) {
    case ActivationKind::identity:
      return x;
    case ActivationKind::relu:
      return std::max(x, Real{0});
    case ActivationKind::relu6:
      return std::min(std::max(x, Real{0}), Real{6});
    case ActivationKind::leaky_relu:
      return x < 0 ? a.alpha * x : x;
    case ActivationKind::elu:
      return x > 0 ? x : a.alpha * std::expm1(x);
    case ActivationKind::selu:
      return 1.0507009873554804934L * (x > 0 ? x : 1.6732632423543772848L * std::expm1(x));
    case ActivationKind::gelu:
      return x * (1 + std::erf(x / std::sqrt(2.0L))) / 2;
    case ActivationKind::gelu_tanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0L)) * (x + 0.044715L * x * x * x)));
    case ActivationKind::silu:
      return x * s;
    case ActivationKind::sigmoid:
      return s;
    case ActivationKind::hard_sigmoid:
      return std::min(std::max(0.2L * x + 0.5L, Real{0}), Real{1});
    case ActivationKind::tanh:
      return std::tanh(x);
    case ActivationKind::softplus:
      return std::log1p(std::exp(x));
    case ActivationKind::softsign:
      return x / (1 + std::abs(x));
    case ActivationKind::exponential:
      return std::exp(x);
  }
  return 0;
}

struct Apply {
  const Row& x;
  Row operator()(const Affine& s) const {
    Row y(s.bias.begin(), s.bias.end());
    for (u64 i = 0; i < x.size(); ++i)
      for (u64 j = 0; j < y.size(); ++j) y[j] += x[i] * s.weights.values[i * y.size() + j];
    return y;
  }
  Row operator()(const Softmax&) const {
    Row y(x);
    Real sum = 0;
    for (Real& v : y) sum += v = std::exp(v);
    for (Real& v : y) v /= sum;
    return y;
  }
  Row operator()(const KernelExpansion& s) const {
    Row y(s.intercept.begin(), s.intercept.end());
    for (u64 m = 0; m < s.support_vectors.rows; ++m) {
      const Real k = kernel_value(s.kernel, x, &s.support_vectors.values[m * x.size()]);
      for (u64 j = 0; j < y.size(); ++j) y[j] += k * s.coefficients.values[m * y.size() + j];
    }
    return y;
  }
  Row operator()(const Normalize& s) const {
    const Real norm = norm_of(s.norm, x);
    return each([norm](Real v, u64) { return norm == 0 ? v : v / norm; });
  }
  Row operator()(const Activation& s) const {
    return each([&](Real v, u64) { return activated(s, v); });
  }
  Row operator()(const Impute& s) const {
    return each(
        [&](Real v, u64 j) { return (s.missing_is_nan ? std::isnan(v) : v == s.missing) ? s.statistics[j] : v; });
  }
  Row operator()(const Scale& s) const {
    return each([&](Real v, u64 j) { return (v - s.offset[j]) * s.factor[j]; });
  }
  Row operator()(const Clip& s) const {
    return each([&](Real v, u64) { return std::min(std::max(v, Real{s.low}), Real{s.high}); });
  }
  Row operator()(const Log1p&) const {
    return each([](Real v, u64) { return std::log1p(v); });
  }

 private:
  template <class F>
  [[nodiscard]] Row each(F f) const {
    Row y(x.size());
    for (u64 j = 0; j < x.size(); ++j) y[j] = f(x[j], j);
    return y;
  }
};

/// All values of one result, as double; empty where the model has no such result.
std::vector<double> result(const Evaluator& e, const std::vector<base::Bytes>& results, ResultKind kind) {
  std::vector<double> values;
  for (u64 i = 0; i < results.size(); ++i) {
    const ResultColumn& column = e.columns()[i];
    if (column.kind != kind) continue;
    const auto read = [&](auto sample) {
      for (u64 at = 0; at < results[i].size(); at += sizeof sample) {
        std::memcpy(&sample, results[i].data() + at, sizeof sample);
        values.push_back(static_cast<double>(sample));
      }
    };
    if (kind == ResultKind::label)
      read(std::int32_t{});
    else if (kind == ResultKind::status)
      read(base::u8{});
    else if (column.type.size == 4)
      read(float{});
    else
      read(double{});
  }
  return values;
}

void expect_close(const std::vector<double>& ours, const std::vector<double>& theirs, double tolerance,
                  const char* what) {
  ASSERT_EQ(ours.size(), theirs.size()) << what;
  for (u64 i = 0; i < ours.size(); ++i)
    EXPECT_NEAR(ours[i], theirs[i], tolerance * std::max(1.0, std::abs(theirs[i]))) << what << " [" << i << "]";
}

class Precisions : public ::testing::TestWithParam<Precision> {
 protected:
  [[nodiscard]] bool wide() const { return GetParam() == Precision::float64; }
};
INSTANTIATE_TEST_SUITE_P(Both, Precisions, ::testing::Values(Precision::float32, Precision::float64),
                         [](const auto& test) { return to_string(test.param); });

// The last columns themselves: a regression head in place of the model's own.
TEST_P(Precisions, StagesComputeWhatTheTextbookSays) {
  const u64 n = 20;
  for (const auto& [name, classifier] : testing::every_family()) {
    SCOPED_TRACE(name);
    Model model = classifier;
    model.head = Head{};
    const auto e = compile(model, {GetParam(), {}});
    Random random(3);
    std::vector<double> rows = random.vector(n * model.n_features, -2, 2);
    for (double& v : rows) v = static_cast<double>(static_cast<float>(v));
    std::vector<double> expected;
    for (u64 i = 0; i < n; ++i) {
      Row x(&rows[i * model.n_features], &rows[i * model.n_features] + model.n_features);
      for (const Stage& stage : model.stages) x = std::visit(Apply{x}, stage);
      for (const Real v : x) expected.push_back(static_cast<double>(v));
    }
    const auto results = score_rows(*e, rows.data(), n);
    expect_close(result(*e, results, ResultKind::prediction), expected, wide() ? 1e-13 : 1e-5, "value");
  }
}

TEST_P(Precisions, ResultsAgreeWithScikitLearn) {
  const Matrix& rows = testing::kReferenceRows;
  for (const testing::Reference& reference : testing::kReferences) {
    SCOPED_TRACE(reference.name);
    Model model;
    model.n_features = rows.cols;
    model.stages = reference.stages;
    model.head = reference.head;
    const auto e = compile(model, {GetParam(), {}});
    const auto results = score_rows(*e, rows.values.data(), rows.rows);
    const double tolerance = wide() ? 1e-12 : 1e-5;
    expect_close(result(*e, results, ResultKind::prediction), reference.prediction, tolerance, "prediction");
    expect_close(result(*e, results, ResultKind::label), reference.label, 0, "label");
    expect_close(result(*e, results, ResultKind::decision), reference.decision, tolerance, "decision");
    expect_close(result(*e, results, ResultKind::probability), reference.probability, tolerance, "probability");
  }
}

// Coefficients of 1e3 with mixed signs, two close support vectors each, a narrow and a wide kernel, an offset far from
// 0.
TEST(KernelExpansionFloat32, DecisionValuesStayWithin1e5OfFloat64) {
  const u64 d = 50;
  for (const double gamma : {0.002, 0.02, 0.2, 5.0}) {
    Random random(9);
    KernelExpansion e = testing::expansion(random, KernelKind::rbf, 800, d, 3);
    e.kernel.gamma = gamma;
    for (double& v : e.support_vectors.values) v += 100;
    for (double& c : e.coefficients.values) c *= 1000;
    Model model;
    model.n_features = d;
    model.stages = {e};
    std::vector<double> rows;
    for (u64 i = 0; i < 100 * d; ++i) rows.push_back(e.support_vectors.values[i] + random.uniform(-0.2, 0.2));
    for (double& v : rows) v = static_cast<double>(static_cast<float>(v));
    const auto single = compile(model, {Precision::float32, {}});
    const auto wide = compile(model, {Precision::float64, {}});
    const auto ours = result(*single, score_rows(*single, rows.data(), 100), ResultKind::prediction);
    const auto exact = result(*wide, score_rows(*wide, rows.data(), 100), ResultKind::prediction);
    double scale = 0;
    double worst = 0;
    for (u64 i = 0; i < ours.size(); ++i) {
      scale = std::max(scale, std::abs(exact[i]));
      worst = std::max(worst, std::abs(ours[i] - exact[i]));
    }
    EXPECT_LT(worst / scale, 1e-5) << "gamma " << gamma;
    RecordProperty("gamma " + std::to_string(gamma), std::to_string(worst / scale * 1e6) + "e-6");
  }
}

}  // namespace
}  // namespace h5score::model
