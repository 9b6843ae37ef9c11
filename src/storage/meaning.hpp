// Whether the values of a column mean the same in all files.
#pragma once

#include "h5score/h5/dataset.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// "units: 'K', in a.nc none" for the first attribute that changes what values mean and is another than in file
/// `first_path`; empty where there is none. long_name and standard_name change nothing.
std::string meaning_difference(const std::vector<h5::Attribute>& own, const std::vector<h5::Attribute>& first,
                               const std::string& first_path);

/// The attributes that a passthrough column of this type takes along.
std::vector<h5::Attribute> passed_meaning(const h5::DatasetFacts& facts, const base::ElementType& type);

/// Leaves those of `attributes` that are the same in `others`.
void keep_same(std::vector<h5::Attribute>& attributes, const std::vector<h5::Attribute>& others);

}  // namespace h5score::storage
