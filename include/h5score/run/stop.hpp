// Signals that ask a run to end early and stay resumable. main installs the handlers first; the job asks between
// blocks.
#pragma once

namespace h5score::run {

/// USR1, TERM and INT only set a flag from now on; a second INT ends the process at once, as a person at a terminal
/// expects. SIGPIPE is ignored: a closed pipe is an error of the write that meets it.
void install_signal_handlers();

/// TERM, INT and USR1 end the process from now on, as without install_signal_handlers(), also if one came before: for
/// commands that have nothing to finish.
void end_on_signals();

/// The signal that asked this process to stop, or 0.
int stop_signal();

}  // namespace h5score::run
