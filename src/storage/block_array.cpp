// Chunks to rows. A chunk of whole rows is left where it was decoded, and as it is stored in planes: they become rows
// when a tile is filled, in the cache.
#include "block_array.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "placement.hpp"

#include <algorithm>

namespace h5score::storage {
namespace {

using base::ByteView;
using base::RowRange;

// Longer rows are not worth the memory that they take once more as a tile is filled.
constexpr u64 most_stretched_row = u64{1} << 16;

[[noreturn]] void malformed(const char* why) {
  throw base::Error(base::ExitCode::internal, "a payload is malformed", why);
}

}  // namespace

u64 BlockArray::chunk_row(u64 segment) const {
  return grid_->chunk_rows(own_->rows).begin + segment / grid_->per_row;
}
u32 BlockArray::mask(u64 segment) const {
  return own_->masks.empty() ? 0 : own_->masks[segment];
}
bool BlockArray::filtered(u64 segment) const {
  return own_->sizes[segment] != 0 && !stored_plain(*format_, mask(segment));
}
bool BlockArray::goes_on(u64 segment) const {
  return (chunk_row(segment) + 1) * grid_->chunk[0] > own_->rows.end;
}
RowRange BlockArray::rows_in(u64 segment) const {
  return grid_->rows_in(chunk_row(segment), own_->rows);
}
std::vector<u64> BlockArray::origin(u64 segment) const {
  auto place = grid_->coordinates(chunk_row(segment), segment % grid_->per_row);
  for (std::size_t axis = 0; axis < place.size(); ++axis) place[axis] *= grid_->chunk[axis];
  return place;
}

// Shuffle is the first filter of writing, and so the last to be undone.
bool BlockArray::stays_shuffled(u64 segment) const {
  const auto& filters = format_->filters;
  const u64 size = format_->type.size;
  return in_stretches_ && own_codec_ && format_->record_bytes == 0 && (size == 2 || size == 4 || size == 8) &&
         filters[0].id == h5::Filter::shuffle && filters[0].values[0] == size && (mask(segment) & 1U) == 0;
}

void BlockArray::open(const ArrayFormat& format, const Segments& own, std::span<const ByteView> segments, Use use) {
  format_ = &format;
  own_ = &own;
  segments_ = segments;
  own_codec_ = use.own_codec;
  in_stretches_ = false;
  rows_ = nullptr;
  stretches_.clear();
  to_decode_.clear();
  u64 expected = 1;
  if (format.access == Access::chunked) {
    if (!grid_ || !grid_->fits(format, own.extent)) grid_.emplace(format, own.extent);
    expected = base::checked_mul(grid_->chunk_rows(own.rows).size(), grid_->per_row);
  }
  if (segments.size() != expected || own.sizes.size() != expected) malformed("its number of segments");
  if (!own.masks.empty() && own.masks.size() != expected) malformed("its filter masks");
  const u64 bytes = base::checked_mul(own.rows.size(), format.row_bytes());
  if (bytes == 0) return forget();
  if (format.access == Access::chunked) return open_chunks(use);
  if (!segments[0].empty()) {
    if (segments[0].size() != bytes) malformed("the size of its rows");
    rows_ = segments[0].data();
    return;
  }
  if (format.fill.size() != format.element_bytes()) malformed("its fill value");
  together_.resize(bytes);
  fill_elements(format.fill, bytes / format.element_bytes(), together_.data());
  rows_ = together_.data();
}

void BlockArray::open_chunks(Use use) {
  bool any_filtered = false;
  for (u64 segment = 0; segment < segments_.size(); ++segment) {
    any_filtered |= filtered(segment);
    const bool plain = own_->sizes[segment] != 0 && !filtered(segment);
    if (plain && segments_[segment].size() != rows_in(segment).size() * grid_->row_slice_bytes)
      malformed("the size of a chunk");
  }
  if (!keeps(chunk_row(0))) forget();
  const bool whole = whole_rows(*grid_);
  if (!any_filtered && whole && segments_.size() == 1 && own_->sizes[0] != 0) {
    rows_ = segments_[0].data();
    return forget();
  }
  in_stretches_ = any_filtered && whole && !use.together && format_->row_bytes() <= most_stretched_row;
  if (in_stretches_)
    open_stretches();
  else
    open_together();
}

void BlockArray::open_stretches() {
  if (chunks_.size() < segments_.size()) chunks_.resize(segments_.size());
  if (kept_) std::swap(chunks_[0], chunks_[kept_at_]);
  for (u64 segment = 0; segment < segments_.size(); ++segment) {
    add_stretch(segment);
    if (filtered(segment) && !(kept_ && segment == 0)) to_decode_.push_back(segment);
  }
  if (stretches_.size() != 1 || stretches_[0].plane != 0) return;
  rows_ = stretches_[0].data;
  stretches_.clear();
}

void BlockArray::add_stretch(u64 segment) {
  const RowRange rows = rows_in(segment);
  Stretch stretch{.first = rows.begin - own_->rows.begin, .rows = rows.size()};
  auto& chunk = chunks_[segment];
  if (own_->sizes[segment] == 0) {
    chunk.resize(rows.size() * grid_->row_slice_bytes);
    fill_elements(format_->fill, chunk.size() / format_->element_bytes(), chunk.data());
    stretch.data = chunk.data();
  } else if (!filtered(segment)) {
    stretch.data = segments_[segment].data();
  } else {
    chunk.resize(grid_->chunk_bytes);
    const u64 skipped = (rows.begin - chunk_row(segment) * grid_->chunk[0]) * grid_->row_slice_bytes;
    const u64 size = stays_shuffled(segment) ? format_->type.size : 1;
    stretch.data = chunk.data() + skipped / size;
    stretch.element_bytes = size;
    stretch.plane = size == 1 ? 0 : grid_->chunk_bytes / size;
  }
  stretches_.push_back(stretch);
}

void BlockArray::open_together() {
  together_.resize(own_->rows.size() * format_->row_bytes());
  rows_ = together_.data();
  if (chunks_.size() < grid_->per_row) chunks_.resize(grid_->per_row);
  for (u64 segment = 0; segment < segments_.size(); ++segment)
    if (kept_ && segment < grid_->per_row && filtered(segment))
      place_from(segment, chunks_[segment].data());
    else
      to_decode_.push_back(segment);
}

// `chunk`: the whole one, decoded.
void BlockArray::place_from(u64 segment, const std::byte* chunk) {
  const u64 row = chunk_row(segment);
  const ChunkPart part{grid_->coordinates(row, segment % grid_->per_row), rows_in(segment)};
  place(*grid_, part, chunk + (part.rows.begin - row * grid_->chunk[0]) * grid_->row_slice_bytes,
        format_->element_bytes(), together_.data(), own_->rows.begin);
}

void BlockArray::decode(u64 segment, base::AlignedBuffer& scratch, const Undo& undo) {
  const ByteView stored = segments_[segment];
  if (in_stretches_) return undo(stored, mask(segment) | (stays_shuffled(segment) ? 1U : 0U), chunks_[segment].span());
  const u64 column = segment % grid_->per_row;
  const ChunkPart part{grid_->coordinates(chunk_row(segment), column), rows_in(segment)};
  const u64 first_row = own_->rows.begin;
  if (own_->sizes[segment] == 0) return place_fill(*grid_, part, format_->fill, together_.data(), first_row);
  if (!filtered(segment))
    return place(*grid_, part, stored.data(), format_->element_bytes(), together_.data(), first_row);
  if (!goes_on(segment) && whole_rows(*grid_) && part.rows.size() == grid_->chunk[0])
    return undo(stored, mask(segment),
                {together_.data() + (part.rows.begin - first_row) * grid_->row_slice_bytes, grid_->chunk_bytes});
  auto& chunk = goes_on(segment) ? chunks_[column] : scratch;
  chunk.resize(grid_->chunk_bytes);
  undo(stored, mask(segment), chunk.span());
  place_from(segment, chunk.data());
}

void BlockArray::close() {
  forget();
  if (segments_.empty() || !grid_ || format_->access != Access::chunked || !goes_on(segments_.size() - 1)) return;
  kept_ = chunk_row(segments_.size() - 1);
  kept_at_ = in_stretches_ ? segments_.size() - 1 : 0;
}

ArrayRows BlockArray::rows() const {
  return {.data = rows_, .row_bytes = format_->row_bytes(), .stretches = stretches_};
}

}  // namespace h5score::storage
