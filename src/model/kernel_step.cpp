// Kernel expansions: the kernel matrix of a tile is formed block by block of support vectors and reduced at once, so
// that it stays in the L1 cache. Sums with the coefficients are in double also for float32: the support vectors of a
// class stand side by side, so partial sums grow far beyond the decision value.
//
// RBF: |x - s|^2 = |x|^2 + |s|^2 - 2 x.s after subtracting the mean of the support vectors from both (the kernel is
// translation invariant). The cancellation costs gamma |s|^2 rounding errors in the exponent; where that is too much,
// the squared differences are summed directly, at twice the cost.
#include "packed_matrix.hpp"
#include "step.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::model {
namespace {

constexpr u64 kBlock = 10 * kernels::kPanelColumns;  // support vectors
constexpr u64 kGroup = 16;                           // support vectors whose norms are computed together

/// The mean of the support vectors, rounded to T so that subtracting it from x and from s is the same shift.
template <class T>
std::vector<T> mean_of(const Matrix& s) {
  std::vector<double> sum(s.cols);
  for (u64 m = 0; m < s.rows; ++m)
    for (u64 j = 0; j < s.cols; ++j) sum[j] += s.values[m * s.cols + j];
  std::vector<T> mean(s.cols);
  for (u64 j = 0; j < s.cols; ++j) mean[j] = static_cast<T>(sum[j] / static_cast<double>(s.rows));
  return mean;
}

/// |s|^2 of each column of `at` (depth x columns) by the very kernel that computes |x|^2: for x = s the distance is 0.
template <class T>
std::vector<T> squared_norms(const kernels::Table<T>& table, u64 depth, u64 columns,
                             const std::function<double(u64, u64)>& at) {
  std::vector<T> norms((columns + kGroup - 1) / kGroup * kGroup);
  base::AlignedBuffer buffer(depth * kGroup * sizeof(T));
  base::AlignedBuffer sums(kGroup * sizeof(T));
  for (u64 first = 0; first < columns; first += kGroup) {
    std::fill_n(buffer.as<T>(), depth * kGroup, T{0});
    std::fill_n(sums.as<T>(), kGroup, T{0});
    for (u64 k = 0; k < depth; ++k)
      for (u64 j = first; j < std::min(columns, first + kGroup); ++j)
        buffer.as<T>()[k * kGroup + j - first] = static_cast<T>(at(k, j));
    table.fold(kernels::Fold::square, buffer.as<T>(), kGroup, depth, sums.as<T>());
    std::copy_n(sums.as<T>(), kGroup, &norms[first]);
  }
  return norms;
}

template <class T>
class KernelStep final : public Step<T> {
 public:
  KernelStep(const KernelExpansion& e, const kernels::Table<T>& table)
      : Step<T>(e.support_vectors.cols, e.coefficients.cols, flops(e)),
        kernel_(e.kernel),
        centre_(e.kernel.kind == KernelKind::rbf ? mean_of<T>(e.support_vectors) : std::vector<T>()),
        vectors_(e.support_vectors.cols, e.support_vectors.rows, [&](u64 k, u64 m) { return shifted(e, k, m); }),
        coefficients_(e.coefficients.values),
        intercept_(e.intercept) {
    if (kernel_.kind != KernelKind::rbf) return;
    norms_ =
        squared_norms<T>(table, vectors_.depth(), vectors_.columns(), [&](u64 k, u64 m) { return shifted(e, k, m); });
    const double largest = *std::max_element(norms_.begin(), norms_.end());
    const double limit = sizeof(T) == sizeof(float) ? 4 : 512;
    if (!(std::abs(kernel_.gamma) * largest <= limit)) form_ = Form::distance;
  }

  [[nodiscard]] bool in_place() const override { return false; }
  [[nodiscard]] bool spoils_input() const override { return kernel_.kind == KernelKind::rbf; }
  [[nodiscard]] u64 scratch_bytes(u64 rows) const override {
    return rows * (this->output_width() * sizeof(double) + (kBlock + 1) * sizeof(T));
  }

