// HDF5's own filters on a chunk in memory: for filters that have no decoder of ours (szip, scale-offset, n-bit,
// plugins such as blosc). It uses a file in memory and never one on disk. Free of <hdf5.h>.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/base/types.hpp"
#include "h5score/h5/dataset.hpp"

#include <memory>
#include <span>
#include <vector>

namespace h5score::h5 {

/// What a chunk's filters may look at.
struct ChunkKind {
  base::ElementType type;
  std::vector<u64> chunk;
  std::vector<Filter> filters;
  base::Bytes fill;  ///< one element; the scale-offset filter marks fill values
};

class ChunkPipeline {
 public:
  explicit ChunkPipeline(ChunkKind kind);
  ChunkPipeline(ChunkPipeline&&) noexcept;
  ChunkPipeline& operator=(ChunkPipeline&&) noexcept;
  ~ChunkPipeline();

  /// Decodes one stored chunk into `out`, which has the size of a decoded chunk. Safe to call from many threads, of
  /// which one works at a time (HDF5 may be built without locks): a lock shared by all pipelines of the process.
  /// Throws Error(data) where a filter is not available or refuses the bytes.
  void decode(base::ByteView stored, u32 mask, std::span<std::byte> out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::h5
