// Progress bar and log lines.
#include "h5score/run/progress.hpp"

#include "clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace h5score::run {
namespace {

constexpr double bar_interval = 0.2;
constexpr double line_interval = 5;
constexpr double slow_line_interval = 30;
constexpr double slow_after = 120;
constexpr double sample_interval = 1;
constexpr double smoothing_seconds = 10;  // time constant of the recent rate

double fraction(const ProgressState& state) {
  if (state.rows_total == 0) return 1;
  return std::min(1.0, static_cast<double>(state.rows_done) / static_cast<double>(state.rows_total));
}

// Never 100 % before the last row: 99.97 % is shown as 99.9 %.
std::string percent(const ProgressState& state) {
  return fmt::format("{:.1f} %", std::floor(fraction(state) * 1000) / 10);
}

std::string drawn_bar(double part, u64 width, bool utf8) {
  if (width < 3) return {};
  const u64 inner = width - 2;
  const auto eighths = static_cast<u64>(part * static_cast<double>(inner) * 8);
  const u64 full = std::min(inner, eighths / 8);
  std::string bar = utf8 ? "▕" : "[";
  if (utf8) {
    static constexpr const char* partial[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    for (u64 i = 0; i < full; ++i) bar += "█";
    const u64 rest = full < inner ? eighths % 8 : 0;
    bar += partial[rest];
    bar.append(inner - full - (rest > 0 ? 1 : 0), ' ');
    return bar + "▏";
  }
  bar.append(full, '=');
  if (full < inner) bar += '>';
  bar.append(full < inner ? inner - full - 1 : 0, ' ');
  return bar + "]";
}

// Whole seconds: a countdown with decimals cannot be read.
std::string countdown(double seconds) {
  return seconds < 59.5 ? fmt::format("{:.0f} s", std::max(0.0, seconds)) : format_duration(seconds);
}

// What a person cannot see (a closed terminal, a full disk behind a redirection) is no reason to end a run.
void show(std::FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
  std::fflush(stream);
}

}  // namespace

std::string format_bar(const ProgressState& state, const TextStyle& style) {
  // In order of importance; a narrow window drops from the end.
  std::vector<std::string> parts{fmt::format("{:>7}", percent(state))};
  parts.push_back(state.remaining ? "ETA " + countdown(*state.remaining) : "ETA ?");
  parts.push_back(format_rate(state.rows_per_second, "rows"));
  parts.push_back(format_byte_rate(state.bytes_per_second));
  parts.push_back(fmt::format("{} of {} rows", format_count(state.rows_done), format_count(state.rows_total)));

  constexpr u64 least_bar = 20;
  constexpr u64 most_bar = 40;
  const u64 room = style.width - 1;  // the last column stays free: some terminals wrap when it is filled
  u64 used = 0;
  std::string text;
  for (const auto& part : parts) {
    const u64 length = 2 + display_width(part);
    if (used + length + least_bar > room) break;
    text += (text.empty() ? " " : "  ") + part;
    used += length;
  }
  return drawn_bar(fraction(state), std::min(most_bar, room - used), style.utf8) + text;
}

std::string format_line(const ProgressState& state) {
  std::string line = fmt::format("{}, {} of {} rows, {}, {}, {} elapsed", percent(state), format_count(state.rows_done),
                                 format_count(state.rows_total), format_rate(state.rows_per_second, "rows"),
                                 format_byte_rate(state.bytes_per_second), countdown(state.elapsed));
  if (state.remaining) line += fmt::format(", {} left", countdown(*state.remaining));
  return line;
}

Progress::Progress(ProgressMode mode, u64 rows_total, u64 resumed_rows, std::FILE* stream)
    : Progress(mode, rows_total, resumed_rows, stream, terminal_style(stream), now) {}

Progress::Progress(ProgressMode mode, u64 rows_total, u64 resumed_rows, std::FILE* stream, const TextStyle& style,
                   Clock clock)
    : mode_(mode), stream_(stream), style_(style), clock_(std::move(clock)), resumed_rows_(resumed_rows) {
  if (mode_ == ProgressMode::automatic) mode_ = style_.terminal ? ProgressMode::bar : ProgressMode::lines;
  state_.rows_total = rows_total;
  state_.rows_done = resumed_rows;
  start_ = last_print_ = sample_time_ = clock_();
  sample_rows_ = resumed_rows;
}

Progress::~Progress() {
  finish();
}

double Progress::interval(double elapsed) const {
  if (mode_ == ProgressMode::bar) return bar_interval;
  return elapsed > slow_after ? slow_line_interval : line_interval;
}

// An exponentially weighted mean over about ten seconds: steady enough to read, quick enough to show a stall.
void Progress::sample(double now, u64 rows_done, u64 bytes_read) {
  state_.elapsed = now - start_;
  const double passed = now - sample_time_;
  const bool early = state_.elapsed < smoothing_seconds;
  if (early && state_.elapsed > 0) {
    state_.rows_per_second = static_cast<double>(rows_done - std::min(rows_done, resumed_rows_)) / state_.elapsed;
    state_.bytes_per_second = static_cast<double>(bytes_read) / state_.elapsed;
  }
  if (passed >= sample_interval) {
    if (!early) {
      const double weight = 1 - std::exp(-passed / smoothing_seconds);
      const double rows = static_cast<double>(rows_done - std::min(rows_done, sample_rows_)) / passed;
      const double bytes = static_cast<double>(bytes_read - std::min(bytes_read, sample_bytes_)) / passed;
      state_.rows_per_second += weight * (rows - state_.rows_per_second);
      state_.bytes_per_second += weight * (bytes - state_.bytes_per_second);
    }
    sample_time_ = now;
    sample_rows_ = rows_done;
    sample_bytes_ = bytes_read;
  }
  state_.rows_done = rows_done;
  state_.remaining.reset();
  if (state_.rows_per_second > 0 && rows_done <= state_.rows_total)
    state_.remaining = static_cast<double>(state_.rows_total - rows_done) / state_.rows_per_second;
}

void Progress::update(u64 rows_done, u64 bytes_read) {
  if (mode_ == ProgressMode::none || finished_) return;
  const double now = clock_();
  if (now - last_print_ < interval(now - start_)) return;
  last_print_ = now;
  sample(now, rows_done, bytes_read);
  if (mode_ == ProgressMode::bar) {
    const std::string bar = format_bar(state_, style_);
    const u64 length = display_width(bar);
    show(stream_, fmt::format("\r{}{:{}}", bar, "", style_.width - 1 - std::min(length, style_.width - 1)));
    bar_shown_ = true;
  } else {
    show(stream_, fmt::format("h5score: {}\n", format_line(state_)));
  }
}

void Progress::finish() {
  if (bar_shown_ && !finished_) show(stream_, fmt::format("\r{:{}}\r", "", style_.width - 1));
  finished_ = true;
}

}  // namespace h5score::run
