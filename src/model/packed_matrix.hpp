// The one seam through which all matrix products go: weights packed once into panels, multiplied with feature-major
// tiles.
#pragma once

#include "h5score/base/aligned_buffer.hpp"

#include "kernels/table.hpp"
#include "meter.hpp"

#include <functional>

namespace h5score::model {

enum class Form : base::u8 {
  product,   ///< sum_k a_k w_kj
  distance,  ///< sum_k (a_k - w_kj)^2
};

/// Constant depth x columns matrix W of the evaluation precision.
template <class T>
class PackedMatrix {
 public:
  /// Reads element (k, j) from `at`.
  PackedMatrix(u64 depth, u64 columns, const std::function<double(u64 k, u64 j)>& at);
  [[nodiscard]] u64 depth() const { return depth_; }
  [[nodiscard]] u64 columns() const { return columns_; }

  /// c = init + a W for columns [first, first + count), cut at multiples of kPanelColumns; `init` has one entry per
  /// column of W, `c` begins at column `first`. A null init continues from c.
  void multiply(const kernels::Table<T>& table, u64 rows, const T* a, u64 first, u64 count, T* c, const T* init,
                Form form, Meter& meter) const;

 private:
  [[nodiscard]] const T* panel(u64 first_column, u64 k) const;
  u64 depth_;
  u64 columns_;
  base::AlignedBuffer panels_;
};

}  // namespace h5score::model
