// Values as people type them.
#include "values.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace h5score::cli {
namespace {

using base::Error;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Call>
std::string usage_error(Call call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), base::ExitCode::usage);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(ParseSize, UnitsArePowersOf1024UnlessWrittenWithB) {
  EXPECT_EQ(parse_size("m", "800000"), 800000U);
  EXPECT_EQ(parse_size("m", "512M"), u64{512} << 20);
  EXPECT_EQ(parse_size("m", "512MiB"), u64{512} << 20);
  EXPECT_EQ(parse_size("m", "2GiB"), u64{2} << 30);
  EXPECT_EQ(parse_size("m", "2g"), u64{2} << 30);
  EXPECT_EQ(parse_size("m", "1.5G"), u64{3} << 29);
  EXPECT_EQ(parse_size("m", "2GB"), 2'000'000'000U);
  EXPECT_EQ(parse_size("m", "64kB"), 64000U);
  EXPECT_EQ(parse_size("m", "1T"), u64{1} << 40);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "G", "-1G", "1 G", "1e3", "1GG", "0", "0.1", "12X", "nan", "1.2.3G", "99999999T"})
    EXPECT_THAT(usage_error([&] { parse_size("memory-per-rank", text); }),
                HasSubstr("--memory-per-rank: '" + std::string(text) + "' is not valid"));
}

TEST(ParseDuration, TakesSecondsUnitsAndClockForms) {
  EXPECT_EQ(parse_duration("t", "90"), 90);
  EXPECT_EQ(parse_duration("t", "0.5"), 0.5);
  EXPECT_EQ(parse_duration("t", "45s"), 45);
  EXPECT_EQ(parse_duration("t", "90m"), 5400);
  EXPECT_EQ(parse_duration("t", "1.5h"), 5400);
  EXPECT_EQ(parse_duration("t", "2d"), 172800);
  EXPECT_EQ(parse_duration("t", "10:30"), 630);
  EXPECT_EQ(parse_duration("t", "01:02:03"), 3723);
  EXPECT_EQ(parse_duration("t", "2-3"), 2 * 86400 + 3 * 3600);
  EXPECT_EQ(parse_duration("t", "1-02:30"), 86400 + 2 * 3600 + 30 * 60);
  EXPECT_EQ(parse_duration("t", "1-02:03:04"), 86400 + 2 * 3600 + 3 * 60 + 4);
}

TEST(ParseDuration, RefusesOtherForms) {
  for (const char* text : {"", "soon", "-5", "1:2:3:4", "1-", "-1:00", "1:xx", "1-1-1", "5 m", "infs", "nan"})
    EXPECT_THAT(usage_error([&] { parse_duration("time-limit", text); }), HasSubstr("HH:MM:SS"));
}

TEST(ParseCount, ChecksTheLeast) {
  EXPECT_EQ(parse_count("threads", "8", 1), 8U);
  for (const char* text : {"0", "-1", "two", "1.5", "", "99999999999999999999"})
    EXPECT_THAT(usage_error([&] { parse_count("threads", text, 1); }), HasSubstr("a whole number from 1 on"));
}

TEST(ParseRange, NeedsAscendingEnds) {
  for (const char* text : {"0:10", "5:", ":7", "3000000000:3000000001"}) EXPECT_EQ(parse_range("rows", text), text);
  for (const char* text : {"10:10", "7:3", "5", "a:b", "1:2:3", "-1:5", ""})
    EXPECT_THAT(usage_error([&] { parse_range("rows", text); }), HasSubstr("--rows"));
}

TEST(ParseModel, NameStandsBeforeTheFirstEqualsSign) {
  EXPECT_EQ(parse_model("m.h5").name, "");
  EXPECT_EQ(parse_model("z=dir/m.h5").name, "z");
  EXPECT_EQ(parse_model("z=dir/a=b.h5").path, "dir/a=b.h5");
  EXPECT_EQ(parse_model("./a=b.h5").name, "");
  EXPECT_EQ(parse_model("./a=b.h5").path, "./a=b.h5");
  for (const char* text : {"", "=m.h5", "z="}) usage_error([&] { parse_model(text); });
}

TEST(CheckModelNames, RefusesTwinsAndNamesThatGroupsCannotHave) {
  const auto check = [](std::vector<run::ModelArgument> models) { check_model_names(models); };
  check({{"", "a.h5"}, {"z", "b.h5"}, {"star-2.b", "b.h5"}});
  EXPECT_THAT(usage_error([&] {
                check({{"", "a.h5"}, {"", "b.h5"}});
              }),
              HasSubstr("more than one model without a name"));
  EXPECT_THAT(usage_error([&] { check({{"z", "a.h5"}, {"z", "b.h5"}}); }), HasSubstr("'z' is given twice"));
  EXPECT_THAT(usage_error([&] { check({{"inputs", "a.h5"}}); }), HasSubstr("is taken by a dataset"));
  for (const char* name : {"..", ".a", "a b", "ü"})
    EXPECT_THAT(usage_error([&] { check({{name, "a.h5"}}); }), HasSubstr("cannot name a group"));
}

TEST(CheckOutput, SeesTheSameFileBehindAnotherSpelling) {
  const auto check = [](const std::string& output, std::vector<std::string> inputs) {
    check_output("output", output, inputs, "an input");
  };
  check("scores.h5", {"data.h5", "dir/scores.h5", "tract_*.h5", "dir/*.h5"});
  EXPECT_THAT(usage_error([&] { check("./a/../data.h5", {"data.h5"}); }), HasSubstr("the same file as an input"));
  EXPECT_THAT(usage_error([&] { check("scores.h5", {"*.h5"}); }), HasSubstr("matches an input '*.h5'"));
  EXPECT_THAT(usage_error([&] { check("d/run7.h5", {"d/run[0-9].h5"}); }), HasSubstr("read it as input"));
}

TEST(ParseChoice, ListsTheChoices) {
  const std::vector<std::string> choices{"auto", "on", "off"};
  EXPECT_EQ(parse_choice("file-locking", "on", choices), 1U);
  EXPECT_THAT(usage_error([&] { parse_choice("file-locking", "yes", choices); }),
              HasSubstr("--file-locking: 'yes' is not valid; expected auto, on, off"));
}

TEST(SplitCommas, JoinsArgumentsAndDropsEmptyWords) {
  EXPECT_THAT(split_commas(std::vector<std::string>{"label,probability", "status,"}),
              ElementsAre("label", "probability", "status"));
}

TEST(ShellQuoted, OnlyWhereNeeded) {
  EXPECT_EQ(shell_quoted("a/b-c_1.h5"), "a/b-c_1.h5");
  EXPECT_EQ(shell_quoted("tract_*.h5"), "'tract_*.h5'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
}

}  // namespace
}  // namespace h5score::cli
