// Payloads to rows.
#include "h5score/storage/decoder.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/chunk_pipeline.hpp"

#include "codec.hpp"
#include "convert.hpp"
#include "decoded_block.hpp"
#include "placement.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

namespace h5score::storage {
namespace {

using base::ByteView;
using base::Error;
using base::ExitCode;

[[noreturn]] void malformed(const char* why) {
  throw Error(ExitCode::internal, "a payload is malformed", why);
}

PayloadHeader read_header(ByteView payload, u64& head_bytes) {
  u64 size = 0;
  if (payload.size() < sizeof size) malformed("it has no header");
  std::memcpy(&size, payload.data(), sizeof size);
  if (size > payload.size() - sizeof size) malformed("its header is cut off");
  head_bytes = sizeof size + size;
  return base::from_bytes<PayloadHeader>(payload.subspan(sizeof size, size));
}

// Cuts the payload into its segments and checks that they are those of these rows.
void cut_segments(ByteView payload, u64 head_bytes, const PayloadHeader& header, const FileFormat& file,
                  std::vector<BlockArray>& arrays) {
  if (header.rows.end < header.rows.begin || header.rows.end > header.dataset_rows) malformed("its rows");
  if (header.arrays.size() != file.arrays.size()) malformed("its number of arrays");
  arrays.resize(file.arrays.size());
  u64 end = head_bytes;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const auto& format = file.arrays[i];
    auto& array = arrays[i];
    array.segments.clear();
    array.grid.reset();
    u64 expected = 1;
    if (format.access == Access::chunked) {
      array.grid.emplace(format, header.dataset_rows);
      expected = base::checked_mul(array.grid->chunk_rows(header.rows).size(), array.grid->per_row);
    }
    const auto& segments = header.arrays[i];
    if (segments.sizes.size() != expected) malformed("its number of segments");
    if (!segments.masks.empty() && segments.masks.size() != expected) malformed("its filter masks");
    for (const u64 size : segments.sizes) {
      const u64 offset = size == 0 ? 0 : align_up(end);
      if (size != 0 && (offset > payload.size() || size > payload.size() - offset)) malformed("a segment");
      array.segments.push_back(payload.subspan(offset, size));
      if (size != 0) end = offset + size;
    }
  }
}

u32 mask_of(const Segments& segments, u64 i) {
  return segments.masks.empty() ? 0 : segments.masks[i];
}

ChunkPart part_of(const ChunkGrid& grid, base::RowRange rows, u64 segment) {
  const u64 chunk_row = grid.chunk_rows(rows).begin + segment / grid.per_row;
  return {grid.coordinates(chunk_row, segment % grid.per_row), grid.rows_in(chunk_row, rows)};
}

// What one thread needs while it decodes a chunk.
struct Scratch {
  Codec codec;
  base::AlignedBuffer chunk;
};

}  // namespace

class Decoder::Impl {
 public:
  explicit Impl(RowFormat format) : format_(std::move(format)) {
    for (const auto& file : format_.formats) {
      auto& pipelines = pipelines_.emplace_back();
      for (const auto& array : file.arrays) {
        const bool other = array.access == Access::chunked && !Codec::handles(array.filters);
        pipelines.push_back(
            other ? std::make_unique<h5::ChunkPipeline>(h5::ChunkKind{
                        .type = array.type, .chunk = array.chunk, .filters = array.filters, .fill = array.fill})
                  : nullptr);
      }
    }
  }

  [[nodiscard]] const RowFormat& format() const { return format_; }

  u64 tasks(ByteView payload, DecodedBlock::Impl& block) const {
    u64 head_bytes = 0;
    block.header = read_header(payload, head_bytes);
    if (block.header.format >= format_.formats.size()) malformed("its format");
    block.run = &format_;
    block.file = &format_.formats[block.header.format];
    cut_segments(payload, head_bytes, block.header, *block.file, block.arrays);
    block.tasks.clear();
    for (u32 i = 0; i < block.arrays.size(); ++i) prepare(block, i);
    block.open_tasks = block.tasks.size();
    if (block.tasks.empty()) unite(block);
    return block.tasks.size();
  }

