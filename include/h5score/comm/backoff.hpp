// How a rank waits without work: first it yields, for the shortest latency, then it sleeps, so that more ranks than
// cores do not starve the ones that work. A pause stays below the longest progress gap the engine allows (0.25 ms).
#pragma once

#include <sched.h>

#include <chrono>
#include <ctime>

namespace h5score::comm {

class Backoff {
 public:
  void pause() {
    if (pauses_ < yields) {
      ++pauses_;
      const auto start = std::chrono::steady_clock::now();
      sched_yield();
      if (std::chrono::steady_clock::now() - start > long_yield) crowded_waits_ = naps_when_crowded;
      if (crowded_waits_ > 0) pauses_ = yields;
      return;
    }
    const timespec nap{0, 50'000};
    nanosleep(&nap, nullptr);
  }
  void reset() {
    if (crowded_waits_ > 0) --crowded_waits_;
    pauses_ = crowded_waits_ > 0 ? yields : 0;
  }

 private:
  static constexpr unsigned yields = 1000;
  /// Somebody else uses the core: who yields gets it back late, who sleeps is preferred when he wakes.
  static constexpr std::chrono::microseconds long_yield{200};
  static constexpr unsigned naps_when_crowded = 100;  ///< so many waits begin with a nap then

  unsigned pauses_ = 0;
  unsigned crowded_waits_ = 0;
};

}  // namespace h5score::comm
