// What the features of scored rows look like: counts, range, mean and spread per feature, to be compared with what they
// were in training. Sums of parts are merged in a fixed order, so that the figures are the same bits on any number of
// ranks and threads.
#pragma once

#include "h5score/model/model.hpp"

#include <span>
#include <string>
#include <vector>

namespace h5score::model {

/// Flat: it is sent between ranks as it lies in memory.
struct FeatureSum {
  u64 n = 0;         ///< finite values
  u64 missing = 0;   ///< NaN, or marked as missing by the model's first stages
  u64 infinite = 0;  ///< +inf or -inf
  u64 outside = 0;   ///< values, also infinite ones, outside the range of training; 0 where that is not known
  double minimum = 0;
  double maximum = 0;
  double mean = 0;
  double squares = 0;  ///< sum of squared differences from the mean
  bool operator==(const FeatureSum&) const = default;

  [[nodiscard]] u64 rows() const { return n + missing + infinite; }
  /// Of the values as a population (divided by n); 0 without values.
  [[nodiscard]] double stddev() const;
  /// Takes in the sum of other rows, by the pairwise update of Chan, Golub and LeVeque (The American Statistician 37,
  /// 1983).
  void merge(const FeatureSum& other);
};

/// What FeatureSums needs to know of a model.
struct FeatureRange {
  std::vector<double> minimum;  ///< of training; empty: not known
  std::vector<double> maximum;
  std::vector<double> marks;  ///< values that the model's first stages take as missing
};
/// Range of training_reference(), and the values of MarkMissing stages that see the features as they come.
FeatureRange feature_range(const Model& model);

/// One FeatureSum per feature.
class FeatureSums {
 public:
  explicit FeatureSums(u64 features = 0) : sums_(features) {}

  /// Adds `rows` rows: row-major, `stride` elements from row to row. In double whatever T is; mean and squares in two
  /// passes, so that a large mean costs no digits. `range` may be empty but for its marks.
  template <class T>
  void add(const T* values, u64 stride, u64 rows, const FeatureRange& range);
  /// Takes in the sums of the rows that follow; both must have as many features.
  void merge(std::span<const FeatureSum> other);
  void clear() { sums_.assign(sums_.size(), {}); }

  [[nodiscard]] std::span<const FeatureSum> sums() const { return sums_; }

 private:
  std::vector<FeatureSum> sums_;
};

extern template void FeatureSums::add(const float*, u64, u64, const FeatureRange&);
extern template void FeatureSums::add(const double*, u64, u64, const FeatureRange&);

/// A feature beside what it was in training.
struct FeatureComparison {
  static constexpr u64 least_rows = 10;         ///< fewer say nothing
  static constexpr double most_sigma = 3;       ///< of the mean, in standard deviations of training
  static constexpr double most_missing = 0.05;  ///< share of the rows, missing or infinite
  static constexpr double most_outside = 0.10;  ///< share of the rows
  double sigma = 0;    ///< (mean - training mean) / training deviation; 0 where not known, infinite where that is 0
  double missing = 0;  ///< shares of the rows
  double infinite = 0;
  double outside = 0;
  double severity = 0;  ///< the largest of the above, each over its limit; more than 1: worth a warning
};
/// `reference` may be null; only its vectors that are not empty count.
FeatureComparison compare(const FeatureSum& sum, const FeatureReference* reference, u64 feature);
/// "mean 24.9, training 23.1 (+4.1 sigma), 31 % missing": what compare() objects to; empty where nothing.
std::string warning_text(const FeatureSum& sum, const FeatureReference* reference, u64 feature);

}  // namespace h5score::model
