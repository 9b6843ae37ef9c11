// Small text files: lists, configuration.
#pragma once

#include "h5score/base/types.hpp"

#include <string>

namespace h5score::base {

/// The whole of a text file or pipe. Throws Error(no_input) where it cannot be opened, Error(io) where reading fails,
/// and Error(data) where it has more than `most_bytes`, or zero bytes, which no text has, with a suggestion. Both name
/// the file.
std::string read_text_file(const std::string& path, u64 most_bytes, const std::string& suggestion = {});

}  // namespace h5score::base
