// Labels, decision values and probabilities. What several libraries do differently follows scikit-learn 1.2 and
// LIBSVM 3.
#include "head.hpp"

#include "coupling.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace h5score::model {
namespace {

using i32 = std::int32_t;
using kernels::Fold;
using kernels::Map;

constexpr base::ElementType kLabelType{base::ElementKind::signed_integer, 4};
constexpr base::ElementType kStatusType{base::ElementKind::unsigned_integer, 1};
constexpr double kLeastPairProbability = 1e-7;  // LIBSVM's min_prob

/// First index of the largest of n values, `stride` apart.
u64 first_largest(const double* values, u64 n, u64 stride) {
  u64 best = 0;
  for (u64 j = 1; j < n; ++j)
    if (values[j * stride] > values[best * stride]) best = j;
  return best;
}

void put_label(std::byte* to, u64 index, i32 label) {
  std::memcpy(to + index * sizeof label, &label, sizeof label);
}

}  // namespace

HeadEvaluator::HeadEvaluator(const Head& head, u64 width, Precision precision)
    : head_{head.kind, head.link, head.decision_ovr && class_count(head.classes) > 2, head.label_by_probability},
      prob_a_(head.prob_a),
      prob_b_(head.prob_b),
      width_(width),
      classes_(class_count(head.classes)),
      threshold_(head.link == Link::identity ? 0.5 : 0),
      wide_(precision == Precision::float64) {
  if (head.kind == HeadKind::values) {
    add_column(ResultKind::prediction, width, width > 1);
  } else {
    const bool multilabel = head.kind == HeadKind::multilabel;
    add_column(ResultKind::label, multilabel ? classes_ : 1, multilabel);
    if (head.link != Link::none) add_column(ResultKind::probability, probability_width(), true);
    const bool vector = head.kind == HeadKind::binary || head.kind == HeadKind::one_class;
    if (head.link != Link::identity) add_column(ResultKind::decision, head_.decision_ovr ? classes_ : width, !vector);
  }
  add_column(ResultKind::status, 1, false);
}

void HeadEvaluator::add_column(ResultKind kind, u64 width, bool matrix) {
  const base::ElementType floating{base::ElementKind::floating, wide_ ? 8U : 4U};
  const auto type = kind == ResultKind::label ? kLabelType : kind == ResultKind::status ? kStatusType : floating;
  columns_.push_back({kind, type, width, matrix});
}

u64 HeadEvaluator::scratch_columns() const {
  const u64 probability = head_.link == Link::none ? 0 : probability_width();
  return 2 + std::max({width_, classes_, u64{2}}) + probability;  // accumulator, spare; work; probabilities
}

double HeadEvaluator::flops() const {
  const auto width = static_cast<double>(width_);
  const auto classes = static_cast<double>(classes_);
  double flops = 3 * width;
  if (head_.link != Link::none && head_.link != Link::identity) flops += 25 * width;
  if (head_.link == Link::platt && classes_ > 2) flops += 20 * 5 * classes * classes;  // some 20 sweeps
  return flops;
}

void HeadEvaluator::run(const HeadFrame& f) const {
  double* accumulator = f.scratch;
  double* work = f.scratch + 2 * f.rows;
  double* p = work + std::max({width_, classes_, u64{2}}) * f.rows;
  std::fill_n(accumulator, f.rows, 0.0);
  f.table.mark_nonfinite(f.z, f.rows, width_, accumulator);
  for (u64 i = 0; i < f.valid_rows; ++i)
    if (f.status[i] == status_ok && std::isnan(accumulator[i])) f.status[i] = status_nonfinite;
  f.meter.spend(f.rows * width_);

  const bool need_p = head_.link != Link::none &&
                      (f.results.probability != nullptr || (f.results.label != nullptr && head_.label_by_probability));
  if (need_p) probabilities(f, p);
  if (f.results.probability != nullptr && need_p) write(f, p, probability_width(), f.results.probability);
  if (f.results.label != nullptr && head_.kind != HeadKind::values) write_labels(f, p);
  if (f.results.prediction != nullptr && head_.kind == HeadKind::values) write(f, f.z, width_, f.results.prediction);
  if (f.results.decision != nullptr && head_.kind != HeadKind::values && head_.link != Link::identity) {
    if (head_.decision_ovr) decision_ovr(f, work);
    write(f, head_.decision_ovr ? work : f.z, head_.decision_ovr ? classes_ : width_, f.results.decision);
  }
  if (f.results.status != nullptr) std::memcpy(f.results.status, f.status, f.valid_rows);
}

