// Arithmetic on layouts: sizes of rows, chunk grids.
#include "h5score/storage/layout.hpp"

#include "h5score/base/narrow.hpp"

#include "payload.hpp"

#include <algorithm>

namespace h5score::storage {

u64 ArrayFormat::row_elements() const {
  return base::checked_product(row_shape);
}

u64 PassthroughColumn::row_bytes() const {
  return base::checked_product(row_shape, type.size);
}

namespace {

// Calls visit(type) for the bound columns of every format, often several times for one type.
template <class Visit>
void for_each_type(const RowFormat& run, Visit visit) {
  for (const auto& format : run.formats) {
    if (format.columns.empty()) visit(format.arrays.at(run.kind == TableKind::sparse ? 1 : 0).type);
    for (const auto& column : format.columns) visit(column.field.type);
  }
}

}  // namespace

std::string RowFormat::types() const {
  std::vector<std::string> names;
  for_each_type(*this, [&](const base::ElementType& type) {
    const std::string name = to_string(type);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  });
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool RowFormat::narrows_to_float() const {
  bool narrows = false;
  for_each_type(*this, [&](const base::ElementType& type) {
    narrows |= type.size == 8 || (type.size == 4 && type.kind != base::ElementKind::floating);
  });
  return narrows;
}

ChunkGrid::ChunkGrid(const ArrayFormat& format, u64 rows)
    : shape{rows}, chunk(format.chunk), element_bytes(format.element_bytes()) {
  shape.insert(shape.end(), format.row_shape.begin(), format.row_shape.end());
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    extent.push_back((shape[axis] + chunk[axis] - 1) / chunk[axis]);
  row_slice_bytes = element_bytes;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    per_row = base::checked_mul(per_row, extent[axis]);
    row_slice_bytes = base::checked_mul(row_slice_bytes, chunk[axis]);
  }
  chunk_bytes = base::checked_mul(row_slice_bytes, chunk[0]);
}

bool ChunkGrid::fits(const ArrayFormat& format, u64 rows) const {
  return shape[0] == rows &&
         std::equal(shape.begin() + 1, shape.end(), format.row_shape.begin(), format.row_shape.end()) &&
         chunk == format.chunk && element_bytes == format.element_bytes();
}

std::vector<u64> ChunkGrid::coordinates(u64 row, u64 column) const {
  std::vector<u64> result(shape.size());
  result[0] = row;
  for (std::size_t axis = shape.size(); axis-- > 1;) {
    result[axis] = column % extent[axis];
    column /= extent[axis];
  }
  return result;
}

base::RowRange ChunkGrid::rows_in(u64 row, base::RowRange range) const {
  return {std::max(range.begin, row * chunk[0]), std::min(range.end, (row + 1) * chunk[0])};
}

bool ChunkGrid::on_edge(u64 row, u64 column) const {
  for (std::size_t axis = shape.size(); axis-- > 1; column /= extent[axis])
    if ((column % extent[axis] + 1) * chunk[axis] > shape[axis]) return true;
  return (row + 1) * chunk[0] > shape[0];
}

bool stored_plain(const ArrayFormat& format, u32 mask) {
  const u32 used = format.filters.size() >= 32 ? all_filters_skipped : (u32{1} << format.filters.size()) - 1;
  return (mask & used) == used;
}

}  // namespace h5score::storage
