// The inside of a DecodedBlock: its arrays and what is still to be decoded.
#pragma once

#include "h5score/storage/decoder.hpp"

#include "block_array.hpp"
#include "gather.hpp"
#include "payload.hpp"
#include "sparse_rows.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace h5score::storage {

/// One chunk that a task decodes.
struct ChunkTask {
  u32 array = 0;
  u64 segment = 0;
};

struct DecodedBlock::Impl {
  std::shared_ptr<const RowFormat> run;
  const FileFormat* file = nullptr;
  const std::vector<Gather>* gathers = nullptr;               ///< one for each binding; sparse: none
  const std::vector<SparseGather>* sparse_gathers = nullptr;  ///< the same of a sparse table
  PayloadHeader header;
  std::vector<base::ByteView> cut;  ///< a payload's segments
  std::vector<BlockArray> arrays;
  std::vector<ChunkTask> tasks;
  std::atomic<u64> open_tasks{0};
  std::vector<ArrayRows> rows;  ///< of each array
  SparseRows sparse;
  std::vector<u32> sparse_columns;          ///< where they cannot be used as they are stored
  std::vector<base::AlignedBuffer> united;  ///< passthrough columns that do not lie in memory as the output has them
};

}  // namespace h5score::storage
