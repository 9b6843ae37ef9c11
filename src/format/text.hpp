// Reading of line-oriented text: lines with their numbers and tokens of a line. Numbers by std::from_chars, which needs
// no locale and is several times as fast as strtod.
#pragma once

#include "h5score/base/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace h5score::format {

/// Hands out the lines of a text, without their line ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  /// The next line; nullopt at the end. Throws Error(data) where the last line has no line end: a cut-off number would
  /// still be a number.
  std::optional<std::string_view> next();
  /// Number of the line that next() gave last, from 1.
  [[nodiscard]] base::u64 number() const { return number_; }
  [[nodiscard]] std::size_t bytes_left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  base::u64 number_ = 0;
};

/// Cuts the next token (up to a blank or the end) from `rest`; empty at the end. Carriage returns count as blanks.
std::string_view next_token(std::string_view& rest);

/// A finite number in decimal notation, from the whole token; throws Error(data) quoting it. Numbers too small for a
/// double become 0 or denormal, too large ones are errors.
double to_double(std::string_view token);
base::i64 to_integer(std::string_view token);
base::u64 to_count(std::string_view token);

}  // namespace h5score::format
