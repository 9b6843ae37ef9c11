// UTF-8 validity, by RFC 3629 section 4, and texts for messages.
#include "printable.hpp"

#include "h5score/base/types.hpp"

#include <cstddef>

namespace h5score::format {
namespace {

struct Lead {
  std::size_t following;  // continuation bytes
  base::u8 low, high;     // range of the first of them
};

// What may follow the lead byte; `following` is 9 for a byte that cannot lead.
Lead lead_of(base::u8 byte) {
  if (byte < 0x80) return {0, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {9, 0, 0};
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Lead lead = lead_of(static_cast<base::u8>(text[i]));
    if (lead.following >= text.size() - i) return false;
    for (std::size_t k = 1; k <= lead.following; ++k) {
      const auto byte = static_cast<base::u8>(text[i + k]);
      const bool first = k == 1;
      if (byte < (first ? lead.low : 0x80) || byte > (first ? lead.high : 0xBF)) return false;
    }
    i += 1 + lead.following;
  }
  return true;
}

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::string result(text.substr(0, longest));
  const bool keep_others = is_utf8(result);
  for (char& c : result) {
    const auto byte = static_cast<base::u8>(c);
    if (byte < 0x20 || byte == 0x7F || (byte > 0x7F && !keep_others)) c = '?';
  }
  return "'" + result + (text.size() > longest ? "...'" : "'");
}

}  // namespace h5score::format
