// Whether a path leads to the same file on every host.
#pragma once

#include "h5score/storage/block_reader.hpp"

#include "byte_reader.hpp"

namespace h5score::storage {

/// The identity of a file that is as `file` says; reads its first bytes. Throws Error(io) where it cannot be read.
FileIdentity identity_of(const ByteFile& file);

}  // namespace h5score::storage
