// Undoes HDF5's shuffle filter, which stores the first bytes of all elements, then all second ones, ...: planes.
#pragma once

#include "h5score/base/types.hpp"

namespace h5score::storage {

using base::u64;

/// `count` elements of `size` bytes to `out`. `planes` points to the first byte of the first of them; each next byte of
/// an element lies `distance` bytes further.
void unshuffle(const std::byte* planes, u64 distance, u64 size, u64 count, std::byte* out);

/// All of `stored`, which holds whole planes; bytes that do not fill an element follow unchanged. `out` has its size.
void unshuffle(base::ByteView stored, u64 element_size, std::byte* out);

}  // namespace h5score::storage
