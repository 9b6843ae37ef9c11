// Counts as a person reads them.
#include "h5score/base/text.hpp"

#include <gtest/gtest.h>

namespace h5score::base {
namespace {

TEST(FormatCount, PutsCommasBetweenThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(~u64{0}), "18,446,744,073,709,551,615");
}

TEST(Plural, TakesTheRightNoun) {
  EXPECT_EQ(plural(1, "row"), "1 row");
  EXPECT_EQ(plural(0, "row"), "0 rows");
  EXPECT_EQ(plural(70000, "row"), "70,000 rows");
  EXPECT_EQ(plural(1, "class", "classes"), "1 class");
  EXPECT_EQ(plural(2, "class", "classes"), "2 classes");
}

}  // namespace
}  // namespace h5score::base
