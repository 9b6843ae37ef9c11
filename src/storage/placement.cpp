// Copies boxes of elements: every axis but the first may be split by the chunk grid.
#include "placement.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::storage {
namespace {

// Calls visit(offset in the chunk, offset in the dataset's row, bytes) for every contiguous run of one row.
class RowRuns {
 public:
  RowRuns(const ChunkGrid& grid, const std::vector<u64>& coordinates, u64 element_size) {
    // Trailing axes that the chunk covers wholly form one run with the axis before them.
    std::size_t inner = grid.shape.size() - 1;
    u64 inner_elements = 1;
    while (inner > 1 && grid.chunk[inner] == grid.shape[inner]) inner_elements *= grid.shape[inner--];
    u64 chunk_stride = element_size * inner_elements;
    u64 row_stride = chunk_stride;
    for (std::size_t axis = inner; axis >= 1; --axis) {
      const u64 origin = coordinates[axis] * grid.chunk[axis];
      const u64 extent = std::min(grid.chunk[axis], grid.shape[axis] - origin);
      start_ += origin * row_stride;
      if (axis == inner)
        run_bytes_ = extent * chunk_stride;
      else
        axes_.push_back({extent, chunk_stride, row_stride});
      chunk_stride *= grid.chunk[axis];
      row_stride *= grid.shape[axis];
    }
    if (inner == 0) run_bytes_ = element_size;  // one dimension: a row is one element
  }

  template <class Visit>
  void for_each(Visit visit) const {
    walk(axes_.size(), 0, start_, visit);
  }

 private:
  struct Axis {
    u64 extent;
    u64 chunk_stride;
    u64 row_stride;
  };
  template <class Visit>
  void walk(std::size_t level, u64 in_chunk, u64 in_row, Visit& visit) const {
    if (level == 0) {
      visit(in_chunk, in_row, run_bytes_);
      return;
    }
    const auto& axis = axes_[level - 1];
    for (u64 i = 0; i < axis.extent; ++i)
      walk(level - 1, in_chunk + i * axis.chunk_stride, in_row + i * axis.row_stride, visit);
  }
  std::vector<Axis> axes_;  // from the inside out
  u64 start_ = 0;
  u64 run_bytes_ = 0;
};

u64 row_bytes_of(const ChunkGrid& grid, u64 element_size) {
  u64 bytes = element_size;
  for (std::size_t axis = 1; axis < grid.shape.size(); ++axis) bytes *= grid.shape[axis];
  return bytes;
}

}  // namespace

bool whole_rows(const ChunkGrid& grid) {
  return std::equal(grid.shape.begin() + 1, grid.shape.end(), grid.chunk.begin() + 1);
}

void place(const ChunkGrid& grid, const ChunkPart& part, const std::byte* chunk, u64 element_size, std::byte* block,
           u64 first_row) {
  const u64 row_bytes = row_bytes_of(grid, element_size);
  std::byte* out = block + (part.rows.begin - first_row) * row_bytes;
  if (whole_rows(grid)) {
    std::memcpy(out, chunk, part.rows.size() * row_bytes);
    return;
  }
  const RowRuns runs(grid, part.coordinates, element_size);
  for (u64 row = 0; row < part.rows.size(); ++row, out += row_bytes, chunk += grid.row_slice_bytes)
    runs.for_each([&](u64 from, u64 to, u64 bytes) { std::memcpy(out + to, chunk + from, bytes); });
}

void place_fill(const ChunkGrid& grid, const ChunkPart& part, base::ByteView fill, std::byte* block, u64 first_row) {
  const u64 row_bytes = row_bytes_of(grid, fill.size());
  std::byte* out = block + (part.rows.begin - first_row) * row_bytes;
  if (whole_rows(grid)) {
    fill_elements(fill, part.rows.size() * (row_bytes / fill.size()), out);
    return;
  }
  const RowRuns runs(grid, part.coordinates, fill.size());
  for (u64 row = 0; row < part.rows.size(); ++row, out += row_bytes)
    runs.for_each([&](u64, u64 to, u64 bytes) { fill_elements(fill, bytes / fill.size(), out + to); });
}

void fill_elements(base::ByteView element, u64 count, std::byte* out) {
  const u64 bytes = count * element.size();
  if (std::all_of(element.begin(), element.end(), [](std::byte b) { return b == std::byte{0}; })) {
    std::memset(out, 0, bytes);
    return;
  }
  if (bytes == 0) return;
  std::memcpy(out, element.data(), element.size());
  for (u64 done = element.size(); done < bytes;) {  // doubling
    const u64 more = std::min(done, bytes - done);
    std::memcpy(out + done, out, more);
    done += more;
  }
}

}  // namespace h5score::storage
