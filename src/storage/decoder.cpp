// Payloads to rows.
#include "h5score/storage/decoder.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/chunk_pipeline.hpp"

#include "codec.hpp"
#include "decoded_block.hpp"
#include "passthrough.hpp"
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

// Cuts what follows the head into segments.
void cut_segments(ByteView payload, u64 head_bytes, const PayloadHeader& header, std::vector<ByteView>& segments) {
  segments.clear();
  u64 end = head_bytes;
  for (const auto& array : header.arrays)
    for (const u64 size : array.sizes) {
      const u64 offset = size == 0 ? 0 : align_up(end);
      if (size != 0 && (offset > payload.size() || size > payload.size() - offset)) malformed("a segment");
      segments.push_back(payload.subspan(offset, size));
      if (size != 0) end = offset + size;
    }
}

// Which arrays' rows must follow each other as whole rows: elements of sparse tables, columns that are passed through.
std::vector<bool> arrays_together(TableKind kind, const FileFormat& file) {
  std::vector<bool> together(file.arrays.size(), kind == TableKind::sparse);
  for (const auto& field : file.passthrough) together.at(field.array) = true;
  return together;
}

// What one thread needs while it decodes a chunk.
struct Scratch {
  Codec codec;
  base::AlignedBuffer chunk;
};

}  // namespace

class Decoder::Impl {
 public:
  explicit Impl(RowFormat format)
      : shared_format_(std::make_shared<const RowFormat>(std::move(format))), format_(*shared_format_) {
    for (const auto& file : format_.formats) {
      together_.push_back(arrays_together(format_.kind, file));
      auto& pipelines = pipelines_.emplace_back();
      for (const auto& array : file.arrays) {
        const bool other = array.access == Access::chunked && !Codec::handles(array.filters);
        pipelines.push_back(
            other ? std::make_unique<h5::ChunkPipeline>(h5::ChunkKind{
                        .type = array.type, .chunk = array.chunk, .filters = array.filters, .fill = array.fill})
                  : nullptr);
      }
      auto& gathers = gathers_.emplace_back();
      auto& sparse = sparse_gathers_.emplace_back();
      for (const auto& binding : format_.bindings)
        if (format_.kind == TableKind::sparse)
          sparse.emplace_back(format_, file, binding);
        else
          gathers.emplace_back(format_, file, binding);
    }
  }

  [[nodiscard]] const RowFormat& format() const { return format_; }

  u64 tasks(ByteView payload, DecodedBlock::Impl& block) const {
    u64 head_bytes = 0;
    PayloadHeader header = read_header(payload, head_bytes);
    forget_others(header, block);
    block.header = std::move(header);
    cut_segments(payload, head_bytes, block.header, block.cut);
    return tasks(block.cut, block);
  }

  // Of block.header.
  u64 tasks(std::span<const ByteView> segments, DecodedBlock::Impl& block) const {
    const auto& header = block.header;
    if (header.format >= format_.formats.size()) malformed("its format");
    block.run = shared_format_;
    block.file = &format_.formats[header.format];
    block.gathers = &gathers_[header.format];
    block.sparse_gathers = &sparse_gathers_[header.format];
    if (header.rows.end < header.rows.begin) malformed("its rows");
    if (header.arrays.size() != block.file->arrays.size()) malformed("its number of arrays");
    block.arrays.resize(header.arrays.size());
    block.tasks.clear();
    block.rows.clear();
    for (u32 i = 0; i < block.arrays.size(); ++i) {
      const auto& own = header.arrays[i];
      if (own.rows.end < own.rows.begin || own.rows.end > own.extent) malformed("an array's rows");
      if (format_.kind != TableKind::sparse && own.rows.size() != header.rows.size()) malformed("its number of rows");
      if (own.sizes.size() > segments.size()) malformed("its number of segments");
      block.arrays[i].open(block.file->arrays[i], own, segments.first(own.sizes.size()),
                           {.together = together_[header.format][i], .own_codec = !pipelines_[header.format][i]});
      segments = segments.subspan(own.sizes.size());
      for (const u64 segment : block.arrays[i].to_decode()) block.tasks.push_back({i, segment});
      block.rows.push_back(block.arrays[i].rows());
    }
    block.open_tasks = block.tasks.size();
    if (block.tasks.empty()) complete(block);
    return block.tasks.size();
  }

