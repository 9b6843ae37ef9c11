// Sets of rows as ascending ranges, and how people read them.
#pragma once

#include "h5score/base/types.hpp"

#include <string>
#include <vector>

namespace h5score::base {

/// Ascending; neighbours and overlapping ones joined.
std::vector<RowRange> joined(std::vector<RowRange> ranges);

/// "17, 40:42, ... 5 more": ends are not included; at most `most` ranges.
std::string ranges_text(const std::vector<RowRange>& ranges, u64 most);

}  // namespace h5score::base