  void decode(u64 task, DecodedBlock::Impl& block) const {
    const auto& chunk = block.tasks.at(task);
    const auto& grid = *block.arrays[chunk.array].grid;
    const ChunkPart part = part_of(grid, block.header.rows, chunk.segment);
    try {
      decode_chunk(block, chunk, part);
    } catch (const Error& error) {
      std::string where = block.header.path + ": " + block.file->arrays[chunk.array].dataset + ": chunk (";
      for (std::size_t i = 0; i < part.coordinates.size(); ++i)
        where += (i == 0 ? "" : ", ") + std::to_string(part.coordinates[i] * grid.chunk[i]);
      throw error.in(where + ")");
    }
    if (block.open_tasks.fetch_sub(1) == 1) unite(block);
  }

 private:
  // Decides what a block's array needs: nothing, if its rows lie in the payload as they are.
  void prepare(DecodedBlock::Impl& block, u32 i) const {
    auto& array = block.arrays[i];
    const auto& format = block.file->arrays[i];
    const u64 bytes = base::checked_mul(block.header.rows.size(), format.row_bytes());
    const auto& first = array.segments.front();
    const u32 first_mask = mask_of(block.header.arrays[i], 0);
    const bool chunked = format.access == Access::chunked;
    const bool in_place =
        !chunked || (array.segments.size() == 1 && stored_plain(format, first_mask) && whole_rows(*array.grid));
    if (in_place && !first.empty()) {
      if (first.size() != bytes) malformed("the size of its rows");
      array.rows = first.data();
      return;
    }
    array.owned.resize(bytes);
    array.rows = array.owned.data();
    if (!chunked) {
      if (format.fill.size() != format.type.size) malformed("its fill value");
      fill_elements(format.fill, bytes / format.type.size, array.owned.data());
      return;
    }
    for (u64 segment = 0; segment < array.segments.size(); ++segment)
      block.tasks.push_back({i, mask_of(block.header.arrays[i], segment), segment});
  }

  void decode_chunk(DecodedBlock::Impl& block, const ChunkTask& task, const ChunkPart& part) const {
    auto& array = block.arrays[task.array];
    const auto& format = block.file->arrays[task.array];
    const auto& grid = *array.grid;
    const ByteView stored = array.segments[task.segment];
    const u64 first_row = block.header.rows.begin;
    std::byte* rows = array.owned.data();
    if (stored.empty()) {
      place_fill(grid, part, format.fill, rows, first_row);
      return;
    }
    if (stored_plain(format, task.mask)) {
      if (stored.size() != part.rows.size() * grid.row_slice_bytes) malformed("the size of a chunk");
      place(grid, part, stored.data(), format.type.size, rows, first_row);
      return;
    }
    auto scratch = take_scratch();
    if (whole_rows(grid) && part.rows.size() == grid.chunk[0]) {
      run_filters(block, task, *scratch,
                  {rows + (part.rows.begin - first_row) * grid.row_slice_bytes, grid.chunk_bytes});
    } else {
      scratch->chunk.resize(grid.chunk_bytes);
      run_filters(block, task, *scratch, scratch->chunk.span());
      const u64 skipped = part.rows.begin - part.coordinates[0] * grid.chunk[0];
      place(grid, part, scratch->chunk.data() + skipped * grid.row_slice_bytes, format.type.size, rows, first_row);
    }
    give_back(std::move(scratch));
  }

  void run_filters(const DecodedBlock::Impl& block, const ChunkTask& task, Scratch& scratch,
                   std::span<std::byte> out) const {
    const auto& pipeline = pipelines_[block.header.format][task.array];
    const ByteView stored = block.arrays[task.array].segments[task.segment];
    if (pipeline)
      pipeline->decode(stored, task.mask, out);
    else
      scratch.codec.decode(stored, block.file->arrays[task.array].filters, task.mask, out);
  }

