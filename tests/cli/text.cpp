// Numbers, durations and tables as people read them.
#include "h5score/run/text.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace h5score::run {
namespace {

TEST(Text, CountsHaveCommas) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(70000), "70,000");
  EXPECT_EQ(format_count(3000000001), "3,000,000,001");
}

TEST(Text, BytesAreBinary) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(1048575), "1.00 MiB");
  EXPECT_EQ(format_bytes(60.0 * 1024 * 1024 * 1024), "60.0 GiB");
  EXPECT_EQ(format_bytes(1e13), "9.09 TiB");
}

TEST(Text, RatesAreDecimal) {
  EXPECT_EQ(format_rate(0), "0/s");
  EXPECT_EQ(format_rate(950), "950/s");
  EXPECT_EQ(format_rate(12345, "rows"), "12.3 k rows/s");
  EXPECT_EQ(format_rate(4.56e6, "rows"), "4.56 M rows/s");
  EXPECT_EQ(format_rate(0.25, "rows"), "0.25 rows/s");
  EXPECT_EQ(format_byte_rate(3.4e9), "3.40 GB/s");
}

TEST(Text, DurationsKeepTwoUnits) {
  EXPECT_EQ(format_duration(0.123), "0.12 s");
  EXPECT_EQ(format_duration(12.34), "12.3 s");
  EXPECT_EQ(format_duration(59.97), "1 m 00 s");
  EXPECT_EQ(format_duration(200), "3 m 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 05 m");
  EXPECT_EQ(format_duration(3599.6), "1 h 00 m");
  EXPECT_EQ(format_duration(3 * 86400 + 4 * 3600), "3 d 04 h");
  EXPECT_EQ(format_duration(86399), "1 d 00 h");
  EXPECT_EQ(format_duration(NAN), "?");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(INFINITY), "?");
}

TEST(Text, TimesAreIso8601InUtc) {
  EXPECT_EQ(utc_text(1772355900), "2026-03-01T09:05:00Z");
}

TEST(Text, ValuesAreShort) {
  EXPECT_EQ(format_value(0.25), "0.25");
  EXPECT_EQ(format_value(1e-12), "1e-12");
  EXPECT_EQ(format_value(-NAN), "nan");
  EXPECT_EQ(format_value(3.14159265, 3), "3.14");
}

TEST(Text, ShortensInTheMiddleByCodePoints) {
  EXPECT_EQ(shorten("short", 10, true), "short");
  EXPECT_EQ(shorten("/data/survey/tract_0001.h5", 14, false), "/data...001.h5");
  EXPECT_EQ(shorten("äöüäöüäöüäöü", 7, true), "äöü…äöü");
  EXPECT_EQ(display_width(shorten("abcdefghij", 3, false)), 3U);
  for (u64 width = 1; width < 12; ++width)
    for (const bool utf8 : {false, true})
      EXPECT_EQ(display_width(shorten("äbcdéfghijk", width, utf8)), std::min<u64>(width, 11));
}

TEST(Text, WrapsWords) {
  EXPECT_EQ(wrap("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrap("one two three", 9, 2), "one two\n  three");
  EXPECT_EQ(wrap("averylongword x", 5), "averylongword\nx");
  EXPECT_EQ(wrap("", 5), "");
}

TEST(Table, AlignsAndTrims) {
  Table table({Table::Align::left, Table::Align::right, Table::Align::left});
  table.add({"a", "1", "x"});
  table.add({"long name", "1,000"});
  EXPECT_EQ(table.text({.width = 80}), "  a              1  x\n  long name  1,000\n");
}

TEST(Table, ShortensTheWidestLeftColumnOnly) {
  Table table({Table::Align::left, Table::Align::left, Table::Align::right});
  table.add({std::string(50, 'p'), "dataset", "123456789"});
  const std::string text = table.text({.width = 40});
  EXPECT_EQ(text.find('\n'), 40U);
  EXPECT_NE(text.find("dataset  123456789"), std::string::npos);
}

}  // namespace
}  // namespace h5score::run
