// Steps that move columns or combine several inputs.
#include "step.hpp"

#include <algorithm>

namespace h5score::model {
namespace {

using kernels::Pair;

template <class T>
class SelectStep final : public Step<T> {
 public:
  SelectStep(const Select& s, u64 d)
      : Step<T>(d, s.columns.size(), static_cast<double>(s.columns.size())), columns_(s.columns) {}
  [[nodiscard]] bool in_place() const override { return false; }
  void run(const Frame<T>& f) const override {
    for_columns(columns_.size(), f.rows, f.meter, [&](u64 first, u64 count) {
      for (u64 j = first; j < first + count; ++j) std::copy_n(f.in + columns_[j] * f.rows, f.rows, f.out + j * f.rows);
    });
  }

 private:
  std::vector<u64> columns_;
};

template <class T>
class ConcatStep final : public Step<T> {
 public:
  explicit ConcatStep(std::span<const u64> widths) : ConcatStep(widths, total(widths)) {}
  [[nodiscard]] bool in_place() const override { return false; }
  void run(const Frame<T>& f) const override {
    T* out = f.out;
    for (u64 k = 0; k < widths_.size(); ++k) {
      const T* in = k == 0 ? f.in : f.others[k - 1];
      for_columns(widths_[k], f.rows, f.meter, [&](u64 first, u64 count) {
        std::copy_n(in + first * f.rows, count * f.rows, out + first * f.rows);
      });
      out += widths_[k] * f.rows;
    }
  }

 private:
  ConcatStep(std::span<const u64> widths, u64 all)
      : Step<T>(widths[0], all, static_cast<double>(all)), widths_(widths.begin(), widths.end()) {}
  static u64 total(std::span<const u64> widths) {
    u64 sum = 0;
    for (const u64 width : widths) sum += width;
    return sum;
  }
  std::vector<u64> widths_;
};

/// From the left: ((first op second) op third) ...
template <class T>
class PairsStep final : public Step<T> {
 public:
  PairsStep(Pair kind, u64 width, u64 inputs)
      : Step<T>(width, width, static_cast<double>(width) * static_cast<double>(inputs - 1)), kind_(kind) {}
  void run(const Frame<T>& f) const override {
    for (const T* other : f.others)
      for_columns(this->input_width(), f.rows, f.meter, [&](u64 first, u64 count) {
        f.table().combine(kind_, f.in + first * f.rows, other + first * f.rows, count * f.rows);
      });
  }

 private:
  Pair kind_;
};

Pair pair_of(CombineKind kind) {
  switch (kind) {
    case CombineKind::subtract:
      return Pair::subtract;
    case CombineKind::multiply:
      return Pair::multiply;
    case CombineKind::divide:
      return Pair::divide;
    case CombineKind::minimum:
      return Pair::minimum;
    case CombineKind::maximum:
      return Pair::maximum;
    default:
      return Pair::add;
  }
}

}  // namespace

template <class T>
std::unique_ptr<const Step<T>> make_select_step(const Select& stage, u64 d) {
  return std::make_unique<SelectStep<T>>(stage, d);
}
template std::unique_ptr<const Step<float>> make_select_step<float>(const Select&, u64);
template std::unique_ptr<const Step<double>> make_select_step<double>(const Select&, u64);

template <class T>
std::unique_ptr<const Step<T>> make_combine_step(const Combine& stage, std::span<const u64> widths) {
  if (stage.kind == CombineKind::concat) return std::make_unique<ConcatStep<T>>(widths);
  return std::make_unique<PairsStep<T>>(pair_of(stage.kind), widths[0], widths.size());
}
template std::unique_ptr<const Step<float>> make_combine_step<float>(const Combine&, std::span<const u64>);
template std::unique_ptr<const Step<double>> make_combine_step<double>(const Combine&, std::span<const u64>);

}  // namespace h5score::model