  // Brings passthrough columns to the type of the output where this file has another.
  void unite(DecodedBlock::Impl& block) const {
    block.united.resize(format_.passthrough.size());
    for (std::size_t i = 0; i < format_.passthrough.size(); ++i) {
      const auto& column = format_.passthrough[i];
      const auto& type = block.file->arrays[i + 1].type;
      if (type == column.type) continue;
      const u64 elements = block.header.rows.size() * block.file->arrays[i + 1].row_elements();
      auto& out = block.united[i];
      out.resize(elements * column.type.size);
      const std::byte* from = block.arrays[i + 1].rows;
      const bool text = column.type.kind == base::ElementKind::fixed_string;
      const std::byte pad{column.type.space_padded ? u8{' '} : u8{0}};
      for (u64 e = 0; e < elements; ++e, from += type.size) {
        std::byte* to = out.data() + e * column.type.size;
        if (!text) {
          std::reverse_copy(from, from + type.size, to);
          continue;
        }
        std::copy(from, from + type.size, to);
        std::byte* end = to + type.size;
        const bool drop_spaces = type.space_padded && !column.type.space_padded;
        while (drop_spaces && end != to && end[-1] == std::byte{' '}) --end;
        std::fill(end, to + column.type.size, pad);
      }
    }
  }

  std::unique_ptr<Scratch> take_scratch() const {
    const std::lock_guard guard(lock_);
    if (idle_.empty()) return std::make_unique<Scratch>();
    auto scratch = std::move(idle_.back());
    idle_.pop_back();
    return scratch;
  }
  void give_back(std::unique_ptr<Scratch> scratch) const {
    const std::lock_guard guard(lock_);
    idle_.push_back(std::move(scratch));
  }

  RowFormat format_;
  std::vector<std::vector<std::unique_ptr<h5::ChunkPipeline>>> pipelines_;  // by format and array; null: our codec
  mutable std::mutex lock_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

DecodedBlock::DecodedBlock() : impl_(std::make_unique<Impl>()) {}
DecodedBlock::DecodedBlock(DecodedBlock&&) noexcept = default;
DecodedBlock& DecodedBlock::operator=(DecodedBlock&&) noexcept = default;
DecodedBlock::~DecodedBlock() = default;

u64 DecodedBlock::rows() const {
  return impl_->header.rows.size();
}
u64 DecodedBlock::features() const {
  return impl_->run == nullptr ? 0 : impl_->run->features;
}

template <class T>
void DecodedBlock::fill_tile(u64 first_row, u64 count, T* out, u64 stride) const {
  if (first_row + count > rows() || stride < features()) throw Error(ExitCode::internal, "a tile exceeds its block");
  const auto& format = impl_->file->arrays.front();
  convert_rows(RawRows{impl_->arrays.front().rows, format.row_bytes(), format.type},
               std::span<const ColumnRun>(impl_->run->columns), first_row, count, out, stride);
}
template void DecodedBlock::fill_tile(u64, u64, float*, u64) const;
template void DecodedBlock::fill_tile(u64, u64, double*, u64) const;

ByteView DecodedBlock::passthrough(u64 i) const {
  const auto& column = impl_->run->passthrough.at(i);
  const bool as_stored = impl_->file->arrays[i + 1].type == column.type;
  return {as_stored ? impl_->arrays[i + 1].rows : impl_->united[i].data(), rows() * column.row_bytes()};
}

Decoder::Decoder(RowFormat format) : impl_(std::make_unique<Impl>(std::move(format))) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

const RowFormat& Decoder::format() const {
  return impl_->format();
}

void Decoder::open(ByteView payload, DecodedBlock& block, const Poll& poll) const {
  const u64 count = tasks(payload, block);
  for (u64 task = 0; task < count; ++task) {
    decode(task, block);
    if (poll) poll();
  }
}

u64 Decoder::tasks(ByteView payload, DecodedBlock& block) const {
  return impl_->tasks(payload, *block.impl_);
}
void Decoder::decode(u64 task, DecodedBlock& block) const {
  impl_->decode(task, *block.impl_);
}

}  // namespace h5score::storage
