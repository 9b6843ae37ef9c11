// A check before a file is renamed to its final name.
#pragma once

#include <string>

namespace h5score::base {

/// Throws Error(cant_create) where `path` exists and is not a regular file: a rename would put a file in the place of
/// the folder, link or device (`/dev/null`, for root).
void check_replaceable(const std::string& path);

}  // namespace h5score::base
