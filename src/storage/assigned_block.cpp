// Cutting of assignments.
#include "assigned_block.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::storage {
namespace {

using base::ByteView;
using base::Error;
using base::ExitCode;
using base::RowRange;

constexpr u64 tile_rows = 256;
// What a read brought is still in the L2 cache when it is scored. Short reads cost more than that saves.
constexpr u64 piece_bytes = u64{512} << 10;
constexpr u64 read_bytes = u64{32} << 10;
constexpr u64 most_piece_bytes = u64{4} << 20;
// Mapped rows are in no cache before they are scored: fewer system calls are all that counts. Columns need some for
// each; small chunks of many are better copied one after another.
constexpr u64 mapped_piece_bytes = u64{2} << 20;
constexpr u64 mapped_columns_bytes = u64{16} << 20;
constexpr u64 mapped_column_unit = u64{64} << 10;
constexpr u64 most_mapped_columns = 128;
constexpr u64 most_mapped_reads = 8;

[[noreturn]] void malformed(const char* why) {
  throw Error(ExitCode::internal, "an assignment is malformed", why);
}

Assignment read_head(ByteView bytes) {
  u64 size = 0;
  if (bytes.size() < sizeof size) malformed("it has no head");
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size > bytes.size() - sizeof size) malformed("its head is cut off");
  return base::from_bytes<Assignment>(bytes.subspan(sizeof size, size));
}

u32 mask_of(const Segments& segments, u64 i) {
  return segments.masks.empty() ? 0 : segments.masks[i];
}

u64 mapped_bytes(u64 reads) {
  if (reads <= 1) return mapped_piece_bytes;
  const u64 each = mapped_columns_bytes / reads / mapped_column_unit * mapped_column_unit;
  return std::max(each, mapped_column_unit) * reads;
}

// Down to whole tiles, but at least one.
u64 whole_tiles(u64 rows) {
  return std::max(tile_rows, rows / tile_rows * tile_rows);
}

}  // namespace

void AssignedBlock::open(ByteView bytes, const RowFormat& run, u64 files) {
  bytes_ = bytes;
  whole_ = read_head(bytes);
  check(run, files);
}

void AssignedBlock::check(const RowFormat& run, u64 files) {
  const auto& header = whole_.header;
  if (header.format >= run.formats.size()) malformed("its format");
  format_ = &run.formats[header.format];
  const bool sparse = run.kind == TableKind::sparse;
  if (header.rows.end < header.rows.begin || header.arrays.size() != format_->arrays.size() ||
      whole_.arrays.size() != format_->arrays.size() || header.offsets.size() != (sparse ? rows() + 1 : 0))
    malformed("its rows or arrays");
  grids_.resize(format_->arrays.size());
  for (std::size_t i = 0; i < grids_.size(); ++i) {
    const auto& format = format_->arrays[i];
    const auto& own = header.arrays[i];
    const auto& assigned = whole_.arrays[i];
    const u64 expected_rows = sparse && i < 2 ? header.offsets.back() : rows();
    if (own.rows.end < own.rows.begin || own.rows.size() != expected_rows || own.rows.end > own.extent)
      malformed("an array's rows");
    u64 segments = 1;
    if (format.access == Access::chunked) {
      if (!grids_[i] || !grids_[i]->fits(format, own.extent)) grids_[i].emplace(format, own.extent);
      segments = base::checked_mul(grids_[i]->chunk_rows(own.rows).size(), grids_[i]->per_row);
    } else {
      grids_[i].reset();
    }
    const bool fits = own.sizes.size() == segments && assigned.addresses.size() == segments &&
                      (own.masks.empty() || own.masks.size() == segments) &&
                      (assigned.file < files || assigned.file == AssignedArray::enclosed);
    if (!fits) malformed("an array's segments");
  }
}

void AssignedBlock::choose_size(const RowFormat& run, const Maps& maps) {
  row_bytes_ = run.kind == TableKind::sparse ? sizeof(u64) : 0;
  element_bytes_ = 0;
  chunk_rows_ = 0;
  maps_ = std::any_of(whole_.arrays.begin(), whole_.arrays.end(), [&](const AssignedArray& array) {
    return array.file != AssignedArray::enclosed && maps(array.file);
  });
  bool in_place = true;  // a piece lies within one chunk
  u64 reads = 0;         // of chunks with filters there are as many whatever a piece's size is
  u64 largest = 0;
  for (std::size_t i = 0; i < grids_.size(); ++i) {
    const auto& format = format_->arrays[i];
    if (format.filters.empty()) reads += grids_[i] ? grids_[i]->per_row : 1;
    if (run.kind == TableKind::sparse && i < 2) {
      element_bytes_ += format.element_bytes();
      continue;
    }
    row_bytes_ += format.row_bytes();
    in_place &= !grids_[i] ||
                (format.filters.empty() && grids_[i]->per_row == 1 && grids_[i]->chunk_bytes >= mapped_piece_bytes);
    if (!grids_[i] || !format.filters.empty() || format.row_bytes() <= largest) continue;
    largest = format.row_bytes();
    chunk_rows_ = grids_[i]->chunk[0];
  }
  maps_ &= reads <= (in_place ? most_mapped_columns : most_mapped_reads);
  most_bytes_ = maps_ && in_place && reads > 0
                    ? mapped_bytes(reads)
                    : std::clamp(base::checked_mul(reads, read_bytes), piece_bytes, most_piece_bytes);
}

