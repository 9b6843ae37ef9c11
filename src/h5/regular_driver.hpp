// A file driver that opens regular files only. The library follows external links and virtual sources by itself, with
// the driver of the file that it comes from: one that leads to a pipe would wait for ever, one to a device has no end.
#pragma once

#include "h5score/h5/handle.hpp"

#include <string>

namespace h5score::h5 {

/// A list for reading `path` (an existing regular file), without locks, with this driver: otherwise HDF5's default one.
Handle regular_access(const std::string& path);

}  // namespace h5score::h5
