// Whole models against the plain textbook computation in extended precision, and against scikit-learn's own results.
#include "models.hpp"
#include "sklearn_reference.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <stdexcept>

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
    case ActivationKind::erf:
      return std::erf(x);
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
  Row operator()(const Softmax& s) const {
    Row y(x);
    const u64 group = s.group == 0 ? y.size() : s.group;
    for (u64 first = 0; first < y.size(); first += group) {
      Real sum = 0;
      for (u64 j = first; j < first + group; ++j) sum += std::exp(y[j]);
      for (u64 j = first; j < first + group; ++j) y[j] = s.log ? y[j] - std::log(sum) : std::exp(y[j]) / sum;
    }
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
  Row operator()(const MarkMissing& s) const {
    return each([&](Real v, u64) { return v == s.value ? std::nan("") : v; });
  }
  Row operator()(const Binarize& s) const {
    return each([&](Real v, u64) { return v > s.threshold ? 1 : 0; });
  }
  Row operator()(const Select& s) const {
    Row y;
    for (const u64 j : s.columns) y.push_back(x[j]);
    return y;
  }
  Row operator()(const Combine&) const { throw std::logic_error("a combination of one input"); }

 private:
  template <class F>
  [[nodiscard]] Row each(F f) const {
    Row y(x.size());
    for (u64 j = 0; j < x.size(); ++j) y[j] = f(x[j], j);
    return y;
  }
};

Real combined(CombineKind kind, Real x, Real y) {
  switch (kind) {
    case CombineKind::add:
      return x + y;
    case CombineKind::subtract:
      return x - y;
    case CombineKind::multiply:
      return x * y;
    case CombineKind::divide:
      return x / y;
    case CombineKind::minimum:
      return std::min(x, y);
    default:
      return std::max(x, y);
  }
}

Row combined(CombineKind kind, const std::vector<Row>& inputs) {
  Row y = inputs[0];
  for (u64 k = 1; k < inputs.size(); ++k) {
    if (kind == CombineKind::concat) y.insert(y.end(), inputs[k].begin(), inputs[k].end());
    for (u64 j = 0; kind != CombineKind::concat && j < y.size(); ++j) y[j] = combined(kind, y[j], inputs[k][j]);
  }
  return y;
}

/// What the last stage gives for one row.
Row evaluated(const Model& model, const double* row) {
  std::vector<Row> nodes{Row(row, row + model.n_features)};
  for (u64 i = 0; i < model.stages.size(); ++i) {
    std::vector<Row> inputs;
    for (const u64 node : inputs_of(model, i)) inputs.push_back(nodes[node]);
    const auto* combine = std::get_if<Combine>(&model.stages[i]);
    nodes.push_back(combine != nullptr ? combined(combine->kind, inputs)
                                       : std::visit(Apply{inputs[0]}, model.stages[i]));
  }
  return nodes.back();
}

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
    for (u64 i = 0; i < n; ++i)
      for (const Real v : evaluated(model, &rows[i * model.n_features])) expected.push_back(static_cast<double>(v));
    const auto results = score_rows(*e, rows.data(), n);
    expect_close(result(*e, results, ResultKind::prediction), expected, wide() ? 1e-13 : 1e-5, "value");
  }
}

/// A stage for an input of d columns whose values stay small.
Stage random_stage(Random& random, u64 d) {
  switch (random.below(6)) {
    case 0:
      return testing::affine(random, d, 1 + random.below(9));
    case 1:
      return Scale{random.vector(d), random.vector(d, 0.5, 1.2)};
    case 2: {
      Select select;
      for (u64 i = 0; i < 1 + random.below(2 * d); ++i) select.columns.push_back(random.below(d));
      return select;
    }
    case 3:
      return Softmax{0, random.below(2) == 0};
    case 4:
      return testing::expansion(random, KernelKind::rbf, 5, d, 1 + random.below(4));
    default:
      return Activation{ActivationKind::tanh, 0};
  }
}

/// Stages that read any node before them; combinations of what has the right width.
Model random_graph(Random& random) {
  constexpr CombineKind kinds[] = {CombineKind::concat, CombineKind::add, CombineKind::subtract, CombineKind::minimum,
                                   CombineKind::maximum};
  Model model;
  model.n_features = 1 + random.below(12);
  std::vector<u64> widths{model.n_features};
  for (u64 i = 0; i < 12; ++i) {
    std::vector<u64> nodes{random.below(4) == 0 ? random.below(i + 1) : i};  // mostly the last one
    Stage stage = random_stage(random, widths[nodes[0]]);
    if (random.below(3) == 0) {
      const Combine combine{kinds[random.below(5)]};
      for (u64 node = 0; node <= i; ++node)
        if (widths[node] == widths[nodes[0]] || combine.kind == CombineKind::concat)
          if (random.below(2) == 0 && nodes.size() < 4) nodes.push_back(node);
      if (nodes.size() > 1) stage = combine;
    }
    std::vector<u64> read;
    for (const u64 node : nodes) read.push_back(widths[node]);
    widths.push_back(output_width(stage, read));
    model.stages.push_back(std::move(stage));
    model.inputs.push_back(std::move(nodes));
  }
  return model;
}

TEST_P(Precisions, RandomGraphsComputeWhatTheTextbookSays) {
  for (u64 seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_graph(random);
    const auto e = compile(model, {GetParam(), {}});
    std::vector<double> rows = random.vector(5 * model.n_features);
    for (double& v : rows) v = static_cast<double>(static_cast<float>(v));
    std::vector<double> expected;
    for (u64 i = 0; i < 5; ++i)
      for (const Real v : evaluated(model, &rows[i * model.n_features])) expected.push_back(static_cast<double>(v));
    expect_close(result(*e, score_rows(*e, rows.data(), 5), ResultKind::prediction), expected, wide() ? 1e-12 : 1e-4,
                 "value");
    if (HasFailure()) break;
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
