// A dataset and the file it was opened through, for as long as both are needed.
#pragma once

#include "h5score/h5/handle.hpp"

#include <string>

namespace h5score::h5 {

/// A file access list without file locks: inputs are only read, and locks fail or hang on NFS and Lustre.
Handle lock_free_access();

struct OpenDataset {
  /// Throws as h5::open_file(), and Error(data) naming path and dataset where there is no such dataset.
  OpenDataset(const std::string& path, const std::string& name, const Handle& access);
  OpenDataset(const std::string& path, const std::string& name) : OpenDataset(path, name, lock_free_access()) {}
  Handle file;
  Handle dataset;
};

}  // namespace h5score::h5
