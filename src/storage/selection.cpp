// Parsing of --rows, expansion of --input.
#include "selection.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/input.hpp"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using base::RowRange;

std::optional<u64> parse_number(std::string_view text) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "A:B" with either number left out; nullopt if it is not that.
std::optional<RowRange> parse_range(std::string_view text, u64 total) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto from = text.substr(0, colon);
  const auto to = text.substr(colon + 1);
  const auto begin = from.empty() ? std::optional<u64>(0) : parse_number(from);
  const auto end = to.empty() ? std::optional<u64>(total) : parse_number(to);
  if (!begin || !end) return std::nullopt;
  return RowRange{*begin, *end};
}

bool digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// The digits from `at` on, without leading zeros.
std::string_view number_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && digit(text[end])) ++end;
  while (at + 1 < end && text[at] == '0') ++at;
  return text.substr(at, end - at);
}

std::size_t digits_end(std::string_view text, std::size_t at) {
  while (at < text.size() && digit(text[at])) ++at;
  return at;
}

bool looks_like_glob(const std::string& pattern) {
  return pattern.find_first_of("*?[") != std::string::npos;
}

std::vector<std::string> expand_glob(const std::string& pattern) {
  glob_t found{};
  const int result = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<std::string> paths;
  for (std::size_t i = 0; result == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (result == GLOB_NOMATCH) throw Error(ExitCode::no_input, pattern + ": no file matches");
  if (result != 0) throw Error(ExitCode::no_input, pattern + ": the pattern cannot be expanded");
  std::sort(paths.begin(), paths.end(), natural_less);
  return paths;
}

}  // namespace

RowRange parse_rows(const std::string& text, u64 total) {
  if (text.empty()) return {0, total};
  const std::string problem = "--rows " + text;
  const auto range = parse_range(text, total);
  if (!range) throw Error(ExitCode::usage, problem + " is not understood", "expected A:B, A: or :B");
  if (range->begin > total || range->end > total)
    throw Error(ExitCode::usage, problem + " is out of range", "the input has " + std::to_string(total) + " rows");
  if (range->begin >= range->end)
    throw Error(ExitCode::usage, problem + " selects no rows", "the input has " + std::to_string(total) + " rows");
  return *range;
}

bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto x = number_at(a, i);
      const auto y = number_at(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      i = digits_end(a, i);
      j = digits_end(b, j);
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i;
      ++j;
    }
  }
  if (i == a.size() && j == b.size()) return a < b;  // 01 and 1: any fixed order
  return i == a.size();
}

std::vector<std::string> expand_paths(const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  for (const auto& pattern : patterns) {
    struct stat status {};
    if (::stat(pattern.c_str(), &status) == 0) {
      paths.push_back(pattern);
    } else if (looks_like_glob(pattern)) {
      const auto found = expand_glob(pattern);
      paths.insert(paths.end(), found.begin(), found.end());
    } else {
      throw Error(ExitCode::no_input, pattern + ": cannot be opened", base::errno_text(errno));
    }
  }
  return paths;
}

}  // namespace h5score::storage
