// From rows to byte ranges.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "assignment.hpp"
#include "input_files.hpp"
#include "payload.hpp"

namespace h5score::storage {
namespace {

using base::RowRange;

// What a payload holds of one chunk, or of an array that has none.
struct StoredSegment {
  u64 address = 0;
  u64 size = 0;  // 0: none
  u32 mask = 0;
};

[[noreturn]] void wrong_chunk(const ArraySource& source, u64 size) {
  throw base::Error(base::ExitCode::data, source.facts.file + ": " + source.facts.name + ": the file is damaged",
                    "an unfiltered chunk has " + std::to_string(size) + " bytes instead of " +
                        std::to_string(source.grid->chunk_bytes));
}

StoredSegment chunk_segment(const ArraySource& source, const ArrayFormat& format, RowRange rows, u64 row, u64 column) {
  const ChunkGrid& grid = *source.grid;
  const u64 index = (row - source.first_chunk_row) * grid.per_row + column;
  StoredSegment segment{.mask = source.map.mask.empty() ? 0 : source.map.mask[index]};
  const bool absent = source.map.address[index] == h5::no_address;
  if (absent || !(source.needed.empty() || source.needed[column])) return segment;
  if (source.facts.raw_edges && grid.on_edge(row, column)) segment.mask = all_filters_skipped;
  segment.address = source.map.address[index];
  segment.size = source.map.size[index];
  if (!stored_plain(format, segment.mask)) return segment;
  if (segment.size < grid.chunk_bytes) wrong_chunk(source, segment.size);
  const RowRange inside = grid.rows_in(row, rows);
  segment.address += (inside.begin - row * grid.chunk[0]) * grid.row_slice_bytes;
  segment.size = inside.size() * grid.row_slice_bytes;
  return segment;
}

// Calls visit(segment) for the segments of one array in the payload's order.
template <class Visit>
void for_each_segment(const ArraySource& source, const ArrayFormat& format, RowRange rows, Visit visit) {
  const u64 bytes = rows.size() * format.row_bytes();
  if (format.access == Access::served) {
    visit(StoredSegment{.size = bytes});
  } else if (format.access == Access::contiguous) {
    const bool absent = source.facts.address == h5::no_address;
    visit(absent ? StoredSegment{}
                 : StoredSegment{.address = source.facts.address + rows.begin * format.row_bytes(), .size = bytes});
  } else {
    const RowRange chunk_rows = source.grid->chunk_rows(rows);
    for (u64 row = chunk_rows.begin; row < chunk_rows.end; ++row)
      for (u64 column = 0; column < source.grid->per_row; ++column)
        visit(chunk_segment(source, format, rows, row, column));
  }
}

// True if a segment cannot be read by other processes.
bool enclosed(const ArraySource& source, const ArrayFormat& format) {
  return format.access == Access::served || source.bytes->ours_alone;
}

// Bytes that follow each other, each segment at a multiple of 64.
class Places {
 public:
  u64 add(u64 size) {
    const u64 offset = align_up(end_);
    end_ = base::checked_add(offset, size);
    return offset;
  }
  [[nodiscard]] u64 end() const { return end_; }

 private:
  u64 end_ = 0;
};

// Makes headers, or only finds their size.
class Maker {
 public:
  Maker(const InputFile& file, const FileFormat& format, RowRange rows) : file_(file), format_(format), rows_(rows) {}

  // As base::to_bytes() makes it.
  u64 head_bytes(bool assignment) {
    u64 bytes = sizeof(u64) + sizeof(u32) + sizeof(u64) + file_.record.path.size() + 2 * sizeof(u64);
    bytes += sizeof(u64) + (file_.sparse ? rows_.size() + 1 : 0) * sizeof(u64) + sizeof(u64);
    if (assignment) bytes += sizeof(u64);
    for (std::size_t i = 0; i < file_.arrays.size(); ++i) {
      u64 segments = 0;
      bool masked = false;
      each(i, [&](const StoredSegment& segment) {
        ++segments;
        masked |= segment.mask != 0;
        if ((!assignment || enclosed(i)) && segment.size != 0) places_.add(segment.size);
      });
      bytes += 5 * sizeof(u64) + segments * (sizeof(u64) + (masked ? sizeof(u32) : 0));
      if (assignment) bytes += sizeof(u32) + sizeof(u64) + segments * sizeof(u64);
    }
    return bytes;
  }
  [[nodiscard]] u64 total(u64 head) const { return places_.end() == 0 ? head : align_up(head) + places_.end(); }

