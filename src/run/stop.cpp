// Signals that ask a run to end early.
#include "h5score/run/stop.hpp"

#include <atomic>
#include <csignal>

namespace h5score::run {
namespace {

// A signal handler can reach nothing but globals; only lock-free atomics are allowed in it.
std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free);

void remember(int signal) {
  received.store(signal, std::memory_order_relaxed);
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);  // fails for invalid signal numbers only
}

}  // namespace

void install_signal_handlers() {
  handle(SIGUSR1, remember, SA_RESTART);
  handle(SIGTERM, remember, SA_RESTART);
  handle(SIGINT, remember, SA_RESTART | static_cast<int>(SA_RESETHAND));
  handle(SIGPIPE, SIG_IGN, 0);
}

void end_on_signals() {
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) handle(signal, SIG_DFL, 0);
  if (const int signal = stop_signal(); signal != 0) std::raise(signal);
}

int stop_signal() {
  return received.load(std::memory_order_relaxed);
}

}  // namespace h5score::run
