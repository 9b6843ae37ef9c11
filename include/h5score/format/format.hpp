// Model files in and out. One registration table; the format is recognised by content, never by the file's name.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/model.hpp"

#include <string>
#include <vector>

namespace h5score::format {

/// One model format (a row of the registration table).
struct Format {
  const char* name;  ///< "native", "libsvm"; becomes model::Origin::format
  bool (*recognise)(const std::string& path, base::ByteView head);  ///< `head`: the file's first bytes, up to 4096
  model::Model (*load)(const std::string& path);
};
const std::vector<Format>& formats();

/// Reads and validates any supported model file. Throws Error(no_input) where it does not exist, Error(data) naming the
/// path and what is wrong, else. Model files are hostile: call it through the name node (h5::Sandbox) in production.
model::Model load_model(const std::string& path);

/// True if the file says that it is a model of a known format, even if load_model() then finds it damaged: tells models
/// from HDF5 files with data. Throws Error(no_input) where it does not exist, Error(data) where HDF5 cannot open it or
/// where it is of a known other kind (a Python pickle, ...).
bool is_model(const std::string& path);

/// LIBSVM files do not say how many features their model has; n_features is the largest index of any support vector. If
/// `model` came from LIBSVM and the data has more columns, this extends the support vectors by zeros, exactly as LIBSVM
/// reads such rows, and returns true. Otherwise false, and the model stays as it is.
/// Throws Error(data) where the wider support vectors would not fit into memory (2^29 values).
bool widen(model::Model& model, base::u64 n_features);

/// Writes the native HDF5 format (docs/model-format.md). Throws Error(cant_create) or Error(io).
/// Through a new file PATH.tmp that is synced and renamed: the name means a complete file.
void save_model(const std::string& path, const model::Model& model);

}  // namespace h5score::format
