// The chunks of a compressed copy: how columns are cut, and gzip with shuffle as HDF5 writes them.
#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/storage/compressed_copy.hpp"

#include "codec.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 chunk_bytes = u64{1} << 20;

template <std::size_t Size>
void shuffle_elements(const std::byte* in, u64 count, std::byte* out) {
  for (u64 i = 0; i < count; ++i)
    for (std::size_t k = 0; k < Size; ++k) out[k * count + i] = in[i * Size + k];
}

// The first bytes of all elements, then all second ones, ...
void shuffle(ByteView in, u32 size, std::byte* out) {
  const u64 count = in.size() / size;
  if (size == 2) return shuffle_elements<2>(in.data(), count, out);
  if (size == 4) return shuffle_elements<4>(in.data(), count, out);
  if (size == 8) return shuffle_elements<8>(in.data(), count, out);
  throw Error(ExitCode::internal, "elements of " + std::to_string(size) + " bytes are not shuffled");
}

}  // namespace

u64 rows_per_chunk(u64 rows, u64 row_bytes) {
  return std::clamp<u64>(chunk_bytes / std::max<u64>(row_bytes, 1), 1, std::max<u64>(rows, 1));
}

u64 CopyPlan::chunks() const {
  u64 n = 0;
  for (const auto& column : columns) n += column.chunks;
  return n;
}

CopyPlan::Chunk CopyPlan::chunk(u64 index) const {
  for (const auto& column : columns) {
    if (index < column.chunks) {
      const u64 begin = index * column.chunk_rows;
      return {column, index, {begin, std::min(rows, begin + column.chunk_rows)}};
    }
    index -= column.chunks;
  }
  throw Error(ExitCode::internal, "a compressed copy has no chunk of this number");
}

CopyPlan plan_copy(const ScoreDescription& part) {
  CopyPlan plan{.rows = part.rows, .columns = {}};
  for (u64 i = 0; i < part.columns.size(); ++i) {
    const auto& column = part.columns[i];
    const u64 row_bytes = column.row_bytes();
    if (row_bytes == 0 || part.rows == 0) continue;
    const u64 chunk_rows = rows_per_chunk(part.rows, row_bytes);
    plan.columns.push_back({.column = i,
                            .row_bytes = row_bytes,
                            .chunk_rows = chunk_rows,
                            .chunks = (part.rows + chunk_rows - 1) / chunk_rows,
                            .shuffle = column.type.numeric() && column.type.size > 1 ? column.type.size : 0});
  }
  return plan;
}

struct ChunkPacker::State {
  struct Free {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
  };
  std::unique_ptr<libdeflate_compressor, Free> compressor;
  base::AlignedBuffer full;
  base::AlignedBuffer shuffled;
};

ChunkPacker::ChunkPacker(u32 level) : state_(std::make_unique<State>()) {
  state_->compressor.reset(libdeflate_alloc_compressor(base::narrow<int>(level)));
  if (!state_->compressor) throw std::bad_alloc();
}
ChunkPacker::ChunkPacker(ChunkPacker&&) noexcept = default;
ChunkPacker& ChunkPacker::operator=(ChunkPacker&&) noexcept = default;
ChunkPacker::~ChunkPacker() = default;

u64 ChunkPacker::bound(u64 full_bytes) const {
  return libdeflate_zlib_compress_bound(state_->compressor.get(), full_bytes);
}

u64 ChunkPacker::pack(ByteView raw, const CopyPlan::Chunk& chunk, std::span<std::byte> out) {
  ByteView now = raw;
  if (raw.size() < chunk.full_bytes()) {
    state_->full.resize(chunk.full_bytes());
    std::memcpy(state_->full.data(), raw.data(), raw.size());
    std::memset(state_->full.data() + raw.size(), 0, chunk.full_bytes() - raw.size());
    now = state_->full.view();
  }
  if (chunk.column.shuffle != 0) {
    state_->shuffled.resize(now.size());
    shuffle(now, chunk.column.shuffle, state_->shuffled.data());
    now = state_->shuffled.view();
  }
  const u64 size = libdeflate_zlib_compress(state_->compressor.get(), now.data(), now.size(), out.data(), out.size());
  if (size == 0) throw Error(ExitCode::internal, "a chunk does not fit the bound of its compressed size");
  return size;
}

struct ChunkReader::State {
  Codec codec;
  base::AlignedBuffer full;
};

ChunkReader::ChunkReader() : state_(std::make_unique<State>()) {}
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;
ChunkReader& ChunkReader::operator=(ChunkReader&&) noexcept = default;
ChunkReader::~ChunkReader() = default;

u32 ChunkReader::crc(ByteView stored, const CopyPlan::Chunk& chunk) {
  std::vector<h5::Filter> filters;
  if (chunk.column.shuffle != 0) filters.push_back({h5::Filter::shuffle, "shuffle", {chunk.column.shuffle}});
  filters.push_back({h5::Filter::deflate, "deflate", {}});
  state_->full.resize(chunk.full_bytes());
  state_->codec.decode(stored, filters, 0, state_->full.span());
  return base::crc32(state_->full.view().first(chunk.bytes()));
}

}  // namespace h5score::storage
