// Checks before a file is renamed to its final name.
#pragma once

#include <string>

namespace h5score::base {

/// Throws Error(cant_create) where `path` exists and is not a regular file: a rename would put a file in the place of
/// the folder, link or device (`/dev/null`, for root).
void check_replaceable(const std::string& path);

/// The first of `path`.0.tmp, `path`.1.tmp, ... at which nothing stands: to be created exclusively.
std::string free_temporary(const std::string& path);

/// Throws Error(cant_create) unless a new file at `path` could be made under a temporary name and renamed: makes and
/// removes free_temporary(path).
void check_creatable(const std::string& path);

}  // namespace h5score::base