  // To be called before the header of the next block replaces the last one.
  void forget_others(const PayloadHeader& next, DecodedBlock::Impl& block) const {
    if (same_source(next, block)) return;
    for (auto& array : block.arrays) array.forget();
  }

  [[nodiscard]] bool keeps(const DecodedBlock::Impl& block, const PayloadHeader& next, u64 array, u64 chunk_row) const {
    return same_source(next, block) && block.arrays[array].keeps(chunk_row);
  }

  void decode(u64 task, DecodedBlock::Impl& block) const {
    const auto& chunk = block.tasks.at(task);
    auto& array = block.arrays[chunk.array];
    const auto& pipeline = pipelines_[block.header.format][chunk.array];
    const auto& filters = block.file->arrays[chunk.array].filters;
    auto scratch = take_scratch();
    try {
      array.decode(chunk.segment, scratch->chunk, [&](ByteView stored, u32 mask, std::span<std::byte> out) {
        if (pipeline)
          pipeline->decode(stored, mask, out);
        else
          scratch->codec.decode(stored, filters, mask, out);
      });
    } catch (const Error& error) {
      std::string where = block.header.path + ": " + block.file->arrays[chunk.array].dataset + ": chunk (";
      const auto origin = array.origin(chunk.segment);
      for (std::size_t i = 0; i < origin.size(); ++i) where += (i == 0 ? "" : ", ") + std::to_string(origin[i]);
      throw error.in(where + ")");
    }
    give_back(std::move(scratch));
    if (block.open_tasks.fetch_sub(1) == 1) complete(block);
  }

 private:
  // What remains when all chunks are decoded.
  void complete(DecodedBlock::Impl& block) const {
    for (auto& array : block.arrays) array.close();
    if (format_.kind == TableKind::sparse) complete_sparse(block);
    unite(block);
  }

  void complete_sparse(DecodedBlock::Impl& block) const {
    const auto& offsets = block.header.offsets;
    const u64 elements = block.header.arrays.at(0).rows.size();
    if (offsets.size() != block.header.rows.size() + 1 || block.header.arrays.at(1).rows.size() != elements ||
        offsets.front() != 0 || offsets.back() != elements || !std::is_sorted(offsets.begin(), offsets.end()))
      malformed("where its rows begin");
    std::optional<u64> bad;
    const auto columns = table_columns(block.rows[0].data, elements, *block.file, block.sparse_columns, bad);
    if (bad) {
      const auto after = std::upper_bound(offsets.begin(), offsets.end(), *bad);
      const u64 row = block.header.rows.begin + static_cast<u64>(after - offsets.begin()) - 1;
      throw Error(ExitCode::data,
                  block.header.path + ": " + block.file->arrays[0].dataset + ": row " + std::to_string(row) +
                      " has an element in a column that does not exist",
                  "the matrix has " + std::to_string(block.file->matrix_columns) + " columns");
    }
    block.sparse = {offsets, columns, block.rows[1].data};
  }

  // Brings passthrough columns to the type of the output, each on its own, where they are not already so.
  void unite(DecodedBlock::Impl& block) const {
    block.united.resize(format_.passthrough.size());
    for (std::size_t i = 0; i < format_.passthrough.size(); ++i) {
      const auto& field = block.file->passthrough[i];
      const auto& rows = block.rows[field.array];
      if (!lies_as_output(rows, field, format_.passthrough[i]))
        copy_column(rows, field, block.header.rows.size(), format_.passthrough[i], block.united[i]);
    }
  }

