// What the user selects by text: paths, rows and columns.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// "A:B", "A:", ":B" or "" against `total` rows. Throws Error(usage) naming the numbers.
base::RowRange parse_rows(const std::string& text, u64 total);

/// "0,3,5", "10:20", "0:4,9" or "" against `total` features; order and repetition are kept, neighbours joined.
/// Throws Error(usage) naming the numbers.
std::vector<ColumnRun> parse_features(const std::string& text, u64 total);

/// run2 before run10: runs of digits compare as numbers.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace h5score::storage
