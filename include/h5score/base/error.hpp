// The one exception type of h5score and the process exit codes (sysexits.h values; part of the command-line contract).
#pragma once

#include <stdexcept>
#include <string>

namespace h5score::base {

enum class ExitCode : int {
  ok = 0,
  usage = 64,        ///< the command line is wrong
  data = 65,         ///< bad input data or a bad model
  no_input = 66,     ///< an input does not exist or cannot be read
  internal = 70,     ///< a bug of ours
  cant_create = 73,  ///< the output cannot be created
  io = 74,           ///< an I/O error while running
  stopped = 75,      ///< stopped early, resumable
};

/// An error as a person reads it: `problem (why); suggestion`. Empty parts are left out.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& problem, const std::string& why = {}, const std::string& suggestion = {});
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

  /// The same error with `prefix: ` in front, for adding a file, a dataset or a rank on the way up.
  [[nodiscard]] Error in(const std::string& prefix) const;

 private:
  Error(ExitCode code, const std::string& message, int) : std::runtime_error(message), code_(code) {}
  ExitCode code_;
};

/// `strerror(errno_value)` as a string, thread-safe.
std::string errno_text(int errno_value);

}  // namespace h5score::base