u64 AssignedBlock::piece_end(u64 begin) const {
  if (element_bytes_ != 0) return std::min(sparse_end(begin), rows());
  u64 most = whole_tiles(most_bytes_ / std::max<u64>(1, row_bytes_));
  if (chunk_rows_ != 0) {  // rows of one chunk can be used where they lie
    const u64 first = whole_.header.rows.begin + begin;
    const u64 chunk_end = (first + most) / chunk_rows_ * chunk_rows_;
    if (chunk_end > first) most = whole_tiles(chunk_end - first);
  }
  return std::min(begin + most, rows());
}

u64 AssignedBlock::sparse_end(u64 begin) const {
  const auto& offsets = whole_.header.offsets;
  const u64 most_elements = most_bytes_ / element_bytes_;
  const u64 most_rows = whole_tiles(most_bytes_ / row_bytes_);
  const auto from = offsets.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto past = std::upper_bound(from, offsets.end(), *from + most_elements);
  return begin + std::min(most_rows, whole_tiles(static_cast<u64>(past - from) - 1));
}

void AssignedBlock::cut(RowRange rows, Assignment& part, const Keeps& keeps) const {
  const auto& header = whole_.header;
  part.header.format = header.format;
  part.header.path = header.path;
  part.header.rows = {header.rows.begin + rows.begin, header.rows.begin + rows.end};
  part.header.arrays.resize(header.arrays.size());
  part.arrays.resize(header.arrays.size());
  part.header.offsets.clear();
  RowRange elements;
  if (!header.offsets.empty()) {
    elements = {header.offsets[rows.begin], header.offsets[rows.end]};
    for (u64 row = rows.begin; row <= rows.end; ++row)
      part.header.offsets.push_back(header.offsets[row] - elements.begin);
  }
  for (std::size_t i = 0; i < grids_.size(); ++i)
    cut_array(i, !header.offsets.empty() && i < 2 ? elements : rows, part, keeps);
}

void AssignedBlock::cut_array(std::size_t i, RowRange rows, Assignment& part, const Keeps& keeps) const {
  const auto& whole = whole_.header.arrays[i];
  auto& segments = part.header.arrays[i];
  auto& assigned = part.arrays[i];
  segments.rows = {whole.rows.begin + rows.begin, whole.rows.begin + rows.end};
  segments.extent = whole.extent;
  segments.sizes.clear();
  segments.masks.clear();
  assigned.file = whole_.arrays[i].file;
  assigned.addresses.clear();
  if (grids_[i]) {
    const u64 first = grids_[i]->chunk_rows(segments.rows).begin;
    cut_chunks(i, segments.rows, part, keeps && keeps(part.header, i, first));
    return;
  }
  const u64 row_bytes = format_->arrays[i].row_bytes();
  const bool absent = whole.sizes[0] == 0;
  if (!absent && whole.sizes[0] != base::checked_mul(whole.rows.size(), row_bytes)) malformed("the size of its rows");
  segments.sizes.push_back(absent ? 0 : rows.size() * row_bytes);
  assigned.addresses.push_back(whole_.arrays[i].addresses[0] + rows.begin * row_bytes);
}

void AssignedBlock::cut_chunks(std::size_t i, RowRange rows, Assignment& part, bool first_kept) const {
  const ChunkGrid& grid = *grids_[i];
  const auto& whole = whole_.header.arrays[i];
  auto& segments = part.header.arrays[i];
  const RowRange chunk_rows = grid.chunk_rows(rows);
  const u64 first = grid.chunk_rows(whole.rows).begin;
  for (u64 row = chunk_rows.begin; row < chunk_rows.end; ++row) {
    const RowRange had = grid.rows_in(row, whole.rows);
    const RowRange wanted = grid.rows_in(row, rows);
    for (u64 column = 0; column < grid.per_row; ++column) {
      const u64 k = (row - first) * grid.per_row + column;
      u64 size = whole.sizes[k];
      u64 address = whole_.arrays[i].addresses[k];
      if (size != 0 && stored_plain(format_->arrays[i], mask_of(whole, k))) {
        if (size != had.size() * grid.row_slice_bytes) malformed("the size of a chunk");
        address += (wanted.begin - had.begin) * grid.row_slice_bytes;
        size = wanted.size() * grid.row_slice_bytes;
      } else if (size != 0 && first_kept && row == chunk_rows.begin) {
        address = kept;
      }
      segments.sizes.push_back(size);
      if (!whole.masks.empty()) segments.masks.push_back(whole.masks[k]);
      part.arrays[i].addresses.push_back(address);
    }
  }
}

ByteView AssignedBlock::enclosed(u64 address, u64 size) const {
  if (size == 0) return {};
  if (address > bytes_.size() || size > bytes_.size() - address) malformed("a segment");
  return bytes_.subspan(address, size);
}

}  // namespace h5score::storage
