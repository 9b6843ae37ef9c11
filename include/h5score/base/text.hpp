// Counts as a person reads them, and characters in UTF-8.
#pragma once

#include "h5score/base/types.hpp"

#include <string>
#include <string_view>

namespace h5score::base {

/// With commas between thousands: "70,000".
std::string format_count(u64 value);
/// "1 class", "3 classes", "70,000 rows"; an empty `many` is `one` and an s.
std::string plural(u64 n, std::string_view one, std::string_view many = {});
/// Appends a character by its code point, at most 0x1FFFFF, which is not checked (surrogates are encoded as they are).
void append_utf8(std::string& text, u32 code);

}  // namespace h5score::base
