// A dataset and the file it was opened through, for as long as both are needed.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/h5/handle.hpp"

#include <string>

namespace h5score::h5 {

struct OpenDataset {
  /// Throws as h5::open_file(), and Error(data) naming path and dataset where there is no such dataset.
  OpenDataset(const std::string& path, const std::string& name);
  /// The dataset that `facts` describe.
  OpenDataset(const DatasetFacts& facts, const Handle& access);
  Handle file;
  Handle dataset;
};

}  // namespace h5score::h5
