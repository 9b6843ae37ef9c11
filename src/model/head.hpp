// Compiled head: from the last stage's columns to labels, decision values and probabilities, in the evaluation's
// precision.
#pragma once

#include "h5score/model/evaluator.hpp"

#include "kernels/table.hpp"
#include "meter.hpp"

#include <vector>

namespace h5score::model {

/// One tile at the head. `z`: rows x width(), feature-major. `status` holds the input's flags and is completed.
template <class T>
struct HeadFrame {
  const kernels::Tables& tables;
  const kernels::Table<T>& table;
  u64 rows;
  u64 valid_rows;
  const T* z;
  T* scratch;  ///< scratch_columns() * rows
  base::u8* status;
  bool all_ok;  ///< no row has a flag so far
  const TileResults& results;
  Meter& meter;
};

template <class T>
class HeadEvaluator {
 public:
  using Frame = HeadFrame<T>;
  /// `width`: columns of the last stage.
  HeadEvaluator(const Head& head, u64 width);
  [[nodiscard]] const std::vector<ResultColumn>& columns() const { return columns_; }
  [[nodiscard]] u64 width() const { return width_; }
  [[nodiscard]] u64 scratch_columns() const;
  [[nodiscard]] double flops() const;
  void run(Frame frame) const;
  /// Where the results from `row` on go, for results that begin at `results`.
  [[nodiscard]] TileResults behind(TileResults results, u64 row) const;

 private:
  void add_column(ResultKind kind, u64 width, bool matrix);
  [[nodiscard]] u64 probability_width() const { return head_.kind == HeadKind::binary ? 2 : classes_; }
  [[nodiscard]] u64 work_columns() const;
  void complete_status(Frame& f) const;
  void probabilities(const Frame& f, T* p) const;
  void binary_probabilities(const Frame& f, T* p) const;
  void normalized_sigmoid(const Frame& f, T* p) const;
  void coupled(const Frame& f, T* p) const;
  void couple(const Frame& f, const T* r, T* p) const;
  void decision_ovr(const Frame& f, T* decision) const;
  void votes(const Frame& f, std::int32_t* label) const;
  void write_labels(const Frame& f, const T* p) const;
  void write(const Frame& f, const T* values, u64 width, std::byte* to) const;

  struct {
    HeadKind kind;
    Link link;
    bool decision_ovr;
    bool label_by_probability;
  } head_;
  std::vector<T> prob_a_, prob_b_;
  u64 width_;
  u64 classes_;
  T threshold_;
  std::vector<ResultColumn> columns_;
};

}  // namespace h5score::model