  void run(const Frame<T>& f) const override {
    const u64 results = f.rows * this->output_width();
    double* const sums = reinterpret_cast<double*>(f.scratch);
    T* const values = reinterpret_cast<T*>(sums + results);  // rows x block
    T* const row_norm = values + f.rows * kBlock;
    prepare(f, row_norm);
    for (u64 j = 0; j < this->output_width(); ++j) std::fill_n(sums + j * f.rows, f.rows, intercept_[j]);
    for (u64 first = 0; first < vectors_.columns(); first += kBlock) {
      const u64 count = std::min(kBlock, vectors_.columns() - first);
      vectors_.multiply(f.table(), f.rows, f.in, first, count, values, zeros_.data(), form_, f.meter);
      apply_kernel(f, values, row_norm, first, count);
      f.table().add_weighted(values, f.rows, count, &coefficients_[first * this->output_width()], this->output_width(),
                             sums);
      f.meter.spend(2 * results * count);
    }
    std::transform(sums, sums + results, f.out, [](double v) { return static_cast<T>(v); });
  }

 private:
  static double flops(const KernelExpansion& e) {
    const auto m = static_cast<double>(e.support_vectors.rows);
    return m *
           (2.0 * static_cast<double>(e.support_vectors.cols) + 25.0 + 2.0 * static_cast<double>(e.coefficients.cols));
  }
  /// Element k of support vector m, relative to the centre; the difference is rounded once, to T, by the caller.
  double shifted(const KernelExpansion& e, u64 k, u64 m) const {
    const double value = e.support_vectors.values[m * e.support_vectors.cols + k];
    return centre_.empty() ? value : value - static_cast<double>(centre_[k]);
  }
  void prepare(const Frame<T>& f, T* row_norm) const {
    if (kernel_.kind != KernelKind::rbf) return;
    std::fill_n(row_norm, f.rows, T{0});
    for_columns(this->input_width(), f.rows * 3, f.meter, [&](u64 first, u64 count) {
      T* x = f.in + first * f.rows;
      f.table().scale(x, f.rows, count, &centre_[first], nullptr);
      if (form_ == Form::product) f.table().fold(kernels::Fold::square, x, f.rows, count, row_norm);
    });
  }

  void apply_kernel(const Frame<T>& f, T* x, const T* row_norm, u64 first, u64 count) const {
    const T gamma = static_cast<T>(kernel_.gamma);
    const T coef0 = static_cast<T>(kernel_.coef0);
    const u64 elements = f.rows * count;
    if (kernel_.kind == KernelKind::polynomial) {
      f.table().polynomial(x, elements, gamma, coef0, kernel_.degree);
    } else if (kernel_.kind == KernelKind::sigmoid) {
      f.table().sigmoid_kernel(x, elements, gamma, coef0);
    } else if (form_ == Form::product) {
      f.table().rbf(x, f.rows, count, row_norm, &norms_[first], gamma);
    } else {
      f.table().rbf_distance(x, elements, gamma);
    }
    f.meter.spend(elements * 25);
  }

  Kernel kernel_;
  std::vector<T> centre_;
  PackedMatrix<T> vectors_;           // d x m
  std::vector<double> coefficients_;  // m x outputs
  std::vector<double> intercept_;
  std::vector<T> norms_;
  std::vector<T> zeros_ = std::vector<T>(vectors_.columns());
  Form form_ = Form::product;
};

}  // namespace

template <class T>
std::unique_ptr<const Step<T>> make_kernel_step(const KernelExpansion& stage, const kernels::Tables& tables) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return std::make_unique<KernelStep<T>>(stage, tables.single);
  } else {
    return std::make_unique<KernelStep<T>>(stage, tables.wide);
  }
}
template std::unique_ptr<const Step<float>> make_kernel_step<float>(const KernelExpansion&, const kernels::Tables&);
template std::unique_ptr<const Step<double>> make_kernel_step<double>(const KernelExpansion&, const kernels::Tables&);

}  // namespace h5score::model
