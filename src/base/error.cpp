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

// Texts from files stand in messages: whatever they hold, a message is one line that a terminal only shows.
std::string one_line(std::string text) {
  constexpr std::size_t longest = 9000;  // two paths of any length, and what is wrong with them
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) text[i] = '?';
    if (byte != 0xC2 || i + 1 == text.size()) continue;
    const auto next = static_cast<unsigned char>(text[i + 1]);
    if (next >= 0x80 && next < 0xA0) text[i] = text[i + 1] = '?';  // control characters in UTF-8
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
