// Steps for all stages but kernel expansions.
#include "h5score/base/error.hpp"

#include "packed_matrix.hpp"
#include "step.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace h5score::model {
namespace {

using kernels::Fold;
using kernels::Map;

template <class T>
std::vector<T> converted(const std::vector<double>& values) {
  std::vector<T> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), [](double v) { return static_cast<T>(v); });
  return result;
}

template <class T>
class AffineStep final : public Step<T> {
 public:
  explicit AffineStep(const Affine& a)
      : Step<T>(a.weights.rows, a.weights.cols,
                2.0 * static_cast<double>(a.weights.rows) * static_cast<double>(a.weights.cols)),
        weights_(a.weights.rows, a.weights.cols,
                 [&](u64 k, u64 j) { return a.weights.values[k * a.weights.cols + j]; }),
        bias_(converted<T>(a.bias)) {}
  [[nodiscard]] bool in_place() const override { return false; }
  void run(const Frame<T>& f) const override {
    weights_.multiply(f.table(), f.rows, f.in, 0, weights_.columns(), f.out, bias_.data(), Form::product, f.meter);
  }

 private:
  PackedMatrix<T> weights_;
  std::vector<T> bias_;
};

/// An elementwise function without per-column parameters: clip, log1p, activations.
template <class T, class F>
class PointwiseStep final : public Step<T> {
 public:
  PointwiseStep(u64 width, u64 cost, F function)
      : Step<T>(width, width, static_cast<double>(width * cost)), cost_(cost), function_(function) {}
  void run(const Frame<T>& f) const override {
    for_columns(this->input_width(), f.rows * cost_, f.meter,
                [&](u64 first, u64 count) { function_(f.table(), f.in + first * f.rows, count * f.rows); });
  }

 private:
  u64 cost_;
  F function_;
};
template <class T, class F>
std::unique_ptr<const Step<T>> pointwise(u64 width, u64 cost, F function) {
  return std::make_unique<PointwiseStep<T, F>>(width, cost, function);
}

template <class T>
class ScaleStep final : public Step<T> {
 public:
  explicit ScaleStep(const Scale& s)
      : Step<T>(s.offset.size(), s.offset.size(), 2.0 * static_cast<double>(s.offset.size())),
        offset_(converted<T>(s.offset)),
        rest_(rounded_off(s.offset, offset_)),
        factor_(converted<T>(s.factor)),
        has_rest_(std::any_of(rest_.begin(), rest_.end(), [](T v) { return v != 0; })),
        has_factor_(std::any_of(factor_.begin(), factor_.end(), [](T v) { return v != 1; })) {}
  void run(const Frame<T>& f) const override {
    for_columns(this->input_width(), f.rows * 2, f.meter, [&](u64 first, u64 count) {
      T* const x = f.in + first * f.rows;
      if (has_rest_) f.table().scale(x, f.rows, count, &offset_[first], nullptr);
      f.table().scale(x, f.rows, count, has_rest_ ? &rest_[first] : &offset_[first],
                      has_factor_ ? &factor_[first] : nullptr);
    });
  }

 private:
  /// What T cannot hold of an offset: subtracted after it, so that a mean far from 0 (a date, say) costs no accuracy.
  static std::vector<T> rounded_off(const std::vector<double>& offsets, const std::vector<T>& rounded) {
    std::vector<T> rest(offsets.size());
    for (u64 j = 0; j < rest.size(); ++j) rest[j] = static_cast<T>(offsets[j] - static_cast<double>(rounded[j]));
    return rest;
  }

  std::vector<T> offset_;
  std::vector<T> rest_;
  std::vector<T> factor_;
  bool has_rest_;
  bool has_factor_;
};

template <class T>
class ImputeStep final : public Step<T> {
 public:
  explicit ImputeStep(const Impute& i)
      : Step<T>(i.statistics.size(), i.statistics.size(), static_cast<double>(i.statistics.size())),
        statistics_(converted<T>(i.statistics)),
        missing_(static_cast<T>(i.missing)),
        missing_is_nan_(i.missing_is_nan) {
    if (missing_is_nan_) return;
    for (T& statistic : statistics_)
      if (std::isnan(statistic)) statistic = missing_;  // the column stays as it is
  }
  void run(const Frame<T>& f) const override {
    for_columns(this->input_width(), f.rows, f.meter, [&](u64 first, u64 count) {
      f.table().impute(f.in + first * f.rows, f.rows, count, &statistics_[first], missing_, missing_is_nan_);
    });
  }

