// How a rank waits without work: first it yields, for the shortest latency, then it sleeps, so that more ranks than
// cores do not starve the ones that work. A pause stays below the longest progress gap the engine allows (0.25 ms).
#pragma once

#include <sched.h>

#include <ctime>

namespace h5score::comm {

class Backoff {
 public:
  void pause() {
    if (++pauses_ <= yields) {
      sched_yield();
      return;
    }
    const timespec nap{0, 50'000};
    nanosleep(&nap, nullptr);
  }
  void reset() { pauses_ = 0; }

 private:
  static constexpr unsigned yields = 200;
  unsigned pauses_ = 0;
};

}  // namespace h5score::comm
