// Tokens and numbers of text model files, and UTF-8 validity.
#include "format/text.hpp"

#include "format/printable.hpp"
#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace h5score::format {
namespace {

TEST(Text, CutsLinesAndTokens) {
  Lines lines("one  two\r\n\n three\t4:5 \n");
  auto rest = lines.next().value();
  EXPECT_EQ(next_token(rest), "one");
  EXPECT_EQ(next_token(rest), "two");
  EXPECT_EQ(next_token(rest), "");
  EXPECT_EQ(lines.next().value(), "");
  rest = lines.next().value();
  EXPECT_EQ(lines.number(), 3U);
  EXPECT_EQ(next_token(rest), "three");
  EXPECT_EQ(next_token(rest), "4:5");
  EXPECT_EQ(next_token(rest), "");
  EXPECT_FALSE(lines.next().has_value());
}

TEST(Text, RefusesACutOffLine) {
  Lines lines("1.5\n2.5");
  EXPECT_TRUE(lines.next().has_value());
  EXPECT_THAT(message_of([&] { lines.next(); }), ::testing::HasSubstr("inside line 2"));
}

TEST(Text, ReadsNumbersOfAnySize) {
  EXPECT_EQ(to_double("-0.1"), -0.1);
  EXPECT_EQ(to_double("+1e3"), 1000);
  EXPECT_EQ(to_double("4.9406564584124654e-324"), 4.9406564584124654e-324);
  EXPECT_EQ(to_double("1e-5000"), 0);
  EXPECT_EQ(to_double("1.7976931348623157e308"), 1.7976931348623157e308);
  EXPECT_EQ(to_integer("-2147483648"), -2147483648LL);
  EXPECT_EQ(to_integer("+7"), 7);
}

TEST(Text, RefusesWhatIsNotAFiniteNumber) {
  for (const char* token :
       {"inf", "-inf", "nan", "NaN", "1e999", "-1e999", "", "+", "1.5x", "0x10", "1,5", "--1", "+-1"})
    EXPECT_THAT(message_of([&] { to_double(token); }), ::testing::HasSubstr("finite number")) << token;
  for (const char* token : {"1.5", "", "9223372036854775808", "x"}) message_of([&] { to_integer(token); });
  for (const char* token : {"-1", "", "18446744073709551616"}) message_of([&] { to_count(token); });
}

TEST(Text, QuotesOnlyPrintableStartsOfTokens) {
  const std::string message = message_of([] { to_double(std::string("\x1b[2J") + std::string(1000, 'x')); });
  EXPECT_LT(message.size(), 100U);
  EXPECT_THAT(message, ::testing::StartsWith("'?[2Jxx"));
  EXPECT_EQ(shown("caf\xc3\xa9"), "'caf\xc3\xa9'");
  EXPECT_EQ(shown("caf\xe9"), "'caf?'");
}

TEST(Utf8, AcceptsWellFormedText) {
  for (const char* text : {"", "plain",
                           "n\xc3\xa9"
                           "buleuse",
                           "\xe2\x82\xac", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
}

TEST(Utf8, RefusesEverythingElse) {
  // Stray, cut, overlong, surrogate, too large, and Latin-1.
  for (const char* text : {"\x80", "\xc3", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                           "n\xe9"
                           "buleuse"})
    EXPECT_FALSE(is_utf8(text));
}

}  // namespace
}  // namespace h5score::format
