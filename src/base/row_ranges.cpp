// Joining ranges of rows, and their text.
#include "h5score/base/row_ranges.hpp"

#include <algorithm>

namespace h5score::base {

std::vector<RowRange> joined(std::vector<RowRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const RowRange& a, const RowRange& b) { return a.begin < b.begin; });
  std::vector<RowRange> result;
  for (const RowRange& range : ranges)
    if (!result.empty() && range.begin <= result.back().end)
      result.back().end = std::max(result.back().end, range.end);
    else
      result.push_back(range);
  return result;
}

std::string ranges_text(const std::vector<RowRange>& ranges, u64 most) {
  std::string text;
  const u64 told = std::min<u64>(ranges.size(), most);
  for (u64 i = 0; i < told; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(ranges[i].begin);
    if (ranges[i].size() != 1) text += ":" + std::to_string(ranges[i].end);
  }
  if (ranges.size() > told) text += ", ... " + std::to_string(ranges.size() - told) + " more";
  return text;
}

}  // namespace h5score::base
