// Packing and blocking of matrix products.
#include "packed_matrix.hpp"

#include "h5score/base/narrow.hpp"

namespace h5score::model {
namespace {

constexpr u64 kNarrow = kernels::kPanelColumns;
constexpr u64 kDepthBlock =
    256;  // a block of 64 float rows x 256 features is 64 KiB: it stays in the L2 cache at worst

u64 panel_width(u64 columns, u64 first) {
  return std::min(kNarrow, columns - first);
}

}  // namespace

template <class T>
PackedMatrix<T>::PackedMatrix(u64 depth, u64 columns, const std::function<double(u64, u64)>& at)
    : depth_(depth), columns_(columns), panels_(base::checked_mul(base::checked_mul(depth, columns), sizeof(T))) {
  T* out = panels_.as<T>();
  for (u64 first = 0; first < columns; first += kNarrow)
    for (u64 k = 0; k < depth; ++k)
      for (u64 j = 0; j < panel_width(columns, first); ++j) *out++ = static_cast<T>(at(k, first + j));
}

template <class T>
const T* PackedMatrix<T>::panel(u64 first_column, u64 k) const {
  return reinterpret_cast<const T*>(panels_.data()) + first_column * depth_ + k * panel_width(columns_, first_column);
}

template <class T>
void PackedMatrix<T>::multiply(const kernels::Table<T>& table, u64 rows, const T* a, u64 first, u64 count, T* c,
                               const T* init, Form form, Meter& meter) const {
  const auto kernel = form == Form::product ? table.panel_product : table.panel_distance;
  for (u64 k = 0; k == 0 || k < depth_; k += kDepthBlock) {
    const u64 depth = std::min(kDepthBlock, depth_ - k);
    for (u64 j = first; j < first + count; j += kNarrow) {
      const u64 n = panel_width(columns_, j);
      const T* start = k == 0 && init != nullptr ? init + j : nullptr;
      kernel(a + k * rows, rows, depth, panel(j, k), n, c + (j - first) * rows, start);
      meter.spend(rows * depth * n);
    }
  }
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace h5score::model
