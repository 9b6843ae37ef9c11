// Counts with commas and the right noun.
#include "h5score/base/text.hpp"

namespace h5score::base {

std::string format_count(u64 value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string plural(u64 n, std::string_view one, std::string_view many) {
  std::string text = format_count(n) + " ";
  text += n == 1 || many.empty() ? one : many;
  if (n != 1 && many.empty()) text += "s";
  return text;
}

void append_utf8(std::string& text, u32 code) {
  const auto put = [&](u32 byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0U | code >> 6);
    put(0x80U | (code & 0x3fU));
  } else if (code < 0x10000) {
    put(0xe0U | code >> 12);
    put(0x80U | (code >> 6 & 0x3fU));
    put(0x80U | (code & 0x3fU));
  } else {
    put(0xf0U | (code >> 18 & 7U));
    put(0x80U | (code >> 12 & 0x3fU));
    put(0x80U | (code >> 6 & 0x3fU));
    put(0x80U | (code & 0x3fU));
  }
}

}  // namespace h5score::base