  Assignment make() {
    Assignment made;
    made.header = {.format = file_.format, .path = file_.record.path, .rows = rows_, .offsets = {}, .arrays = {}};
    if (file_.sparse) {
      const u64* offsets = &file_.sparse->offsets[rows_.begin - file_.record.dataset_row];
      for (u64 row = 0; row <= rows_.size(); ++row) made.header.offsets.push_back(offsets[row] - offsets[0]);
    }
    for (std::size_t i = 0; i < file_.arrays.size(); ++i) make_array(i, made);
    return made;
  }
  [[nodiscard]] bool enclosed(std::size_t i) const { return storage::enclosed(file_.arrays[i], format_.arrays[i]); }

 private:
  template <class Visit>
  void each(std::size_t i, Visit visit) const {
    for_each_segment(file_.arrays[i], format_.arrays[i], file_.rows_of(i, rows_), visit);
  }

  void make_array(std::size_t i, Assignment& made) const {
    auto& segments = made.header.arrays.emplace_back();
    auto& assigned = made.arrays.emplace_back();
    segments.rows = file_.rows_of(i, rows_);
    segments.extent = file_.arrays[i].facts.shape[0];
    if (!enclosed(i)) assigned.file = file_.arrays[i].file;
    bool masked = false;
    each(i, [&](const StoredSegment& segment) {
      segments.sizes.push_back(segment.size);
      segments.masks.push_back(segment.mask);
      assigned.addresses.push_back(segment.address);
      masked |= segment.mask != 0;
    });
    if (!masked) segments.masks.clear();
  }

  const InputFile& file_;
  const FileFormat& format_;
  RowRange rows_;
  Places places_;
};

// A head begins with the size of what follows.
template <class Body>
base::Bytes head_of(const Body& contents) {
  const base::Bytes body = base::to_bytes(contents);
  base::Bytes head = base::to_bytes(static_cast<u64>(body.size()));
  head.insert(head.end(), body.begin(), body.end());
  return head;
}

// Gives every segment that `wanted` its place behind the head.
template <class Wanted>
void place_segments(const Assignment& made, u64 head_bytes, Wanted wanted, Recipe& recipe) {
  Places places;
  const u64 begin = align_up(head_bytes);
  for (std::size_t i = 0; i < made.arrays.size(); ++i) {
    const auto& sizes = made.header.arrays[i].sizes;
    for (std::size_t k = 0; wanted(i) && k < sizes.size(); ++k)
      if (sizes[k] != 0)
        recipe.pieces.push_back({i, made.arrays[i].addresses[k], sizes[k], begin + places.add(sizes[k])});
  }
  recipe.bytes = recipe.pieces.empty() ? head_bytes : begin + places.end();
}

}  // namespace

Recipe payload_recipe(const InputFile& file, const FileFormat& format, RowRange rows) {
  Recipe recipe;
  const Assignment made = Maker(file, format, rows).make();
  recipe.head = head_of(made.header);
  place_segments(
      made, recipe.head.size(), [](std::size_t) { return true; }, recipe);
  return recipe;
}

Recipe assignment_recipe(const InputFile& file, const FileFormat& format, RowRange rows) {
  Recipe recipe;
  Maker maker(file, format, rows);
  Assignment made = maker.make();
  place_segments(
      made, maker.head_bytes(true), [&](std::size_t i) { return maker.enclosed(i); }, recipe);
  for (const auto& piece : recipe.pieces)  // an array that is enclosed has one segment
    made.arrays[piece.array].addresses = {piece.offset};
  recipe.head = head_of(made);
  return recipe;
}

u64 payload_bytes(const InputFile& file, const FileFormat& format, RowRange rows) {
  Maker maker(file, format, rows);
  return maker.total(maker.head_bytes(false));
}

u64 assignment_bytes(const InputFile& file, const FileFormat& format, RowRange rows) {
  Maker maker(file, format, rows);
  return maker.total(maker.head_bytes(true));
}

}  // namespace h5score::storage
