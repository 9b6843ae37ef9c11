// Signals that threads of ours do not take.
#pragma once

#include <csignal>

namespace h5score::base {

/// Threads that are started while it lives take no signals, so that these stay the main thread's. Those that an
/// instruction raises (SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP) stay as they are: blocked, they would end the process
/// without its handlers (sigprocmask(2)).
class BlockedSignals {
 public:
  BlockedSignals() noexcept;
  ~BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace h5score::base
