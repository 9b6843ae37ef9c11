// From rows to byte ranges.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "input_files.hpp"
#include "payload.hpp"

namespace h5score::storage {
namespace {

using base::RowRange;

// Where one segment's bytes come from; size 0 means none.
struct Piece {
  u64 address = 0;
  u64 size = 0;
};

struct ArrayRecipe {
  Segments segments;
  std::vector<Piece> pieces;  // one per segment
};

ArrayRecipe contiguous(const ArraySource& source, const ArrayFormat& format, RowRange rows) {
  const u64 row_bytes = format.row_bytes();
  if (source.facts.address == h5::no_address) return {{.sizes = {0}, .masks = {}}, {{}}};
  const u64 size = rows.size() * row_bytes;
  return {{.sizes = {size}, .masks = {}}, {{source.facts.address + rows.begin * row_bytes, size}}};
}

ArrayRecipe chunked(const ArraySource& source, const ArrayFormat& format, u64 dataset_rows, RowRange rows) {
  const ChunkGrid grid(format, dataset_rows);
  const RowRange chunk_rows = grid.chunk_rows(rows);
  ArrayRecipe recipe;
  for (u64 row = chunk_rows.begin; row < chunk_rows.end; ++row) {
    const RowRange inside = grid.rows_in(row, rows);
    for (u64 column = 0; column < grid.per_row; ++column) {
      const u64 index = (row - source.first_chunk_row) * grid.per_row + column;
      const bool absent = source.map.address[index] == h5::no_address;
      Piece piece;
      u32 mask = source.map.mask.empty() ? 0 : source.map.mask[index];
      if (!absent && (source.needed.empty() || source.needed[column])) {
        if (source.facts.raw_edges && grid.on_edge(grid.coordinates(row, column))) mask = all_filters_skipped;
        piece = {source.map.address[index], source.map.size[index]};
        if (stored_plain(format, mask)) {
          if (piece.size < grid.chunk_bytes)
            throw base::Error(base::ExitCode::data,
                              source.facts.file + ": " + source.facts.name + ": the file is damaged",
                              "an unfiltered chunk has " + std::to_string(piece.size) + " bytes instead of " +
                                  std::to_string(grid.chunk_bytes));
          piece = {piece.address + (inside.begin - row * grid.chunk[0]) * grid.row_slice_bytes,
                   inside.size() * grid.row_slice_bytes};
        }
      }
      recipe.segments.sizes.push_back(piece.size);
      recipe.segments.masks.push_back(mask);
      recipe.pieces.push_back(piece);
    }
  }
  bool masked = false;
  for (const u32 mask : recipe.segments.masks) masked |= mask != 0;
  if (!masked) recipe.segments.masks.clear();
  return recipe;
}

ArrayRecipe make(const ArraySource& source, const ArrayFormat& format, u64 dataset_rows, RowRange rows) {
  switch (format.access) {
    case Access::contiguous:
      return contiguous(source, format, rows);
    case Access::chunked:
      return chunked(source, format, dataset_rows, rows);
    case Access::served:
      break;
  }
  const u64 size = rows.size() * format.row_bytes();
  return {{.sizes = {size}, .masks = {}}, {{0, size}}};
}

// The payload begins with its header's size.
base::Bytes head_bytes(const PayloadHeader& header) {
  const base::Bytes body = base::to_bytes(header);
  base::Bytes head = base::to_bytes(static_cast<u64>(body.size()));
  head.insert(head.end(), body.begin(), body.end());
  return head;
}

}  // namespace

Recipe make_recipe(const InputFile& file, const FileFormat& format, RowRange rows) {
  PayloadHeader header{
      .format = file.format, .path = file.record.path, .dataset_rows = file.dataset_rows, .rows = rows, .arrays = {}};
  std::vector<std::vector<Piece>> pieces;
  for (std::size_t i = 0; i < file.arrays.size(); ++i) {
    auto array = make(file.arrays[i], format.arrays[i], file.dataset_rows, rows);
    header.arrays.push_back(std::move(array.segments));
    pieces.push_back(std::move(array.pieces));
  }
  Recipe recipe;
  recipe.head = head_bytes(header);
  u64 end = recipe.head.size();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto& source = file.arrays[i];
    for (const auto& piece : pieces[i]) {
      if (piece.size == 0) continue;
      const u64 offset = align_up(end);
      end = base::checked_add(offset, piece.size);
      if (format.arrays[i].access == Access::served)
        recipe.served.push_back({&source, piece.size, offset});
      else
        recipe.ranges.push_back({source.bytes.get(), {piece.address, piece.size, offset}});
    }
  }
  recipe.payload_bytes = end;
  return recipe;
}

}  // namespace h5score::storage
