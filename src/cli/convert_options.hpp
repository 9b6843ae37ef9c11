// What `convert` is asked to do, from its options.
#pragma once

#include "h5score/format/convert.hpp"

#include "options.hpp"

#include <string>
#include <vector>

namespace h5score::cli {

struct ConvertOptions {
  std::vector<std::string> inputs;
  std::string output;
  bool overwrite = false;
  std::string feature_names;  ///< where they are read from; empty: nowhere
  std::string reference;      ///< likewise
  format::Preparation preparation;
};

/// Throws Error(usage). Opens nothing.
ConvertOptions convert_options(const Options& options);

}  // namespace h5score::cli
