// LZF, the fast compression that h5py brings along and AnnData files use. Free of <hdf5.h>.
#pragma once

#include "h5score/base/types.hpp"

#include <span>

namespace h5score::h5 {

/// Expands LZF data (M. Lehmann's liblzf format) to exactly `out.size()` bytes; false if it is corrupt.
[[nodiscard]] bool expand_lzf(base::ByteView data, std::span<std::byte> out);

/// Teaches this process's HDF5 library to read LZF chunks: it has no such filter, and the plugin that Debian has for it
/// does not load. Part of initialise().
void register_lzf();

}  // namespace h5score::h5
