// Products with few outputs, computed on rows where they lie: no transposition stands between the data and the dot
// product, which is all that linear and logistic models do.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/model/stage.hpp"

#include "kernels/table.hpp"
#include "meter.hpp"

#include <vector>

namespace h5score::model {

/// At most a tile of the caller's rows, row-major.
template <class T>
struct Rows {
  const T* first;
  u64 stride;
  u64 count;
  [[nodiscard]] T at(u64 row, u64 column) const { return first[row * stride + column]; }
};

/// The same, column by column: row i is element `first` + i of each column.
template <class T>
struct Columns {
  const T* const* column;
  u64 first;
  u64 count;
  [[nodiscard]] T at(u64 row, u64 j) const { return column[j][first + row]; }
};

template <class T>
class RowProduct {
 public:
  /// Whether it pays, and 16 rows fit between two polls.
  static bool suits(const Affine& affine);
  explicit RowProduct(const Affine& affine);
  [[nodiscard]] u64 outputs() const { return bias_.size(); }
  /// out = rows W + bias, feature-major with `tile_rows` rows, a multiple of 16 >= rows.count.
  void run(const kernels::Table<T>& table, const Rows<T>& rows, u64 tile_rows, T* out, Meter& meter) const;
  void run(const kernels::Table<T>& table, const Columns<T>& rows, u64 tile_rows, T* out, Meter& meter) const;

 private:
  u64 depth_;
  base::AlignedBuffer weights_;
  std::vector<T> bias_;
};

}  // namespace h5score::model
