// The version of h5score, as in CMakeLists.txt.
#pragma once

namespace h5score::base {

/// "0.1.0"
[[nodiscard]] const char* version();

}  // namespace h5score::base
