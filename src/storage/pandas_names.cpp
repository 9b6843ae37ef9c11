// The few instructions of pickle's protocol 0 that a list of names is made of.
#include "pandas_names.hpp"

#include "h5score/base/text.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

namespace h5score::storage {
namespace {

// Python's raw-unicode-escape: Latin-1 bytes, and \uXXXX or \UXXXXXXXX for all else.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'u' || text[i + 1] == 'U');
    if (!escape) {
      base::append_utf8(out, static_cast<unsigned char>(text[i]));
      continue;
    }
    const std::size_t digits = text[i + 1] == 'u' ? 4 : 8;
    if (i + 2 + digits > text.size()) return std::nullopt;
    std::uint32_t code = 0;
    const char* const first = text.data() + i + 2;
    const auto [end, error] = std::from_chars(first, first + digits, code, 16);
    if (error != std::errc() || end != first + digits || code > 0x10ffff) return std::nullopt;
    base::append_utf8(out, code);
    i += 1 + digits;
  }
  return out;
}

// The rest of the line after an instruction; moves on.
std::optional<std::string_view> argument(std::string_view& rest) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto text = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return text;
}

}  // namespace

std::vector<std::string> pickled_names(std::string_view pickle) {
  std::vector<std::string> names;
  std::optional<std::string> name;
  if (pickle.substr(0, 2) != "(l") return {};
  pickle.remove_prefix(2);
  while (!pickle.empty()) {
    const char instruction = pickle.front();
    pickle.remove_prefix(1);
    if (instruction == '.') return pickle.empty() && !name ? names : std::vector<std::string>();
    if (instruction == 'a') {
      if (!name) return {};
      names.push_back(std::move(*name));
      name.reset();
      continue;
    }
    const auto text = argument(pickle);
    if (!text) return {};
    if (instruction == 'p') continue;  // remembers the object for later
    if (name) return {};
    if (instruction == 'V') name = unescaped(*text);
    if (instruction == 'I') name = std::string(*text);
    if (!name) return {};
  }
  return {};
}

}  // namespace h5score::storage
