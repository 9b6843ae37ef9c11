// Kernel expansions in both precisions against sums in extended precision: also where the support vectors lie far out,
// where |x|^2 + |s|^2 - 2 x.s cancels, and where coefficients of both signs do.
#include "models.hpp"
#include "scored.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace h5score::model {
namespace {

using testing::Random;
using Real = long double;

/// Features as an evaluator of this precision gets them.
double rounded(double value, Precision precision) {
  return precision == Precision::float32 ? static_cast<double>(static_cast<float>(value)) : value;
}

Real kernel_value(const Kernel& kernel, const double* x, const double* s, u64 d) {
  Real dot = 0;
  Real distance = 0;
  for (u64 k = 0; k < d; ++k) {
    dot += static_cast<Real>(x[k]) * s[k];
    distance += (static_cast<Real>(x[k]) - s[k]) * (static_cast<Real>(x[k]) - s[k]);
  }
  const Real line = kernel.gamma * dot + kernel.coef0;
  if (kernel.kind == KernelKind::rbf) return std::exp(-kernel.gamma * distance);
  if (kernel.kind == KernelKind::sigmoid) return std::tanh(line);
  return std::pow(line, static_cast<Real>(kernel.degree));
}

/// The largest error of decision values, relative to the sum of the terms' magnitudes where that is above 1.
double largest_error(const KernelExpansion& e, Precision precision, const std::vector<double>& rows) {
  Model model = testing::bare(e.support_vectors.cols, {});
  model.stages = {e};
  const std::vector<double> ours = testing::score(model, rows, {precision, {}}).prediction;
  const u64 d = e.support_vectors.cols;
  const u64 outputs = e.coefficients.cols;
  double worst = 0;
  for (u64 i = 0; i < rows.size() / d; ++i)
    for (u64 j = 0; j < outputs; ++j) {
      Real exact = e.intercept[j];
      Real magnitude = 1;
      for (u64 m = 0; m < e.support_vectors.rows; ++m) {
        const Real term = e.coefficients.values[m * outputs + j] *
                          kernel_value(e.kernel, &rows[i * d], &e.support_vectors.values[m * d], d);
        exact += term;
        magnitude += std::abs(term);
      }
      worst = std::max(worst, static_cast<double>(std::abs(ours[i * outputs + j] - exact) / magnitude));
    }
  return worst;
}

struct Setting {
  const char* name;
  KernelKind kind;
  u64 vectors, features, outputs;
  double offset, spread;  ///< features and support vectors: offset +- spread
  double gamma;
  double coefficient;
};

constexpr Setting kSettings[] = {
    {"standardised", KernelKind::rbf, 500, 30, 1, 0, 1.7, 1.0 / 30, 1},
    {"several outputs", KernelKind::rbf, 317, 20, 9, 0, 1.7, 1.0 / 20, 1},
    {"far from the origin", KernelKind::rbf, 200, 25, 1, 1e3, 1, 1.0 / 25, 1},
    {"large norms: distances are summed", KernelKind::rbf, 200, 25, 1, 0, 100, 1e-4, 1},
    {"narrow and large", KernelKind::rbf, 200, 40, 2, 50, 300, 0.05, 1},
    {"large coefficients", KernelKind::rbf, 700, 10, 1, 0, 1, 0.1, 1000},
    {"one vector", KernelKind::rbf, 1, 3, 1, 0, 1, 0.5, 1},
    {"a block and one", KernelKind::rbf, 61, 7, 1, 0, 1, 0.5, 1},
    {"polynomial", KernelKind::polynomial, 250, 30, 3, 0, 1, 1.0 / 30, 1},
    {"sigmoid", KernelKind::sigmoid, 250, 30, 2, 0, 1, 1.0 / 30, 1},
};

class Expansions : public ::testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Settings, Expansions, ::testing::ValuesIn(kSettings),
                         [](const auto& test) { return "s" + std::to_string(test.index); });

TEST_P(Expansions, AreCloseToExactSums) {
  const Setting& s = GetParam();
  SCOPED_TRACE(s.name);
  Random random(s.vectors + s.features);
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    const auto values = [&](u64 n) {
      std::vector<double> v = random.vector(n, s.offset - s.spread, s.offset + s.spread);
      for (double& x : v) x = rounded(x, precision);
      return v;
    };
    KernelExpansion e = testing::expansion(random, s.kind, s.vectors, s.features, s.outputs);
    e.kernel.gamma = s.gamma;
    e.support_vectors.values = values(s.vectors * s.features);
    for (double& c : e.coefficients.values) c = rounded(c * s.coefficient, precision);
    std::vector<double> rows = values(70 * s.features);
    std::copy_n(e.support_vectors.values.begin(), s.features, rows.begin());  // a row that is a support vector
    EXPECT_LE(largest_error(e, precision, rows), precision == Precision::float32 ? 2e-6 : 1e-14);
  }
}

}  // namespace
}  // namespace h5score::model
