// Names that pandas stores as pickled lists beside a PyTables table. They are parsed, never unpickled: a pickle can run
// anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace h5score::storage {

/// The elements of a list of texts and integers in pickle's protocol 0 (as PyTables writes attributes), as texts; empty
/// where it is anything else.
std::vector<std::string> pickled_names(std::string_view pickle);

}  // namespace h5score::storage