  [[nodiscard]] bool same_source(const PayloadHeader& next, const DecodedBlock::Impl& block) const {
    return block.run == shared_format_ && block.header.format == next.format && block.header.path == next.path;
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

  std::shared_ptr<const RowFormat> shared_format_;  // blocks hold it too, and so know whose chunks they keep
  const RowFormat& format_;
  std::vector<std::vector<bool>> together_;                                 // by format and array
  std::vector<std::vector<std::unique_ptr<h5::ChunkPipeline>>> pipelines_;  // by format and array; null: our codec
  std::vector<std::vector<Gather>> gathers_;                                // by format and binding
  std::vector<std::vector<SparseGather>> sparse_gathers_;                   // the same of a sparse table
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
u64 DecodedBlock::features(u64 binding) const {
  return impl_->run->bindings.at(binding).features.size();
}

template <class T>
void DecodedBlock::fill_tile(u64 binding, u64 first_row, u64 count, T* out, u64 stride) const {
  if (first_row + count > rows() || stride < features(binding))
    throw Error(ExitCode::internal, "a tile exceeds its block");
  if (impl_->run->kind == TableKind::sparse)
    (*impl_->sparse_gathers)[binding].fill(impl_->sparse, first_row, count, out, stride);
  else
    (*impl_->gathers)[binding].fill(std::span<const ArrayRows>(impl_->rows), first_row, count, out, stride);
}
template void DecodedBlock::fill_tile(u64, u64, u64, float*, u64) const;
template void DecodedBlock::fill_tile(u64, u64, u64, double*, u64) const;

template <class T>
DecodedBlock::Rows<T> DecodedBlock::in_place(u64 binding) const {
  if (impl_->run->kind == TableKind::sparse) return {};
  const auto place = (*impl_->gathers)[binding].in_place<T>();
  if (!place) return {};
  const auto& rows = impl_->rows[place->array];
  if (rows.data == nullptr) return {};
  const auto* first = rows.data + place->offset;
  const bool aligned = rows.row_bytes % sizeof(T) == 0 && reinterpret_cast<std::uintptr_t>(first) % alignof(T) == 0;
  if (!aligned) return {};
  return {reinterpret_cast<const T*>(first), rows.row_bytes / sizeof(T)};
}
template DecodedBlock::Rows<float> DecodedBlock::in_place(u64) const;
template DecodedBlock::Rows<double> DecodedBlock::in_place(u64) const;

template <class T>
bool DecodedBlock::columns_in_place(u64 binding, std::vector<const std::byte*>& columns) const {
  if (impl_->run->kind == TableKind::sparse) return false;
  return (*impl_->gathers)[binding].columns_in_place<T>(std::span<const ArrayRows>(impl_->rows), columns);
}
template bool DecodedBlock::columns_in_place<float>(u64, std::vector<const std::byte*>&) const;
template bool DecodedBlock::columns_in_place<double>(u64, std::vector<const std::byte*>&) const;

ByteView DecodedBlock::passthrough(u64 i) const {
  const auto& column = impl_->run->passthrough.at(i);
  const auto& field = impl_->file->passthrough[i];
  const auto& stored = impl_->rows[field.array];
  return {lies_as_output(stored, field, column) ? stored.data : impl_->united[i].data(), rows() * column.row_bytes()};
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
u64 Decoder::tasks(const PayloadHeader& header, std::span<const ByteView> segments, DecodedBlock& block) const {
  impl_->forget_others(header, *block.impl_);
  block.impl_->header = header;
  return impl_->tasks(segments, *block.impl_);
}
bool Decoder::keeps(const DecodedBlock& block, const PayloadHeader& header, u64 array, u64 chunk_row) const {
  return impl_->keeps(*block.impl_, header, array, chunk_row);
}
void Decoder::decode(u64 task, DecodedBlock& block) const {
  impl_->decode(task, *block.impl_);
}

}  // namespace h5score::storage
