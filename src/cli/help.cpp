// Help pages.
#include "h5score/run/text.hpp"

#include "options.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace h5score::cli {
namespace {

constexpr u64 help_column = 28;

std::string option_line(const OptionSpec& option, u64 width) {
  std::string left = option.letter != 0 ? fmt::format("  -{}, ", option.letter) : std::string("  ");
  left += fmt::format("--{}", option.name);
  if (option.argument[0] != '\0') left += fmt::format(" {}", option.argument);
  if (option.kind == OptionKind::list) left += "...";
  if (left.size() + 2 > help_column)
    left += '\n' + std::string(help_column, ' ');
  else
    left.resize(help_column, ' ');
  const std::string text = run::wrap(option.help, width - help_column);
  std::string indented;
  for (const char c : text) {
    indented += c;
    if (c == '\n') indented.append(help_column, ' ');
  }
  return left + indented + '\n';
}

std::string option_lines(const CommandSpec& spec, bool tuning, u64 width) {
  std::string text;
  for (const auto& option : spec.options)
    if (option.tuning == tuning) text += option_line(option, width);
  return text;
}

}  // namespace

std::string help_text(const CommandSpec& spec, u64 width) {
  width = std::clamp<u64>(width, 80, 100);
  std::string text = "Usage: " + run::wrap(fmt::format("h5score {} {}", spec.name, spec.usage), width - 7, 9) + "\n\n";
  text += run::wrap(spec.paragraph, width) + "\n\nOptions:\n" + option_lines(spec, false, width);
  if (const std::string tuning = option_lines(spec, true, width); !tuning.empty())
    text += "\nTuning (the defaults suit most runs; only --precision changes scores):\n" + tuning;
  if (spec.closing[0] != '\0') text += fmt::format("\n{}", spec.closing);
  return text;
}

}  // namespace h5score::cli
