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
template <class T>
constexpr T kLeastPairProbability = static_cast<T>(1e-7);  // LIBSVM's min_prob

template <class Value>
void put(std::byte* to, u64 index, Value value) {
  std::memcpy(to + index * sizeof value, &value, sizeof value);
}

}  // namespace

template <class T>
HeadEvaluator<T>::HeadEvaluator(const Head& head, u64 width)
    : head_{head.kind, head.link, head.decision_ovr && class_count(head.classes) > 2, head.label_by_probability},
      prob_a_(head.prob_a.begin(), head.prob_a.end()),
      prob_b_(head.prob_b.begin(), head.prob_b.end()),
      width_(width),
      classes_(class_count(head.classes)),
      threshold_(static_cast<T>(head.link == Link::identity ? 0.5 : 0)) {
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

template <class T>
void HeadEvaluator<T>::add_column(ResultKind kind, u64 width, bool matrix) {
  const base::ElementType floating{base::ElementKind::floating, sizeof(T)};
  const auto type = kind == ResultKind::label ? kLabelType : kind == ResultKind::status ? kStatusType : floating;
  columns_.push_back({kind, type, width, matrix});
}

template <class T>
TileResults HeadEvaluator<T>::behind(TileResults results, u64 row) const {
  std::byte** const places[] = {&results.prediction, &results.label, &results.probability, &results.decision,
                                &results.status};
  for (const ResultColumn& column : columns_) {
    std::byte*& place = *places[static_cast<u64>(column.kind)];
    if (place != nullptr) place += row * column.row_bytes();
  }
  return results;
}

template <class T>
u64 HeadEvaluator<T>::work_columns() const {
  return std::max({width_, classes_, u64{2}});
}

template <class T>
u64 HeadEvaluator<T>::scratch_columns() const {
  const u64 probability = head_.link == Link::none ? 0 : probability_width();
  return 1 + work_columns() + probability;  // accumulator; work; probabilities
}

template <class T>
double HeadEvaluator<T>::flops() const {
  const auto width = static_cast<double>(width_);
  const auto classes = static_cast<double>(classes_);
  double flops = 3 * width;
  if (head_.link != Link::none && head_.link != Link::identity) flops += 25 * width;
  if (head_.link == Link::platt && classes_ > 2) flops += 20 * 5 * classes * classes;  // some 20 sweeps
  return flops;
}

template <class T>
void HeadEvaluator<T>::run(Frame f) const {
  complete_status(f);
  T* work = f.scratch + f.rows;
  T* p = work + work_columns() * f.rows;
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

template <class T>
void HeadEvaluator<T>::complete_status(Frame& f) const {
  f.meter.spend(f.rows * width_);
  if (f.table.all_finite(f.z, f.rows * width_)) return;
  T* accumulator = f.scratch;
  std::fill_n(accumulator, f.rows, T{0});
  f.table.mark_nonfinite(f.z, f.rows, width_, accumulator);
  for (u64 i = 0; i < f.valid_rows; ++i)
    if (f.status[i] == status_ok && std::isnan(accumulator[i])) f.status[i] = status_nonfinite;
  f.all_ok = false;
}

template <class T>
void HeadEvaluator<T>::probabilities(const Frame& f, T* p) const {
  f.meter.spend(f.rows * width_ * 25);
  if (head_.kind == HeadKind::binary) return binary_probabilities(f, p);
  if (head_.link == Link::normalized_sigmoid) return normalized_sigmoid(f, p);
  if (head_.link == Link::platt) return coupled(f, p);
  std::copy_n(f.z, f.rows * width_, p);
  if (head_.link == Link::softmax) f.table.softmax(p, f.rows, width_);
  if (head_.link == Link::sigmoid) f.table.map(Map::sigmoid, 0, p, f.rows * width_);
}

// Both sides are accurate, also next to 0 and 1, where the link is a function of z.
template <class T>
void HeadEvaluator<T>::binary_probabilities(const Frame& f, T* p) const {
  T* p0 = p;
  T* p1 = p + f.rows;
  const T factor = head_.link == Link::softmax ? T{2} : T{1};  // softmax is over (-z, z)
  if (head_.link == Link::platt) {
    for (u64 i = 0; i < f.rows; ++i) p1[i] = -(prob_a_[0] * f.z[i] + prob_b_[0]);
  } else {
    for (u64 i = 0; i < f.rows; ++i) p1[i] = factor * f.z[i];
  }
  if (head_.link == Link::identity) {
    for (u64 i = 0; i < f.rows; ++i) p0[i] = 1 - p1[i];
    return;
  }
  for (u64 i = 0; i < f.rows; ++i) p0[i] = -p1[i];
  f.table.map(Map::sigmoid, 0, p, f.rows * 2);
  if (head_.link != Link::platt) return;
  f.table.clip(p, f.rows * 2, kLeastPairProbability<T>, 1 - kLeastPairProbability<T>);
  couple(f, p0, p);  // scikit-learn's copy of LIBSVM couples two classes, too
}

// Where every sigmoid underflows to 0 scikit-learn divides 0 by 0; the classes are then equally likely here.
template <class T>
void HeadEvaluator<T>::normalized_sigmoid(const Frame& f, T* p) const {
  T* sum = f.scratch;
  std::copy_n(f.z, f.rows * width_, p);
  f.table.map(Map::sigmoid, 0, p, f.rows * width_);
  std::fill_n(sum, f.rows, T{0});
  f.table.fold(Fold::sum, p, f.rows, width_, sum);
  for (u64 i = 0; i < f.rows; ++i) {
    if (sum[i] != 0) continue;
    for (u64 j = 0; j < width_; ++j) p[j * f.rows + i] = 1;
    sum[i] = static_cast<T>(width_);
  }
  f.table.divide(p, f.rows, width_, sum);
}

template <class T>
void HeadEvaluator<T>::coupled(const Frame& f, T* p) const {
  T* r = f.scratch + f.rows;
  for (u64 pair = 0; pair < width_; ++pair)
    for (u64 i = 0; i < f.rows; ++i) r[pair * f.rows + i] = -(prob_a_[pair] * f.z[pair * f.rows + i] + prob_b_[pair]);
  f.table.map(Map::sigmoid, 0, r, f.rows * width_);
  f.table.clip(r, f.rows * width_, kLeastPairProbability<T>, 1 - kLeastPairProbability<T>);
  if (classes_ > 2) return couple(f, r, p);
  for (u64 i = 0; i < f.rows; ++i) {  // LIBSVM 3.24 does not couple two classes
    p[i] = r[i];
    p[f.rows + i] = 1 - r[i];
  }
}

// `r`: pairwise probabilities, one column per pair; may be the first columns of p.
template <class T>
void HeadEvaluator<T>::couple(const Frame& f, const T* r, T* p) const {
  Coupling coupling(classes_);
  std::vector<double> pairwise(width_);
  for (u64 i = 0; i < f.valid_rows; ++i) {
    if (f.status[i] != status_ok) continue;
    for (u64 pair = 0; pair < width_; ++pair) pairwise[pair] = static_cast<double>(r[pair * f.rows + i]);
    const std::vector<double>& row = coupling(pairwise);
    for (u64 j = 0; j < classes_; ++j) p[j * f.rows + i] = static_cast<T>(row[j]);
    f.meter.spend(classes_ * classes_ * 100 * 8);  // scalar code: one element at a time
  }
}

// As sklearn.utils.multiclass._ovr_decision_function(z < 0, -z, c): votes plus confidences squashed into (-1/3, 1/3).
template <class T>
void HeadEvaluator<T>::decision_ovr(const Frame& f, T* decision) const {
  std::vector<double> votes(classes_);
  std::vector<double> confidence(classes_);
  for (u64 row = 0; row < f.valid_rows; ++row) {
    std::fill(votes.begin(), votes.end(), 0);
    std::fill(confidence.begin(), confidence.end(), 0);
    u64 pair = 0;
    for (u64 i = 0; i < classes_; ++i)
      for (u64 j = i + 1; j < classes_; ++j, ++pair) {
        const auto z = static_cast<double>(f.z[pair * f.rows + row]);
        confidence[i] += z;
        confidence[j] -= z;
        votes[z < 0 ? j : i] += 1;
      }
    for (u64 c = 0; c < classes_; ++c)
      decision[c * f.rows + row] = static_cast<T>(votes[c] + confidence[c] / (3 * (std::abs(confidence[c]) + 1)));
    f.meter.spend(width_ * 8);
  }
}

// LIBSVM's rule: a pair's value above 0 votes for its first class; the first of the classes with most votes wins.
template <class T>
void HeadEvaluator<T>::votes(const Frame& f, i32* label) const {
  std::vector<u64> votes(classes_);
  for (u64 row = 0; row < f.valid_rows; ++row) {
    std::fill(votes.begin(), votes.end(), 0);
    u64 pair = 0;
    for (u64 i = 0; i < classes_; ++i)
      for (u64 j = i + 1; j < classes_; ++j, ++pair) ++votes[f.z[pair * f.rows + row] > 0 ? i : j];
    label[row] = static_cast<i32>(std::max_element(votes.begin(), votes.end()) - votes.begin());
  }
}

template <class T>
void HeadEvaluator<T>::write_labels(const Frame& f, const T* p) const {
  auto* label = reinterpret_cast<i32*>(f.scratch + f.rows);
  u64 n = 1;
  if (head_.kind == HeadKind::multilabel) {
    n = width_;
    f.table.above(f.z, f.rows * n, threshold_, label);
  } else if (head_.kind == HeadKind::binary || head_.kind == HeadKind::one_class) {
    f.table.above(f.z, f.rows, threshold_, label);
  } else if (head_.label_by_probability) {
    f.table.first_largest(p, f.rows, classes_, label);
  } else if (head_.kind == HeadKind::one_vs_one) {
    votes(f, label);
  } else {
    f.table.first_largest(f.z, f.rows, width_, label);
  }
  auto* out = reinterpret_cast<unsigned char*>(f.results.label);
  f.tables.single.to_rows(reinterpret_cast<const float*>(label), f.rows, f.valid_rows, n, out);
  f.meter.spend(f.valid_rows * width_ * 4);
  for (u64 i = 0; !f.all_ok && i < f.valid_rows; ++i)
    for (u64 j = 0; f.status[i] != status_ok && j < n; ++j) put(f.results.label, i * n + j, i32{-1});
}

template <class T>
void HeadEvaluator<T>::write(const Frame& f, const T* values, u64 width, std::byte* to) const {
  f.table.to_rows(values, f.rows, f.valid_rows, width, reinterpret_cast<unsigned char*>(to));
  f.meter.spend(f.valid_rows * width * 4);
  for (u64 i = 0; !f.all_ok && i < f.valid_rows; ++i)
    for (u64 j = 0; f.status[i] != status_ok && j < width; ++j)
      put(to, i * width + j, std::numeric_limits<T>::quiet_NaN());
}

template class HeadEvaluator<float>;
template class HeadEvaluator<double>;

}  // namespace h5score::model
