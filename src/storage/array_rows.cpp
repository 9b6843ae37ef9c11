// From stretches to rows.
#include "array_rows.hpp"

#include "unshuffle.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::storage {
namespace {

// The same bytes of `rows` rows; without gaps on either side they are one long row.
struct Box {
  u64 rows = 0;
  u64 size = 0;
  u64 from_stride = 0;
  u64 to_stride = 0;
};

void copy_box(const Stretch& stretch, u64 at, Box box, std::byte* out) {
  if (box.size == box.from_stride && box.size == box.to_stride) box = {1, box.rows * box.size, 0, 0};
  for (u64 row = 0; row < box.rows; ++row, at += box.from_stride, out += box.to_stride)
    if (stretch.plane == 0)
      std::memcpy(out, stretch.data + at, box.size);
    else
      unshuffle(stretch.data + at / stretch.element_bytes, stretch.plane, stretch.element_bytes,
                box.size / stretch.element_bytes, out);
}

}  // namespace

void copy_stretches(const ArrayRows& from, base::RowRange rows, u64 offset, u64 size, std::byte* out, u64 stride) {
  auto stretch = std::upper_bound(from.stretches.begin(), from.stretches.end(), rows.begin,
                                  [](u64 row, const Stretch& s) { return row < s.first + s.rows; });
  for (u64 row = rows.begin; row < rows.end; ++stretch) {
    const u64 inside = row - stretch->first;
    const u64 count = std::min(rows.end - row, stretch->rows - inside);
    copy_box(*stretch, inside * from.row_bytes + offset, {count, size, from.row_bytes, stride}, out);
    row += count;
    out += count * stride;
  }
}

}  // namespace h5score::storage
