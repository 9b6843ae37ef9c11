// Folding of stages before compilation: less work per row, the same function within the tolerance of the precision.
#include "step.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::model {
namespace {

/// S' C as weights; the sums run over the support vectors in order.
Affine linear_kernel_as_affine(const KernelExpansion& e) {
  const u64 d = e.support_vectors.cols;
  const u64 k = e.coefficients.cols;
  Affine affine{{d, k, std::vector<double>(d * k)}, e.intercept};
  for (u64 m = 0; m < e.support_vectors.rows; ++m)
    for (u64 i = 0; i < d; ++i) {
      const double s = e.support_vectors.values[m * d + i];
      if (s == 0) continue;
      for (u64 j = 0; j < k; ++j) affine.weights.values[i * k + j] += s * e.coefficients.values[m * k + j];
    }
  return affine;
}

bool all_equal(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [value](double v) { return v == value; });
}

/// y = ((x - o) f) W + b. The factor always folds into W. The offset folds into b where |o f|, the cancellation between
/// x f W and o f W, is small; else it stays in front as a subtraction. Returns whether `scale` is used up.
bool fold_scale(Scale& scale, Affine& affine, Precision precision) {
  const double limit = precision == Precision::float64 ? 64 : 4;
  const u64 k = affine.weights.cols;
  double largest = 0;
  for (u64 i = 0; i < affine.weights.rows; ++i) {
    largest = std::max(largest, std::abs(scale.offset[i] * scale.factor[i]));
    for (u64 j = 0; j < k; ++j) affine.weights.values[i * k + j] *= scale.factor[i];
    scale.factor[i] = 1;
  }
  if (!(largest <= limit)) return all_equal(scale.offset, 0);
  for (u64 i = 0; i < affine.weights.rows; ++i)
    for (u64 j = 0; j < k; ++j) affine.bias[j] -= scale.offset[i] * affine.weights.values[i * k + j];
  return true;
}

/// (x A + a) B + b = x (A B) + (a B + b).
Affine product(const Affine& first, const Affine& second) {
  const u64 d = first.weights.rows;
  const u64 inner = first.weights.cols;
  const u64 k = second.weights.cols;
  Affine result{{d, k, std::vector<double>(d * k)}, second.bias};
  const auto add_row = [&](const double* row, double* out) {
    for (u64 m = 0; m < inner; ++m)
      for (u64 j = 0; j < k; ++j) out[j] += row[m] * second.weights.values[m * k + j];
  };
  for (u64 i = 0; i < d; ++i) add_row(&first.weights.values[i * inner], &result.weights.values[i * k]);
  add_row(first.bias.data(), result.bias.data());
  return result;
}

bool product_is_less_work(const Affine& first, const Affine& second) {
  const auto d = static_cast<double>(first.weights.rows);
  const auto inner = static_cast<double>(first.weights.cols);
  const auto k = static_cast<double>(second.weights.cols);
  return d * k < d * inner + inner * k;
}

bool is_identity(const Stage& stage) {
  if (const auto* activation = std::get_if<Activation>(&stage)) return activation->kind == ActivationKind::identity;
  if (const auto* scale = std::get_if<Scale>(&stage)) return all_equal(scale->factor, 1) && all_equal(scale->offset, 0);
  return false;
}

/// Constant (no support vectors) or linear: an Affine does it.
bool is_linear(const KernelExpansion& e) {
  return e.kernel.kind == KernelKind::linear || e.support_vectors.rows == 0;
}

void append(std::vector<Stage>& done, Stage stage, Precision precision) {
  if (is_identity(stage)) return;
  if (const auto* e = std::get_if<KernelExpansion>(&stage); e != nullptr && is_linear(*e))
    stage = linear_kernel_as_affine(*e);
  if (auto* affine = std::get_if<Affine>(&stage)) {
    auto* scale = done.empty() ? nullptr : std::get_if<Scale>(&done.back());
    if (scale != nullptr && fold_scale(*scale, *affine, precision)) done.pop_back();
    auto* before = done.empty() ? nullptr : std::get_if<Affine>(&done.back());
    if (before != nullptr && product_is_less_work(*before, *affine)) {
      *before = product(*before, *affine);
      return;
    }
  }
  done.push_back(std::move(stage));
}

}  // namespace

std::vector<Stage> simplify(const std::vector<Stage>& stages, Precision precision) {
  std::vector<Stage> done;
  for (const Stage& stage : stages) append(done, stage, precision);
  return done;
}

}  // namespace h5score::model
