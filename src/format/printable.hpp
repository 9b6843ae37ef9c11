// Texts from model files: names end up in JSON reports and in HDF5 strings marked as UTF-8, and messages on terminals.
#pragma once

#include <string>
#include <string_view>

namespace h5score::format {

/// True if `text` is well-formed UTF-8 (RFC 3629: no overlong forms, surrogates or values above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text);

/// The beginning of `text` between quotation marks, for messages: control characters, and all but ASCII in what is not
/// UTF-8, are shown as question marks.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace h5score::format