 private:
  std::vector<T> statistics_;
  T missing_;
  bool missing_is_nan_;
};

template <class T>
class MarkMissingStep final : public Step<T> {
 public:
  MarkMissingStep(const MarkMissing& m, const std::vector<bool>& exposed)
      : Step<T>(exposed.size(), exposed.size(), 2.0 * static_cast<double>(exposed.size())),
        value_(static_cast<T>(m.value)),
        exposed_(runs(exposed)),
        imputed_(runs(inverted(exposed))) {}
  void run(const Frame<T>& f) const override {
    mark(f, exposed_, f.marks);
    mark(f, imputed_, nullptr);
  }

 private:
  static std::vector<bool> inverted(std::vector<bool> columns) {
    columns.flip();
    return columns;
  }
  void mark(const Frame<T>& f, const std::vector<ColumnRange>& ranges, T* marks) const {
    for (const ColumnRange& range : ranges)
      for_columns(range.count, f.rows * 2, f.meter, [&](u64 first, u64 count) {
        f.table().mark_missing(f.in + (range.first + first) * f.rows, f.rows, count, value_, marks);
      });
  }
  T value_;
  std::vector<ColumnRange> exposed_;
  std::vector<ColumnRange> imputed_;
};

/// Steps that first reduce every row to one number.
template <class T>
class RowwiseStep : public Step<T> {
 public:
  using Step<T>::Step;
  [[nodiscard]] u64 scratch_bytes(u64 rows) const override { return rows * sizeof(T); }

 protected:
  static void fold(const Frame<T>& f, Fold kind, T start, u64 width) {
    T* accumulator = reinterpret_cast<T*>(f.scratch);
    std::fill_n(accumulator, f.rows, start);
    for_columns(width, f.rows, f.meter,
                [&](u64 first, u64 count) { f.table().fold(kind, f.in + first * f.rows, f.rows, count, accumulator); });
  }
  static void divide(const Frame<T>& f, u64 width) {
    for_columns(width, f.rows * 4, f.meter, [&](u64 first, u64 count) {
      f.table().divide(f.in + first * f.rows, f.rows, count, reinterpret_cast<const T*>(f.scratch));
    });
  }
};

template <class T>
class SoftmaxStep final : public RowwiseStep<T> {
 public:
  SoftmaxStep(const Softmax& s, u64 width)
      : RowwiseStep<T>(width, width, 23.0 * static_cast<double>(width)),
        group_(s.group == 0 ? width : s.group),
        log_(s.log) {}
  [[nodiscard]] u64 scratch_bytes(u64 rows) const override { return 2 * rows * sizeof(T); }
  void run(const Frame<T>& f) const override {
    for (u64 first = 0; first < this->input_width(); first += group_) {
      Frame<T> group = f;
      group.in += first * f.rows;
      if (log_)
        log_of_one(group);
      else
        one(group);
    }
  }

 private:
  void one(const Frame<T>& f) const {
    this->fold(f, Fold::largest, -std::numeric_limits<T>::infinity(), group_);
    for_columns(group_, f.rows * 20, f.meter, [&](u64 first, u64 count) {
      f.table().exp_shifted(f.in + first * f.rows, f.rows, count, reinterpret_cast<const T*>(f.scratch));
    });
    this->fold(f, Fold::sum, 0, group_);
    this->divide(f, group_);
  }
  /// x - largest - log(sum of exp(x - largest)).
  void log_of_one(const Frame<T>& f) const {
    T* largest = reinterpret_cast<T*>(f.scratch);
    T* sum = largest + f.rows;
    this->fold(f, Fold::largest, -std::numeric_limits<T>::infinity(), group_);
    std::fill_n(sum, f.rows, T{0});
    for_columns(group_, f.rows * 20, f.meter,
                [&](u64 first, u64 count) { f.table().add_exp(f.in + first * f.rows, f.rows, count, largest, sum); });
    f.table().map(Map::log_from_one, 0, sum, f.rows);
    for_columns(group_, f.rows * 2, f.meter,
                [&](u64 first, u64 count) { f.table().subtract(f.in + first * f.rows, f.rows, count, largest, sum); });
  }

  u64 group_;
  bool log_;
};

template <class T>
class NormalizeStep final : public RowwiseStep<T> {
 public:
  NormalizeStep(Norm norm, u64 width) : RowwiseStep<T>(width, width, 3.0 * static_cast<double>(width)), norm_(norm) {}
  void run(const Frame<T>& f) const override {
    const Fold kind = norm_ == Norm::l1 ? Fold::absolute : norm_ == Norm::l2 ? Fold::square : Fold::largest_absolute;
    this->fold(f, kind, 0, this->input_width());
    f.table().map(norm_ == Norm::l2 ? Map::sqrt_or_one : Map::one_if_zero, 0, reinterpret_cast<T*>(f.scratch), f.rows);
    this->divide(f, this->input_width());
  }

