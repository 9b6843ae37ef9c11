// The clock of a run's phases. Private to run.
#pragma once

#include <chrono>

namespace h5score::run {

/// Seconds since some moment before the program began; never goes back.
[[nodiscard]] inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace h5score::run