void HeadEvaluator::probabilities(const HeadFrame& f, double* p) const {
  f.meter.spend(f.rows * width_ * 25);
  if (head_.kind == HeadKind::binary) return binary_probabilities(f, p);
  if (head_.link == Link::softmax) return softmax(f, p);
  if (head_.link == Link::normalized_sigmoid) return normalized_sigmoid(f, p);
  if (head_.link == Link::platt) return coupled(f, p);
  std::copy_n(f.z, f.rows * width_, p);
  if (head_.link == Link::sigmoid) f.table.map(Map::sigmoid, 0, p, f.rows * width_);
}

void HeadEvaluator::binary_probabilities(const HeadFrame& f, double* p) const {
  double* p0 = p;
  double* p1 = p + f.rows;
  for (u64 i = 0; i < f.rows; ++i) {
    const double z = f.z[i];
    if (head_.link == Link::softmax) {  // over (-z, z): both sides accurate
      p1[i] = 2 * z;
      p0[i] = -2 * z;
    } else {
      p1[i] = head_.link == Link::platt ? -(prob_a_[0] * z + prob_b_[0]) : z;
    }
  }
  if (head_.link != Link::identity) f.table.map(Map::sigmoid, 0, p1, f.rows);
  if (head_.link == Link::softmax) return f.table.map(Map::sigmoid, 0, p0, f.rows);
  if (head_.link == Link::platt) f.table.clip(p1, f.rows, kLeastPairProbability, 1 - kLeastPairProbability);
  for (u64 i = 0; i < f.rows; ++i) p0[i] = 1 - p1[i];
  if (head_.link == Link::platt) couple(f, p0, p);  // scikit-learn's copy of LIBSVM couples two classes, too
}

void HeadEvaluator::softmax(const HeadFrame& f, double* p) const {
  double* accumulator = f.scratch;
  std::copy_n(f.z, f.rows * width_, p);
  std::fill_n(accumulator, f.rows, -std::numeric_limits<double>::infinity());
  f.table.fold(Fold::largest, p, f.rows, width_, accumulator);
  f.table.exp_shifted(p, f.rows, width_, accumulator);
  std::fill_n(accumulator, f.rows, 0.0);
  f.table.fold(Fold::sum, p, f.rows, width_, accumulator);
  f.table.divide(p, f.rows, width_, accumulator);
}

// Where every sigmoid underflows to 0 scikit-learn divides 0 by 0; the classes are then equally likely here.
void HeadEvaluator::normalized_sigmoid(const HeadFrame& f, double* p) const {
  double* sum = f.scratch;
  std::copy_n(f.z, f.rows * width_, p);
  f.table.map(Map::sigmoid, 0, p, f.rows * width_);
  std::fill_n(sum, f.rows, 0.0);
  f.table.fold(Fold::sum, p, f.rows, width_, sum);
  for (u64 i = 0; i < f.rows; ++i) {
    if (sum[i] != 0) continue;
    for (u64 j = 0; j < width_; ++j) p[j * f.rows + i] = 1;
    sum[i] = static_cast<double>(width_);
  }
  f.table.divide(p, f.rows, width_, sum);
}

void HeadEvaluator::coupled(const HeadFrame& f, double* p) const {
  double* r = f.scratch + 2 * f.rows;
  for (u64 pair = 0; pair < width_; ++pair)
    for (u64 i = 0; i < f.rows; ++i) r[pair * f.rows + i] = -(prob_a_[pair] * f.z[pair * f.rows + i] + prob_b_[pair]);
  f.table.map(Map::sigmoid, 0, r, f.rows * width_);
  f.table.clip(r, f.rows * width_, kLeastPairProbability, 1 - kLeastPairProbability);
  if (classes_ > 2) return couple(f, r, p);
  for (u64 i = 0; i < f.rows; ++i) {  // LIBSVM 3.24 does not couple two classes
    p[i] = r[i];
    p[f.rows + i] = 1 - r[i];
  }
}

