// Lists of names in text files.
#pragma once

#include <string>
#include <vector>

namespace h5score::base {

/// One name per line, without blanks at either end; blank lines at the end of the file do not count. Throws
/// Error(no_input) where the file cannot be read, Error(data) naming it for an empty line between names, no names at
/// all, or what is no text.
std::vector<std::string> read_name_list(const std::string& path);

}  // namespace h5score::base
