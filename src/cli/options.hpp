// A subcommand's options as one table, from which come parsing (by Boost.Program_options), the configuration file and
// the help page.
#pragma once

#include "h5score/base/types.hpp"

#include <map>
#include <string>
#include <vector>

namespace h5score::cli {

using base::u64;

enum class OptionKind : base::u8 {
  flag,
  value,
  list,  ///< any number of arguments, also by repetition
};

struct OptionSpec {
  const char* name;  ///< without dashes
  char letter;       ///< short form, or 0
  OptionKind kind;
  const char* argument;  ///< "FILE", for the help; "" for a flag
  const char* help;
  bool tuning = false;  ///< listed apart, after the everyday options
};

/// What a person can know of a subcommand without running it.
struct CommandSpec {
  const char* name;
  const char* alias;      ///< or ""
  const char* summary;    ///< one line for the list of commands
  const char* usage;      ///< after "h5score NAME "
  const char* paragraph;  ///< what it does
  std::vector<OptionSpec> options;
  const char* operands = "";  ///< what stands without an option ("FILE"), or "" where nothing may
  u64 least_operands = 0;
  u64 most_operands = 0;
  const char* closing = "";  ///< examples and notes, printed as they are
};

/// What was given, by option name.
class Options {
 public:
  [[nodiscard]] bool given(const std::string& name) const { return values_.contains(name); }
  /// The value of an option that takes one, or `otherwise`.
  [[nodiscard]] std::string value(const std::string& name, const std::string& otherwise = {}) const;
  [[nodiscard]] std::vector<std::string> list(const std::string& name) const;
  [[nodiscard]] bool flag(const std::string& name) const { return value(name) == "yes"; }
  [[nodiscard]] const std::vector<std::string>& operands() const { return operands_; }

 private:
  friend Options parse(const CommandSpec& spec, const std::vector<std::string>& arguments);
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> operands_;
};

/// Parses the arguments after the subcommand's name. Where the command has an option `config` and it is given, the file
/// ("name = value" lines with the long names, # begins a comment) fills in what the command line leaves open. Throws
/// Error(usage) that names the option, and the nearest known one for an unknown one; Error(no_input) for the file.
Options parse(const CommandSpec& spec, const std::vector<std::string>& arguments);

/// The help page, at most `width` columns wide.
std::string help_text(const CommandSpec& spec, u64 width);

}  // namespace h5score::cli
