// --feature-names: names for columns that have none.
#pragma once

#include "h5score/h5/sandbox.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// Names read once, or the dataset that holds them in each input.
struct GivenNames {
  std::vector<std::string> names;
  std::string dataset;
  std::string from;
};

/// A text file with one name per line, "/dataset" of strings inside each input, or "FILE.h5:/dataset". Throws
/// Error(no_input) for a file that cannot be read, Error(data) for one that holds no names.
GivenNames given_names(h5::Sandbox& name_node, const std::string& option);

}  // namespace h5score::storage
