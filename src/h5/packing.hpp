// netCDF's attributes of numeric datasets.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/h5/handle.hpp"

namespace h5score::h5 {

/// Sets facts.scale, and facts.packing where the dataset, of a netCDF file or with attributes of netCDF, says how its
/// numbers are meant; _Unsigned changes facts.type. Attributes of other types than numbers are ignored, as netCDF does.
void describe_packing(const Handle& dataset, DatasetFacts& facts);

}  // namespace h5score::h5
