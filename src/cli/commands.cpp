// The table of subcommands and the page that lists it.
#include "command.hpp"

#include <fmt/format.h>

#include <array>

namespace h5score::cli {

std::span<const CommandEntry> commands() {
  static constexpr std::array<CommandEntry, 4> table{{
      {score_spec, make_score},
      {inspect_spec, make_inspect},
      {verify_spec, make_verify},
      {convert_spec, make_convert},
  }};
  return table;
}

std::string short_help() {
  std::string text =
      "h5score scores the rows of large HDF5 files with trained models, on one machine or under mpirun and srun.\n\n"
      "Usage: h5score COMMAND [options]\n\nCommands:\n";
  for (const auto& entry : commands()) {
    const CommandSpec& spec = entry.spec();
    text += fmt::format("  {:<10}{}\n", spec.name, spec.summary);
  }
  return text +
         "\n"
         "  h5score COMMAND --help    options and examples of a command\n"
         "  h5score --version         versions of the program and of its libraries\n\n"
         "A first run:\n"
         "  h5score inspect data.h5\n"
         "  h5score score --model model.h5 --input data.h5 --output scores.h5 --dry-run\n";
}

}  // namespace h5score::cli
