// Sums per feature: in groups of columns, so that the accumulators stay in registers and each column's order of
// additions is that of its rows, whatever the compiler vectorises.
#include "h5score/model/feature_sums.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace h5score::model {
namespace {

constexpr u64 group = 8;
using Lane = std::array<double, group>;
constexpr double infinity = std::numeric_limits<double>::infinity();

// Rows of `group` columns that lie side by side.
template <class T>
struct Columns {
  const T* first;
  u64 stride;
  u64 rows;
};

// What one pass over `group` columns finds; counts are whole numbers.
struct Pass {
  Lane n{};
  Lane missing{};
  Lane sum{};
  Lane low{};
  Lane high{};
};

// All values taken as finite. One that is not makes the sum not finite: then masked_pass() says how many there are.
template <class T>
Pass plain_pass(const Columns<T>& c) {
  Pass pass;
  pass.n.fill(static_cast<double>(c.rows));
  pass.low.fill(infinity);
  pass.high.fill(-infinity);
  for (u64 r = 0; r < c.rows; ++r) {
    const T* const row = c.first + r * c.stride;
    for (u64 j = 0; j < group; ++j) {
      const double x = static_cast<double>(row[j]);
      pass.sum[j] += x;
      pass.low[j] = x < pass.low[j] ? x : pass.low[j];
      pass.high[j] = x > pass.high[j] ? x : pass.high[j];
    }
  }
  return pass;
}

template <class T>
Pass masked_pass(const Columns<T>& c) {
  Pass pass;
  pass.low.fill(infinity);
  pass.high.fill(-infinity);
  for (u64 r = 0; r < c.rows; ++r) {
    const T* const row = c.first + r * c.stride;
    for (u64 j = 0; j < group; ++j) {
      const double x = static_cast<double>(row[j]);
      const bool finite = x - x == 0;
      pass.n[j] += finite ? 1.0 : 0.0;
      pass.missing[j] += x != x ? 1.0 : 0.0;
      pass.sum[j] += finite ? x : 0.0;
      const double low = finite ? x : infinity;
      const double high = finite ? x : -infinity;
      pass.low[j] = low < pass.low[j] ? low : pass.low[j];
      pass.high[j] = high > pass.high[j] ? high : pass.high[j];
    }
  }
  return pass;
}

// Squared differences from the mean, of finite values.
template <bool masked, class T>
Lane squares_pass(const Columns<T>& c, const Lane& mean) {
  Lane squares{};
  for (u64 r = 0; r < c.rows; ++r) {
    const T* const row = c.first + r * c.stride;
    for (u64 j = 0; j < group; ++j) {
      const double x = static_cast<double>(row[j]);
      const double d = !masked || x - x == 0 ? x - mean[j] : 0.0;
      squares[j] += d * d;
    }
  }
  return squares;
}

template <class T>
Lane outside_pass(const Columns<T>& c, const Lane& low, const Lane& high) {
  Lane outside{};
  for (u64 r = 0; r < c.rows; ++r) {
    const T* const row = c.first + r * c.stride;
    for (u64 j = 0; j < group; ++j) {
      const double x = static_cast<double>(row[j]);
      outside[j] += x < low[j] ? 1.0 : 0.0;
      outside[j] += x > high[j] ? 1.0 : 0.0;
    }
  }
  return outside;
}

// Ranges of training for `count` features; without limits where they are not known.
struct Limits {
  Lane low{};
  Lane high{};
};
Limits limits_of(const FeatureRange& range, u64 feature, u64 count) {
  Limits limits;
  limits.low.fill(-infinity);
  limits.high.fill(infinity);
  const auto copy = [&](const std::vector<double>& from, Lane& to) {
    if (!from.empty()) std::copy_n(from.data() + feature, count, to.data());
  };
  copy(range.minimum, limits.low);
  copy(range.maximum, limits.high);
  return limits;
}

// Adds the first `count` of the columns to sums[0 .. count).
template <class T>
void add_columns(const Columns<T>& c, const Limits& limits, u64 count, FeatureSum* sums) {
  Pass pass = plain_pass(c);
  const auto all_finite = [](const Lane& values) {
    return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
  };
  const bool masked = !all_finite(pass.sum);
  if (masked) pass = masked_pass(c);
  Lane mean{};
  bool some_outside = false;
  for (u64 j = 0; j < group; ++j) {
    mean[j] = pass.n[j] > 0 ? pass.sum[j] / pass.n[j] : 0;
    const bool infinite = pass.n[j] + pass.missing[j] < static_cast<double>(c.rows);
    some_outside = some_outside || infinite || pass.low[j] < limits.low[j] || pass.high[j] > limits.high[j];
  }
  const Lane squares = masked ? squares_pass<true>(c, mean) : squares_pass<false>(c, mean);
  const Lane outside = some_outside ? outside_pass(c, limits.low, limits.high) : Lane{};
  for (u64 j = 0; j < count; ++j) {
    const auto n = static_cast<u64>(pass.n[j]);
    const auto missing = static_cast<u64>(pass.missing[j]);
    sums[j].merge({.n = n,
                   .missing = missing,
                   .infinite = c.rows - n - missing,
                   .outside = static_cast<u64>(outside[j]),
                   .minimum = n == 0 ? 0 : pass.low[j],
                   .maximum = n == 0 ? 0 : pass.high[j],
                   .mean = mean[j],
                   .squares = squares[j]});
  }
}

// A copy of `count` columns, filled up with zeros, with NaN for marks.
template <class T>
std::vector<double> copy_columns(const Columns<T>& c, u64 count, const std::vector<double>& marks) {
  std::vector<double> copy(c.rows * group);
  for (u64 r = 0; r < c.rows; ++r)
    for (u64 j = 0; j < count; ++j) {
      const double x = static_cast<double>(c.first[r * c.stride + j]);
      const bool marked = std::find(marks.begin(), marks.end(), x) != marks.end();
      copy[r * group + j] = marked ? std::numeric_limits<double>::quiet_NaN() : x;
    }
  return copy;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, share < 0.1 ? "%.1f %%" : "%.0f %%", share * 100);
  return text;
}

}  // namespace

