// Progress with a clock of the test's own.
#include "h5score/run/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

namespace h5score::run {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr TextStyle ascii{.width = 80, .utf8 = false, .terminal = true};
constexpr TextStyle unicode{.width = 80, .utf8 = true, .terminal = true};

ProgressState some_state() {
  return {.rows_done = 29500,
          .rows_total = 70000,
          .rows_per_second = 1.2e6,
          .bytes_per_second = 3.4e9,
          .elapsed = 35,
          .remaining = 12.2};
}

// A Progress on a memory stream, at a time that the test sets.
class Recorded {
 public:
  Recorded(ProgressMode mode, u64 rows, u64 resumed, const TextStyle& style)
      : stream_(open_memstream(&text_, &size_)),
        progress_(std::make_unique<Progress>(mode, rows, resumed, stream_, style, [this] { return now; })) {}
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;
  ~Recorded() {
    progress_.reset();
    std::fclose(stream_);
    std::free(text_);
  }
  Progress& operator*() { return *progress_; }
  void end() { progress_.reset(); }
  std::string text() {
    std::fflush(stream_);
    return {text_, size_};
  }
  double now = 1000;

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* stream_;
  std::unique_ptr<Progress> progress_;
};

auto lines_in(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

TEST(Progress, GoesOnWhereNobodyCanSeeIt) {
  for (const ProgressMode mode : {ProgressMode::bar, ProgressMode::lines}) {
    std::FILE* full = std::fopen("/dev/full", "w");
    ASSERT_NE(full, nullptr);
    std::setvbuf(full, nullptr, _IONBF, 0);
    double now = 0;
    {
      Progress progress(mode, 100, 0, full, ascii, [&] { return now; });
      now = 10;
      EXPECT_NO_THROW(progress.update(50, 1000));
      EXPECT_NE(std::ferror(full), 0);
    }
    std::fclose(full);
  }
}

TEST(FormatBar, LeavesOutWhatDoesNotFit) {
  EXPECT_EQ(
      format_bar(some_state(), {.width = 120, .utf8 = false}),
      "[================>                     ]  42.1 %  ETA 12 s  1.20 M rows/s  3.40 GB/s  29,500 of 70,000 rows");
  for (u64 width = 40; width <= 200; ++width)
    for (const bool utf8 : {false, true}) {
      const std::string bar = format_bar(some_state(), {.width = width, .utf8 = utf8});
      EXPECT_LT(display_width(bar), width);
      EXPECT_THAT(bar, HasSubstr("42.1 %"));
    }
  EXPECT_THAT(format_bar(some_state(), {.width = 40, .utf8 = false}), Not(HasSubstr("rows/s")));
}

TEST(FormatBar, UnicodeOnlyWhereTheLocaleHasIt) {
  EXPECT_THAT(format_bar(some_state(), unicode), HasSubstr("█"));
  for (const char c : format_bar(some_state(), ascii)) EXPECT_GT(c, 0);
}

TEST(FormatBar, IsFullOnlyAtTheEnd) {
  ProgressState state = some_state();
  state.rows_done = 69999;
  EXPECT_THAT(format_bar(state, ascii), HasSubstr("99.9 %"));
  EXPECT_THAT(format_bar(state, ascii), HasSubstr(">"));
  state.rows_done = 70000;
  EXPECT_THAT(format_bar(state, ascii), HasSubstr("100.0 %"));
  EXPECT_THAT(format_bar(state, ascii), Not(HasSubstr(">")));
  state.rows_total = state.rows_done = 0;
  EXPECT_THAT(format_bar(state, ascii), HasSubstr("100.0 %"));
}

TEST(FormatLine, SaysAll) {
  EXPECT_EQ(format_line(some_state()),
            "42.1 %, 29,500 of 70,000 rows, 1.20 M rows/s, 3.40 GB/s, 35 s elapsed, 12 s left");
  ProgressState unknown = some_state();
  unknown.remaining.reset();
  EXPECT_THAT(format_line(unknown), Not(HasSubstr("left")));
}

TEST(Progress, BarIsRedrawnAtMostFiveTimesASecond) {
  Recorded run(ProgressMode::automatic, 1000, 0, ascii);
  for (u64 row = 0; row < 1000; ++row) {
    run.now += 0.001;
    (*run).update(row, row * 100);
  }
  const std::string text = run.text();
  EXPECT_LE(std::count(text.begin(), text.end(), '\r'), 5);
  EXPECT_GE(std::count(text.begin(), text.end(), '\r'), 4);
  EXPECT_EQ(lines_in(text), 0);
}

TEST(Progress, UnfinishedBarIsRemoved) {
  Recorded run(ProgressMode::bar, 1000, 0, ascii);
  run.now += 1;
  (*run).update(100, 100);
  run.end();
  EXPECT_TRUE(run.text().ends_with('\r' + std::string(79, ' ') + '\r'));
}

TEST(Progress, LinesInALogEveryFiveSecondsThenEveryThirty) {
  Recorded run(ProgressMode::automatic, 1000000, 0, {.width = 80, .utf8 = true, .terminal = false});
  const auto run_for = [&](int seconds) {
    for (int i = 0; i < seconds * 10; ++i) {
      run.now += 0.1;
      (*run).update(static_cast<u64>((run.now - 1000) * 100), 0);
    }
  };
  run_for(100);
  EXPECT_NEAR(static_cast<double>(lines_in(run.text())), 20, 1);
  const auto before = lines_in(run.text());
  run_for(620);
  EXPECT_NEAR(static_cast<double>(lines_in(run.text()) - before), 24, 2);
  EXPECT_THAT(run.text(), HasSubstr("h5score: "));
  EXPECT_THAT(run.text(), Not(HasSubstr("\r")));
}

TEST(Progress, NoneIsSilent) {
  Recorded run(ProgressMode::none, 1000, 0, ascii);
  for (int i = 0; i < 100; ++i) {
    run.now += 10;
    (*run).update(500, 5);
  }
  (*run).finish();
  EXPECT_EQ(run.text(), "");
}

TEST(Progress, ResumedRowsCountAsDoneButNotAsSpeed) {
  Recorded run(ProgressMode::lines, 1000, 900, ascii);
  run.now += 6;
  (*run).update(960, 6000);
  EXPECT_THAT(run.text(), HasSubstr("96.0 %, 960 of 1,000 rows, 10 rows/s, 1.00 kB/s, 6 s elapsed, 4 s left"));
}

TEST(Progress, RateFollowsASlowDown) {
  Recorded run(ProgressMode::lines, 1000000, 0, ascii);
  double rows = 0;
  for (int i = 0; i < 60; ++i) {
    run.now += 1;
    rows += i < 30 ? 1000 : 10;
    (*run).update(static_cast<u64>(rows), 0);
  }
  const std::string text = run.text();
  const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
  EXPECT_THAT(last, testing::ContainsRegex(", [5-9][0-9]\\.[0-9] rows/s"));
}

}  // namespace
}  // namespace h5score::run
