// Ranges of rows: joined, and told in few words.
#include "h5score/base/row_ranges.hpp"

#include <gtest/gtest.h>

namespace h5score::base {
namespace {

TEST(RowRanges, AreJoinedWhereTheyTouchOrOverlap) {
  using Ranges = std::vector<RowRange>;
  EXPECT_EQ(joined({}), Ranges{});
  EXPECT_EQ(joined({{5, 7}, {0, 2}, {2, 3}}), (Ranges{{0, 3}, {5, 7}}));
  EXPECT_EQ(joined({{0, 10}, {2, 3}, {9, 12}, {13, 14}}), (Ranges{{0, 12}, {13, 14}}));
}

TEST(RowRanges, SingleRowsAreNumbersAndManyRangesAreCounted) {
  EXPECT_EQ(ranges_text({}, 3), "");
  EXPECT_EQ(ranges_text({{17, 18}, {40, 42}}, 3), "17, 40:42");
  EXPECT_EQ(ranges_text({{1, 2}, {3, 4}, {5, 6}, {7, 9}}, 2), "1, 3, ... 2 more");
}

}  // namespace
}  // namespace h5score::base