// `r`: pairwise probabilities, one column per pair; may be the first columns of p.
void HeadEvaluator::couple(const HeadFrame& f, const double* r, double* p) const {
  Coupling coupling(classes_);
  std::vector<double> pairwise(width_);
  for (u64 i = 0; i < f.valid_rows; ++i) {
    if (f.status[i] != status_ok) continue;
    for (u64 pair = 0; pair < width_; ++pair) pairwise[pair] = r[pair * f.rows + i];
    const std::vector<double>& row = coupling(pairwise);
    for (u64 j = 0; j < classes_; ++j) p[j * f.rows + i] = row[j];
    f.meter.spend(classes_ * classes_ * 100 * 8);  // scalar code: one element at a time
  }
}

// As sklearn.utils.multiclass._ovr_decision_function(z < 0, -z, c): votes plus confidences squashed into (-1/3, 1/3).
void HeadEvaluator::decision_ovr(const HeadFrame& f, double* decision) const {
  std::vector<double> votes(classes_);
  std::vector<double> confidence(classes_);
  for (u64 row = 0; row < f.valid_rows; ++row) {
    std::fill(votes.begin(), votes.end(), 0);
    std::fill(confidence.begin(), confidence.end(), 0);
    u64 pair = 0;
    for (u64 i = 0; i < classes_; ++i)
      for (u64 j = i + 1; j < classes_; ++j, ++pair) {
        const double z = f.z[pair * f.rows + row];
        confidence[i] += z;
        confidence[j] -= z;
        votes[z < 0 ? j : i] += 1;
      }
    for (u64 c = 0; c < classes_; ++c)
      decision[c * f.rows + row] = votes[c] + confidence[c] / (3 * (std::abs(confidence[c]) + 1));
    f.meter.spend(width_ * 8);
  }
}

std::int32_t HeadEvaluator::label(const HeadFrame& f, u64 row, const double* p, std::vector<u64>& votes) const {
  const double* z = f.z + row;
  switch (head_.kind) {
    case HeadKind::binary:
    case HeadKind::one_class:
      return z[0] > threshold_ ? 1 : 0;
    case HeadKind::one_vs_one: {
      if (head_.label_by_probability) return static_cast<i32>(first_largest(p + row, classes_, f.rows));
      std::fill(votes.begin(), votes.end(), 0);
      u64 pair = 0;
      for (u64 i = 0; i < classes_; ++i)
        for (u64 j = i + 1; j < classes_; ++j, ++pair) ++votes[z[pair * f.rows] > 0 ? i : j];
      return static_cast<i32>(std::max_element(votes.begin(), votes.end()) - votes.begin());
    }
    default:
      return static_cast<i32>(first_largest(z, width_, f.rows));
  }
}

void HeadEvaluator::write_labels(const HeadFrame& f, const double* p) const {
  std::vector<u64> votes(classes_);
  const u64 n = head_.kind == HeadKind::multilabel ? width_ : 1;
  for (u64 i = 0; i < f.valid_rows; ++i) {
    const bool ok = f.status[i] == status_ok;
    for (u64 j = 0; j < n; ++j) {
      const bool set = f.z[j * f.rows + i] > threshold_;
      const i32 value = head_.kind == HeadKind::multilabel ? i32{set} : ok ? label(f, i, p, votes) : 0;
      put_label(f.results.label, i * n + j, ok ? value : -1);
    }
  }
  f.meter.spend(f.valid_rows * width_ * 4);
}

void HeadEvaluator::write(const HeadFrame& f, const double* values, u64 width, std::byte* to) const {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (u64 i = 0; i < f.valid_rows; ++i)
    for (u64 j = 0; j < width; ++j) {
      const double value = f.status[i] == status_ok ? values[j * f.rows + i] : nan;
      if (wide_) {
        std::memcpy(to + (i * width + j) * sizeof value, &value, sizeof value);
      } else {
        const float single = static_cast<float>(value);
        std::memcpy(to + (i * width + j) * sizeof single, &single, sizeof single);
      }
    }
  f.meter.spend(f.valid_rows * width * 4);
}

}  // namespace h5score::model
