// A subcommand: setup() only parses, run() does the work by calling one function of the modules below.
#pragma once

#include "h5score/comm/launch.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/run/verify_job.hpp"

#include "options.hpp"

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace h5score::cli {

/// What a subcommand knows besides its own options.
struct Invocation {
  std::string command_line;  ///< as typed, quoted for a shell
  comm::Launch launch;
  [[nodiscard]] bool root() const { return launch.rank.value_or(0) == 0; }
};

class Command {
 public:
  virtual ~Command() = default;
  /// Checks the options; opens nothing but lists that an option names. Throws Error(usage), Error(no_input).
  virtual void setup(const Options& options) = 0;
  /// Returns the exit code. Throws base::Error.
  virtual int run(const Invocation& invocation) = 0;
};

/// One line of the table of subcommands.
struct CommandEntry {
  const CommandSpec& (*spec)();
  std::unique_ptr<Command> (*make)();
};
std::span<const CommandEntry> commands();

const CommandSpec& score_spec();
std::unique_ptr<Command> make_score();
const CommandSpec& inspect_spec();
std::unique_ptr<Command> make_inspect();
const CommandSpec& convert_spec();
std::unique_ptr<Command> make_convert();
const CommandSpec& verify_spec();
std::unique_ptr<Command> make_verify();

/// Turns the options of `score` into the job's; throws Error(usage), and Error(no_input) for --input-list. Apart for
/// tests.
run::ScoreOptions score_options(const Options& options);

/// Likewise those of `verify`.
run::VerifyOptions verify_options(const Options& options);

/// The page that `h5score` alone prints.
std::string short_help();
/// "h5score 0.1.0" and the versions of what it was built with and runs with, one a line.
std::string version_text();
/// The same as name and version, for the records of a run.
std::vector<std::pair<std::string, std::string>> versions();

}  // namespace h5score::cli
