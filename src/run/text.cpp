// Text for people: units, durations, tables.
#include "h5score/run/text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace h5score::run {
namespace {

// Three significant digits, without scientific notation.
std::string three_digits(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) return fmt::format("{:.0f}", value);
  if (size >= 9.995) return fmt::format("{:.1f}", value);
  return fmt::format("{:.2f}", value);
}

template <std::size_t N>
std::string scaled(double value, double step, const std::array<const char*, N>& units) {
  std::size_t unit = 0;
  // The limit is what would print as a full step: 1023.6 KiB is 1.00 MiB.
  while (unit + 1 < N && std::abs(value) >= step - 0.5) {
    value /= step;
    ++unit;
  }
  if (unit == 0 && value == std::floor(value)) return fmt::format("{:.0f} {}", value, units[0]);
  return fmt::format("{} {}", three_digits(value), units[unit]);
}

std::string trim_right(std::string text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// Byte offset of the code point number `n` (or the end).
std::size_t offset_of(std::string_view text, u64 n) {
  std::size_t at = 0;
  while (at < text.size() && n > 0) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
    --n;
  }
  return at;
}

}  // namespace

TextStyle terminal_style(std::FILE* stream) {
  TextStyle style;
  style.utf8 = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  const int fd = fileno(stream);
  style.terminal = fd >= 0 && isatty(fd) == 1;
  winsize window{};
  u64 width = 0;
  if (style.terminal && ioctl(fd, TIOCGWINSZ, &window) == 0) width = window.ws_col;
  if (const char* columns = std::getenv("COLUMNS"); width == 0 && columns != nullptr) {
    const std::string_view text(columns);
    if (std::from_chars(text.data(), text.data() + text.size(), width).ec != std::errc{}) width = 0;
  }
  style.width = width == 0 ? 80 : std::clamp<u64>(width, 40, 200);
  return style;
}

std::string format_bytes(double bytes) {
  static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  return scaled(bytes, 1024, units);
}

std::string format_rate(double per_second, std::string_view unit) {
  static constexpr std::array prefixes{"", "k", "M", "G", "T"};
  const std::string text = trim_right(scaled(per_second, 1000, prefixes));
  if (unit.empty()) return text + "/s";
  return fmt::format("{} {}/s", text, unit);
}

std::string format_byte_rate(double bytes_per_second) {
  static constexpr std::array units{"B", "kB", "MB", "GB", "TB"};
  return scaled(bytes_per_second, 1000, units) + "/s";
}

std::string format_duration(double seconds) {
  if (!(seconds >= 0)) return "?";
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  if (seconds > 1e12) return "?";
  const auto whole = static_cast<u64>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} m {:02} s", whole / 60, whole % 60);
  const u64 minutes = (whole + 30) / 60;
  if (minutes < 1440) return fmt::format("{} h {:02} m", minutes / 60, minutes % 60);
  const u64 hours = (whole + 1800) / 3600;
  return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

std::string utc_text(std::time_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

std::string format_value(double value, int digits) {
  if (std::isnan(value)) return "nan";
  return fmt::format("{:.{}g}", value, digits);
}

u64 display_width(std::string_view text) {
  return static_cast<u64>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string shorten(std::string_view text, u64 width, bool utf8) {
  const u64 length = display_width(text);
  if (length <= width) return std::string(text);
  const std::string_view gap = utf8 ? "…" : "...";
  const u64 gap_width = display_width(gap);
  if (width <= gap_width + 1) return std::string(text.substr(0, offset_of(text, width)));
  // The end of a path or name tells more than its beginning.
  const u64 tail = (width - gap_width + 1) / 2;
  const u64 head = width - gap_width - tail;
  return fmt::format("{}{}{}", text.substr(0, offset_of(text, head)), gap, text.substr(offset_of(text, length - tail)));
}

std::string wrap(std::string_view text, u64 width, u64 indent) {
  std::string out;
  u64 column = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const u64 length = display_width(word);
    if (column > 0 && column + 1 + length > width) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += length;
    at = end + 1;
  }
  return out;
}

std::string fact_lines(const std::vector<std::pair<std::string, std::string>>& facts, const TextStyle& style) {
  u64 column = 0;
  for (const auto& fact : facts) column = std::max(column, display_width(fact.first));
  column += 4;
  std::string out;
  for (const auto& [label, text] : facts) {
    out += "  " + label;
    out.append(column - 2 - display_width(label), ' ');
    for (const char c : wrap(text, style.width > column + 20 ? style.width - column : 20)) {
      out += c;
      if (c == '\n') out.append(column, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string Table::text(const TextStyle& style, u64 indent) const {
  std::vector<u64> widths(columns_.size(), 0);
  for (const auto& row : rows_)
    for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c)
      widths[c] = std::max(widths[c], display_width(row[c]));

  constexpr u64 least = 8;
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), indent + 2 * (widths.empty() ? 0 : widths.size() - 1));
  };
  while (total() > style.width) {
    std::size_t widest = widths.size();
    for (std::size_t c = 0; c < widths.size(); ++c)
      if (columns_[c] == Align::left && widths[c] > least && (widest == widths.size() || widths[c] > widths[widest]))
        widest = c;
    if (widest == widths.size()) break;
    --widths[widest];
  }

  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent, ' ');
    for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c) {
      if (c > 0) line += "  ";
      const std::string cell = columns_[c] == Align::left ? shorten(row[c], widths[c], style.utf8) : row[c];
      const u64 length = display_width(cell);
      const std::string gap(length < widths[c] ? widths[c] - length : 0, ' ');
      line += columns_[c] == Align::left ? cell + gap : gap + cell;
    }
    out += trim_right(std::move(line)) + '\n';
  }
  return out;
}

}  // namespace h5score::run
