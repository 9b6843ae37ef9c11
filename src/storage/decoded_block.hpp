// The inside of a DecodedBlock: its arrays and what is still to be decoded.
#pragma once

#include "h5score/storage/decoder.hpp"

#include "payload.hpp"

#include <atomic>
#include <optional>
#include <vector>

namespace h5score::storage {

/// One array of a block: whole rows in the file's type, either in `owned` or in the payload.
struct BlockArray {
  base::AlignedBuffer owned;
  const std::byte* rows = nullptr;
  std::vector<base::ByteView> segments;  ///< of the payload; chunked: one per chunk
  std::optional<ChunkGrid> grid;         ///< chunked
};

/// One chunk that a task decodes.
struct ChunkTask {
  u32 array = 0;
  u32 mask = 0;
  u64 segment = 0;
};

struct DecodedBlock::Impl {
  const RowFormat* run = nullptr;
  const FileFormat* file = nullptr;
  PayloadHeader header;
  std::vector<BlockArray> arrays;
  std::vector<ChunkTask> tasks;
  std::atomic<u64> open_tasks{0};
  std::vector<base::AlignedBuffer> united;  ///< passthrough columns whose type in this file is not the output's
};

}  // namespace h5score::storage
