// Compiled stages: what the evaluator runs on each tile, feature-major (see kernels/table.hpp).
#pragma once

#include "h5score/model/evaluator.hpp"

#include "kernels/table.hpp"
#include "meter.hpp"

#include <memory>
#include <vector>

namespace h5score::model {

/// One tile on its way through a step. `in` may be overwritten; `out` differs from it unless the step works in place.
template <class T>
struct Frame {
  const kernels::Tables& tables;
  u64 rows;
  T* in;
  T* out;
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
  [[nodiscard]] virtual u64 scratch_bytes(u64 /*rows*/) const { return 0; }
  [[nodiscard]] u64 input_width() const { return input_; }
  [[nodiscard]] u64 output_width() const { return output_; }
  /// Floating-point operations per row, an exponential counted as 20.
  [[nodiscard]] double flops() const { return flops_; }

 private:
  u64 input_;
  u64 output_;
  double flops_;
};

/// The stages as equivalent but cheaper ones: identities dropped, linear kernels and scalers folded into Affine,
/// products of Affines formed where that is less work. Offsets are folded only where the cancellation that this brings
/// in stays below 1e-12 (float64) or 1e-6 (float32) of the terms summed.
std::vector<Stage> simplify(const std::vector<Stage>& stages, Precision precision);

/// One step for a stage of input width d.
template <class T>
std::unique_ptr<const Step<T>> make_step(const Stage& stage, u64 d, const kernels::Tables& tables);

/// A KernelExpansion of a non-linear kernel.
template <class T>
std::unique_ptr<const Step<T>> make_kernel_step(const KernelExpansion& stage, const kernels::Tables& tables);

}  // namespace h5score::model
