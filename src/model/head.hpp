// Compiled head: from the last stage's columns to labels, decision values and probabilities, always computed in double.
#pragma once

#include "h5score/model/evaluator.hpp"

#include "kernels/table.hpp"
#include "meter.hpp"

#include <vector>

namespace h5score::model {

/// One tile at the head. `z`: rows x width(), feature-major. `status` holds the input's flags and is completed.
struct HeadFrame {
  const kernels::Table<double>& table;
  u64 rows;
  u64 valid_rows;
  const double* z;
  double* scratch;  ///< scratch_columns() * rows
  base::u8* status;
  const TileResults& results;
  Meter& meter;
};

class HeadEvaluator {
 public:
  /// `width`: columns of the last stage; `precision`: type of the floating results.
  HeadEvaluator(const Head& head, u64 width, Precision precision);
  [[nodiscard]] const std::vector<ResultColumn>& columns() const { return columns_; }
  [[nodiscard]] u64 width() const { return width_; }
  [[nodiscard]] u64 scratch_columns() const;
  [[nodiscard]] double flops() const;
  void run(const HeadFrame& frame) const;

 private:
  void add_column(ResultKind kind, u64 width, bool matrix);
  [[nodiscard]] u64 probability_width() const { return head_.kind == HeadKind::binary ? 2 : classes_; }
  void probabilities(const HeadFrame& f, double* p) const;
  void binary_probabilities(const HeadFrame& f, double* p) const;
  void softmax(const HeadFrame& f, double* p) const;
  void normalized_sigmoid(const HeadFrame& f, double* p) const;
  void coupled(const HeadFrame& f, double* p) const;
  void couple(const HeadFrame& f, const double* r, double* p) const;
  void decision_ovr(const HeadFrame& f, double* decision) const;
  [[nodiscard]] std::int32_t label(const HeadFrame& f, u64 row, const double* p, std::vector<u64>& votes) const;
  void write_labels(const HeadFrame& f, const double* p) const;
  void write(const HeadFrame& f, const double* values, u64 width, std::byte* to) const;

  struct {
    HeadKind kind;
    Link link;
    bool decision_ovr;
    bool label_by_probability;
  } head_;
  std::vector<double> prob_a_, prob_b_;
  u64 width_;
  u64 classes_;
  double threshold_;
  bool wide_;  ///< results are float64
  std::vector<ResultColumn> columns_;
};

}  // namespace h5score::model