double FeatureSum::stddev() const {
  return n == 0 ? 0 : std::sqrt(squares / static_cast<double>(n));
}

void FeatureSum::merge(const FeatureSum& other) {
  missing += other.missing;
  infinite += other.infinite;
  outside += other.outside;
  if (other.n == 0) return;
  if (n == 0) {
    const FeatureSum counts = *this;
    *this = other;
    missing = counts.missing;
    infinite = counts.infinite;
    outside = counts.outside;
    return;
  }
  const double here = static_cast<double>(n);
  const double there = static_cast<double>(other.n);
  const double step = other.mean - mean;
  mean += step * (there / (here + there));
  squares += other.squares + step * step * (here * there / (here + there));
  minimum = std::min(minimum, other.minimum);
  maximum = std::max(maximum, other.maximum);
  n += other.n;
}

FeatureRange feature_range(const Model& model) {
  FeatureRange range;
  if (const auto reference = training_reference(model)) {
    range.minimum = reference->minimum;
    range.maximum = reference->maximum;
  }
  // In a chain, the first stages see the features until one changes their values.
  for (const auto& stage : model.stages) {
    const auto* const mark = std::get_if<MarkMissing>(&stage);
    if (mark == nullptr || !model.inputs.empty()) break;
    range.marks.push_back(mark->value);
  }
  return range;
}

template <class T>
void FeatureSums::add(const T* values, u64 stride, u64 rows, const FeatureRange& range) {
  if (rows == 0) return;
  for (u64 feature = 0; feature < sums_.size(); feature += group) {
    const Columns<T> columns{values + feature, stride, rows};
    const u64 count = std::min(group, sums_.size() - feature);
    const Limits limits = limits_of(range, feature, count);
    FeatureSum* const sums = sums_.data() + feature;
    if (count == group && range.marks.empty()) {
      add_columns(columns, limits, count, sums);
    } else {
      const auto copy = copy_columns(columns, count, range.marks);
      add_columns(Columns<double>{copy.data(), group, rows}, limits, count, sums);
    }
  }
}

void FeatureSums::merge(std::span<const FeatureSum> other) {
  for (u64 feature = 0; feature < sums_.size(); ++feature) sums_[feature].merge(other[feature]);
}

template void FeatureSums::add(const float*, u64, u64, const FeatureRange&);
template void FeatureSums::add(const double*, u64, u64, const FeatureRange&);

FeatureComparison compare(const FeatureSum& sum, const FeatureReference* reference, u64 feature) {
  FeatureComparison result;
  if (sum.rows() < FeatureComparison::least_rows) return result;
  const auto share = [&](u64 count) { return static_cast<double>(count) / static_cast<double>(sum.rows()); };
  result.missing = share(sum.missing);
  result.infinite = share(sum.infinite);
  result.outside = share(sum.outside);
  if (reference != nullptr && !reference->mean.empty() && !reference->stddev.empty() && sum.n != 0) {
    const double step = sum.mean - reference->mean[feature];
    const double deviation = reference->stddev[feature];
    result.sigma = step == 0 || std::isnan(deviation) ? 0 : step / deviation;
  }
  result.severity = std::max(
      {std::abs(result.sigma) / FeatureComparison::most_sigma, result.missing / FeatureComparison::most_missing,
       result.infinite / FeatureComparison::most_missing, result.outside / FeatureComparison::most_outside});
  return result;
}

std::string warning_text(const FeatureSum& sum, const FeatureReference* reference, u64 feature) {
  const FeatureComparison found = compare(sum, reference, feature);
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (std::abs(found.sigma) > FeatureComparison::most_sigma) {
    const double training = reference->mean[feature];
    add("mean " + number(sum.mean) + ", training " + number(training));
    char sigma[32];
    std::snprintf(sigma, sizeof sigma, std::abs(found.sigma) < 100 ? "%+.1f" : "%+.0f", found.sigma);
    text += std::isinf(found.sigma) ? " (constant there)" : std::string(" (") + sigma + " sigma)";
  }
  if (found.missing > FeatureComparison::most_missing) add(percent(found.missing) + " missing");
  if (found.infinite > FeatureComparison::most_missing) add(percent(found.infinite) + " infinite");
  if (found.outside > FeatureComparison::most_outside) add(percent(found.outside) + " outside the training range");
  return text;
}

}  // namespace h5score::model
