// Progress for people: a bar on a terminal, a line now and then in a log. Used by the root only.
#pragma once

#include "h5score/run/score_job.hpp"
#include "h5score/run/text.hpp"

#include <cstdio>
#include <functional>
#include <optional>
#include <string>

namespace h5score::run {

/// What is known at one moment.
struct ProgressState {
  u64 rows_done = 0;  ///< including those taken over from a part file
  u64 rows_total = 0;
  double rows_per_second = 0;   ///< recent
  double bytes_per_second = 0;  ///< recent
  double elapsed = 0;           ///< seconds since the loop began
  /// Seconds to the end by the recent rate; nothing while that is not known.
  std::optional<double> remaining;
};

/// "[=====>      ]  42.1 %  29,500 of 70,000 rows  1.2 M rows/s  3.4 GB/s  ETA 12 s" in at most style.width - 1
/// columns; what does not fit is left out, the least important first.
std::string format_bar(const ProgressState& state, const TextStyle& style);
/// "42.1 %, 29,500 of 70,000 rows, 1.2 M rows/s, 3.4 GB/s, 35 s elapsed, 12 s left"
std::string format_line(const ProgressState& state);

class Progress {
 public:
  using Clock = std::function<double()>;  ///< seconds from any fixed moment

  /// `mode` automatic: a bar where `stream` is a terminal, else lines. `resumed_rows` are done before the loop begins.
  Progress(ProgressMode mode, u64 rows_total, u64 resumed_rows = 0, std::FILE* stream = stderr);
  /// For tests: with its own clock and style.
  Progress(ProgressMode mode, u64 rows_total, u64 resumed_rows, std::FILE* stream, const TextStyle& style, Clock clock);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Removes an unfinished bar, so that a message that follows begins on a clean line.
  ~Progress();

  /// Rows done in all (with the resumed ones) and payload bytes read so far in this run. Cheap: prints at most 5 times
  /// a second on a terminal, else every 5 s and, after two minutes, every 30 s.
  void update(u64 rows_done, u64 bytes_read);
  /// Ends the bar; prints nothing more afterwards.
  void finish();

 private:
  void sample(double now, u64 rows_done, u64 bytes_read);
  [[nodiscard]] double interval(double elapsed) const;

  ProgressMode mode_;
  std::FILE* stream_;
  TextStyle style_;
  Clock clock_;
  ProgressState state_;
  u64 resumed_rows_;
  double start_ = 0;
  double last_print_ = 0;
  double sample_time_ = 0;
  u64 sample_rows_ = 0;
  u64 sample_bytes_ = 0;
  bool bar_shown_ = false;
  bool finished_ = false;
};

}  // namespace h5score::run
