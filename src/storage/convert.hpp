// Stored elements to float or double.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/storage/layout.hpp"

#include <span>

namespace h5score::storage {

/// Rows of stored elements that follow each other in memory.
struct RawRows {
  const std::byte* data = nullptr;
  u64 row_bytes = 0;
  base::ElementType type;
};

/// Converts the given columns of rows [first, first + count) to T, `stride` elements from row to row, and zeroes the
/// columns behind them.
template <class T>
void convert_rows(const RawRows& rows, std::span<const ColumnRun> columns, u64 first, u64 count, T* out, u64 stride);

extern template void convert_rows(const RawRows&, std::span<const ColumnRun>, u64, u64, float*, u64);
extern template void convert_rows(const RawRows&, std::span<const ColumnRun>, u64, u64, double*, u64);

}  // namespace h5score::storage
