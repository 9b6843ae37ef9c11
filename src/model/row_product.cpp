// Packing of weights for rows that are read in place.
#include "row_product.hpp"

#include <algorithm>

namespace h5score::model {
namespace {

constexpr u64 kMostOutputs = 4;  // more are computed as fast by panels of a transposed tile
constexpr u64 kMostWeights = u64{1} << 15U;

}  // namespace

template <class T>
bool RowProduct<T>::suits(const Affine& affine) {
  return affine.weights.cols <= kMostOutputs && affine.weights.rows * affine.weights.cols <= kMostWeights;
}

template <class T>
RowProduct<T>::RowProduct(const Affine& affine) : depth_(affine.weights.rows), bias_(affine.weights.cols) {
  constexpr u64 lanes = 64 / sizeof(T);
  const u64 outputs = affine.weights.cols;
  const u64 size = (depth_ + lanes - 1) / lanes * lanes * outputs;
  weights_.resize(size * sizeof(T));
  std::fill_n(weights_.as<T>(), size, T{0});
  for (u64 k = 0; k < depth_; ++k)
    for (u64 j = 0; j < outputs; ++j)
      weights_.as<T>()[(k / lanes * outputs + j) * lanes + k % lanes] =
          static_cast<T>(affine.weights.values[k * outputs + j]);
  std::transform(affine.bias.begin(), affine.bias.end(), bias_.begin(), [](double v) { return static_cast<T>(v); });
}

template <class T>
void RowProduct<T>::run(const kernels::Table<T>& table, const Rows<T>& rows, u64 tile_rows, T* out,
                        Meter& meter) const {
  table.row_product(rows.first, rows.stride, rows.count, tile_rows, depth_, reinterpret_cast<const T*>(weights_.data()),
                    outputs(), bias_.data(), out);
  meter.spend(tile_rows * depth_ * outputs());
}

template <class T>
void RowProduct<T>::run(const kernels::Table<T>& table, const Columns<T>& rows, u64 tile_rows, T* out,
                        Meter& meter) const {
  table.column_product(rows.column, rows.first, rows.count, tile_rows, depth_,
                       reinterpret_cast<const T*>(weights_.data()), outputs(), bias_.data(), out);
  meter.spend(tile_rows * depth_ * outputs());
}

template class RowProduct<float>;
template class RowProduct<double>;

}  // namespace h5score::model
