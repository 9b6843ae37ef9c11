// Text for people: numbers with units, durations, tables with aligned columns. Pure functions; only terminal_style()
// looks at the world.
#pragma once

#include "h5score/base/text.hpp"
#include "h5score/base/types.hpp"

#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace h5score::run {

using base::u64;

struct TextStyle {
  u64 width = 80;         ///< columns
  bool utf8 = false;      ///< the locale's character set is UTF-8
  bool terminal = false;  ///< a person watches: lines may be redrawn
};

/// The style for a stream: its window's width where it is a terminal, else the environment's COLUMNS, else 80; clamped
/// to 40..200.
TextStyle terminal_style(std::FILE* stream);

using base::format_count;
/// "0 B", "512 B", "1.5 KiB", "2.0 GiB": binary units, three significant digits.
std::string format_bytes(double bytes);
/// "950/s", "12.3 k/s", "4.56 M/s": decimal units, three significant digits.
std::string format_rate(double per_second, std::string_view unit = {});
/// "3.4 GB/s": decimal units, as storage and network are quoted.
std::string format_byte_rate(double bytes_per_second);
/// "0.12 s", "59 s", "3 m 20 s", "2 h 05 m", "3 d 04 h".
std::string format_duration(double seconds);
/// "2026-03-01T09:05:00Z" (ISO 8601).
std::string utc_text(std::time_t seconds);
/// Shortest decimal text with at most `digits` significant digits: "0.25", "1e-12", "nan".
std::string format_value(double value, int digits = 6);

/// Columns that text takes on a terminal (counts UTF-8 code points).
u64 display_width(std::string_view text);
/// `text` cut in the middle to at most `width` columns.
std::string shorten(std::string_view text, u64 width, bool utf8);
/// Words broken into lines of at most `width` columns, each after the first indented by `indent`.
std::string wrap(std::string_view text, u64 width, u64 indent = 0);

/// "  label  text" lines with aligned texts, each wrapped to the width and indented under its first line.
std::string fact_lines(const std::vector<std::pair<std::string, std::string>>& facts, const TextStyle& style);

/// A table whose columns are as wide as their widest cell. Cells may be missing at the end of a row.
class Table {
 public:
  enum class Align { left, right };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Lines with `indent` spaces in front and two spaces between columns, each ended by '\n'. Left-aligned columns are
  /// shortened, the widest first, where a line would exceed `style.width`.
  [[nodiscard]] std::string text(const TextStyle& style, u64 indent = 2) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace h5score::run
