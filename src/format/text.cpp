// Lines, tokens and numbers of text model files.
#include "text.hpp"

#include "h5score/base/error.hpp"

#include "printable.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;

constexpr std::string_view blanks = " \t\r\v\f";

[[noreturn]] void refuse(std::string_view token, const char* expected) {
  throw Error(ExitCode::data, shown(token) + " is not " + expected);
}

// The token without the plus sign that from_chars does not take.
std::string_view unsigned_part(std::string_view token) {
  const bool plus = token.size() > 1 && token[0] == '+' && token[1] != '-' && token[1] != '+';
  return plus ? token.substr(1) : token;
}

template <class T>
T to_whole(std::string_view token, const char* expected) {
  const std::string_view digits = unsigned_part(token);
  T value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) refuse(token, expected);
  return value;
}

}  // namespace

std::optional<std::string_view> Lines::next() {
  if (rest_.empty()) return std::nullopt;
  ++number_;
  const std::size_t end = rest_.find('\n');
  if (end == std::string_view::npos)
    throw Error(ExitCode::data, "the file ends inside line " + std::to_string(number_),
                "it is cut off, or its last line end is missing", "if it is complete, add a line end");
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return line;
}

std::string_view next_token(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(blanks);
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const std::size_t end = std::min(rest.find_first_of(blanks, begin), rest.size());
  const std::string_view token = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return token;
}

double to_double(std::string_view token) {
  constexpr const char* expected = "a finite number";
  const std::string_view digits = unsigned_part(token);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) refuse(token, expected);
  // from_chars does not say whether a number out of range is too large or too small.
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
  if (!std::isfinite(value)) refuse(token, expected);
  return value;
}

base::i64 to_integer(std::string_view token) {
  return to_whole<base::i64>(token, "an integer");
}
base::u64 to_count(std::string_view token) {
  return to_whole<base::u64>(token, "a count");
}

}  // namespace h5score::format
