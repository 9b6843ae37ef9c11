// What the user selects by text: paths and rows.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// "A:B", "A:", ":B" or "" against `total` rows. Throws Error(usage) naming the numbers.
base::RowRange parse_rows(const std::string& text, u64 total);

/// run2 before run10: runs of digits compare as numbers.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace h5score::storage