 private:
  Norm norm_;
};

Map map_of(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::relu:
      return Map::relu;
    case ActivationKind::relu6:
      return Map::relu6;
    case ActivationKind::leaky_relu:
      return Map::leaky_relu;
    case ActivationKind::elu:
      return Map::elu;
    case ActivationKind::selu:
      return Map::selu;
    case ActivationKind::gelu:
      return Map::gelu;
    case ActivationKind::gelu_tanh:
      return Map::gelu_tanh;
    case ActivationKind::silu:
      return Map::silu;
    case ActivationKind::sigmoid:
      return Map::sigmoid;
    case ActivationKind::hard_sigmoid:
      return Map::hard_sigmoid;
    case ActivationKind::tanh:
      return Map::tanh;
    case ActivationKind::softplus:
      return Map::softplus;
    case ActivationKind::softsign:
      return Map::softsign;
    case ActivationKind::exponential:
      return Map::exp;
    case ActivationKind::erf:
      return Map::erf;
    case ActivationKind::identity:
      break;
  }
  throw base::Error(base::ExitCode::internal, "the identity activation has no kernel");
}

u64 cost_of(Map map) {
  const bool cheap = map == Map::relu || map == Map::relu6 || map == Map::leaky_relu || map == Map::hard_sigmoid ||
                     map == Map::softsign || map == Map::step;
  return cheap ? 2 : map == Map::gelu || map == Map::softplus || map == Map::erf ? 50 : 25;
}

template <class T>
std::unique_ptr<const Step<T>> map_step(u64 width, Map map, double a) {
  return pointwise<T>(width, cost_of(map), [map, a = static_cast<T>(a)](const auto& table, T* x, u64 count) {
    table.map(map, a, x, count);
  });
}

template <class T>
struct Maker {
  const StepSetting& setting;
  u64 d = setting.widths[0];
  using Result = std::unique_ptr<const Step<T>>;
  Result operator()(const Affine& s) const { return std::make_unique<AffineStep<T>>(s); }
  Result operator()(const Activation& s) const { return map_step<T>(d, map_of(s.kind), s.alpha); }
  Result operator()(const Softmax& s) const { return std::make_unique<SoftmaxStep<T>>(s, d); }
  Result operator()(const KernelExpansion& s) const { return make_kernel_step<T>(s, setting.tables); }
  Result operator()(const Impute& s) const { return std::make_unique<ImputeStep<T>>(s); }
  Result operator()(const Scale& s) const { return std::make_unique<ScaleStep<T>>(s); }
  Result operator()(const Normalize& s) const { return std::make_unique<NormalizeStep<T>>(s.norm, d); }
  Result operator()(const Clip& s) const {
    return pointwise<T>(
        d, 2, [low = static_cast<T>(s.low), high = static_cast<T>(s.high)](const auto& table, T* x, u64 count) {
          table.clip(x, count, low, high);
        });
  }
  Result operator()(const Log1p&) const { return map_step<T>(d, Map::log1p, 0); }
  Result operator()(const Binarize& s) const { return map_step<T>(d, Map::step, s.threshold); }
  Result operator()(const MarkMissing& s) const { return std::make_unique<MarkMissingStep<T>>(s, setting.exposed); }
  Result operator()(const Select& s) const { return make_select_step<T>(s, d); }
  Result operator()(const Combine& s) const { return make_combine_step<T>(s, setting.widths); }
};

}  // namespace

std::vector<ColumnRange> runs(const std::vector<bool>& columns) {
  std::vector<ColumnRange> ranges;
  for (u64 j = 0; j < columns.size(); ++j) {
    if (!columns[j]) continue;
    if (ranges.empty() || ranges.back().first + ranges.back().count != j) ranges.push_back({j, 0});
    ++ranges.back().count;
  }
  return ranges;
}

template <class T>
std::unique_ptr<const Step<T>> make_step(const Stage& stage, const StepSetting& setting) {
  return std::visit(Maker<T>{setting}, stage);
}
template std::unique_ptr<const Step<float>> make_step<float>(const Stage&, const StepSetting&);
template std::unique_ptr<const Step<double>> make_step<double>(const Stage&, const StepSetting&);

}  // namespace h5score::model
