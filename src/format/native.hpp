// The native HDF5 model format: reader, writer and the words both share. Described for users in docs/model-format.md.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/model.hpp"

#include <string>

namespace h5score::format::native {

inline constexpr const char* format_name = "h5score-model";
/// The newest version that is read, and the one that is written.
inline constexpr base::i64 format_version = 1;

/// True for any HDF5 file: load() then says what is missing.
bool recognise(const std::string& path, base::ByteView head);
/// True if the root's attribute 'format' is ours.
bool is_marked(const std::string& path);
model::Model load(const std::string& path);

}  // namespace h5score::format::native
