// Compiled stages: what the evaluator runs on each tile, feature-major (see kernels/table.hpp).
#pragma once

#include "h5score/model/evaluator.hpp"

#include "kernels/table.hpp"
#include "meter.hpp"

#include <memory>
#include <span>
#include <vector>

namespace h5score::model {

/// One tile on its way through a step. `out` is `in` where the step works in place, else none of the inputs.
template <class T>
struct Frame {
  const kernels::Tables& tables;
  u64 rows;
  T* in;
  std::span<const T* const> others;  ///< inputs after the first
  T* out;
  T* marks;  ///< one per row: NaN once a value was marked as missing that no stage imputes
  std::byte* scratch;
  Meter& meter;

  [[nodiscard]] const kernels::Table<T>& table() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return tables.single;
    } else {
      return tables.wide;
    }
  }
};

template <class T>
class Step {
 public:
  Step(u64 input_width, u64 output_width, double flops) : input_(input_width), output_(output_width), flops_(flops) {}
  virtual ~Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  virtual void run(const Frame<T>& frame) const = 0;
  [[nodiscard]] virtual bool in_place() const { return true; }
  /// A step that does not work in place, but leaves something else in its input.
  [[nodiscard]] virtual bool spoils_input() const { return false; }
  [[nodiscard]] virtual u64 scratch_bytes(u64 /*rows*/) const { return 0; }
  /// Of the first input.
  [[nodiscard]] u64 input_width() const { return input_; }
  [[nodiscard]] u64 output_width() const { return output_; }
  /// Floating-point operations per row, an exponential counted as 20.
  [[nodiscard]] double flops() const { return flops_; }

 private:
  u64 input_;
  u64 output_;
  double flops_;
};

/// Columns [first, first + count).
struct ColumnRange {
  u64 first = 0;
  u64 count = 0;
};
/// The runs of columns that are set.
std::vector<ColumnRange> runs(const std::vector<bool>& columns);

/// What a stage becomes a step for.
struct StepSetting {
  std::span<const u64> widths;       ///< of its inputs
  const std::vector<bool>& exposed;  ///< columns of its output in which a NaN makes the row missing
  const kernels::Tables& tables;
};
template <class T>
std::unique_ptr<const Step<T>> make_step(const Stage& stage, const StepSetting& setting);

/// A KernelExpansion of a non-linear kernel.
template <class T>
std::unique_ptr<const Step<T>> make_kernel_step(const KernelExpansion& stage, const kernels::Tables& tables);
/// Steps that only move or combine columns.
template <class T>
std::unique_ptr<const Step<T>> make_select_step(const Select& stage, u64 d);
template <class T>
std::unique_ptr<const Step<T>> make_combine_step(const Combine& stage, std::span<const u64> widths);

}  // namespace h5score::model
