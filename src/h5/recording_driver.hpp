// A read-only virtual file driver that answers metadata reads truly and, while recording, notes address and size of
// raw-data reads without doing them. With it H5Dread_chunk() tells where a chunk lies in a microsecond, where
// H5Dget_chunk_info() of HDF5 1.10 walks the whole chunk index on every call.
// Only built where the library lacks H5Dchunk_iter(): later releases have that, and another driver interface.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/h5/handle.hpp"

// H5Dchunk_iter() came to three lines of releases.
#if H5_VERSION_GE(1, 14, 0) || (H5_VERSION_GE(1, 12, 3) && !H5_VERSION_GE(1, 13, 0)) || \
    (H5_VERSION_GE(1, 10, 11) && !H5_VERSION_GE(1, 12, 0))
#define H5SCORE_CHUNK_ITER 1
#else
#define H5SCORE_CHUNK_ITER 0
#endif

namespace h5score::h5 {

/// What the driver saw since `reads` was last set to 0; must outlive the file.
struct Recorder {
  bool recording = false;
  base::u64 reads = 0;
  base::u64 address = 0;  ///< of the last raw read, from the file's very beginning (a user block is included)
  base::u64 size = 0;
};

/// A file access property list that opens files with the driver.
Handle recording_access(Recorder& recorder);

}  // namespace h5score::h5
