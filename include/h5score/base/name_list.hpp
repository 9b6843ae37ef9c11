// Lists of names in text files.
#pragma once

#include <string>
#include <vector>

namespace h5score::base {

/// One name per line, without blanks at either end; blank lines at the end of the file do not count. Throws what
/// read_text_file() throws, and Error(data) naming the file for an empty line between names, or no names at all.
std::vector<std::string> read_name_list(const std::string& path);

}  // namespace h5score::base
