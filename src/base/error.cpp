// Error messages in the grammar `problem (why); suggestion`.
#include "h5score/base/error.hpp"

#include <system_error>

namespace h5score::base {
namespace {
std::string sentence(const std::string& problem, const std::string& why, const std::string& suggestion) {
  std::string text = problem;
  if (!why.empty()) text += " (" + why + ")";
  if (!suggestion.empty()) text += "; " + suggestion;
  return text;
}

// Bytes of the character that begins at `i`: 0 unless it is UTF-8 and no control character (Unicode 15, table 3-7).
std::size_t shown_character(const std::string& text, std::size_t i) {
  const auto at = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const unsigned first = at(i);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  unsigned least = 0x80;
  unsigned most = 0xBF;
  if (first == 0xC2) least = 0xA0;  // U+0080 to U+009F are control characters
  if (first == 0xE0) least = 0xA0;  // what fits two bytes
  if (first == 0xED) most = 0x9F;   // surrogates
  if (first == 0xF0) least = 0x90;  // what fits three bytes
  if (first == 0xF4) most = 0x8F;   // above U+10FFFF
  if (at(i + 1) < least || at(i + 1) > most) return 0;
  for (std::size_t k = 2; k < bytes; ++k)
    if (at(i + k) < 0x80 || at(i + k) > 0xBF) return 0;
  return bytes;
}

// Texts from files stand in messages: whatever they hold, a message is one line that a terminal only shows.
std::string one_line(std::string text) {
  constexpr std::size_t longest = 9000;  // two paths of any length, and what is wrong with them
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = shown_character(text, i);
    if (bytes == 0) text[i] = '?';
    i += bytes == 0 ? 1 : bytes;
  }
  return text;
}
}  // namespace

Error::Error(ExitCode code, const std::string& problem, const std::string& why, const std::string& suggestion)
    : Error(code, one_line(sentence(problem, why, suggestion)), 0) {}

Error Error::in(const std::string& prefix) const {
  return {code_, one_line(prefix + ": " + what()), 0};
}

std::string errno_text(int errno_value) {
  return std::generic_category().message(errno_value);
}

}  // namespace h5score::base
