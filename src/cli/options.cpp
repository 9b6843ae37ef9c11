// Parsing by Boost.Program_options, its errors in our own words.
#include "options.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/nearest.hpp"
#include "h5score/base/text_file.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <sstream>

namespace h5score::cli {
namespace {

namespace po = boost::program_options;
using base::Error;
using base::ExitCode;

po::options_description description_of(const CommandSpec& spec) {
  po::options_description description;
  for (const auto& option : spec.options) {
    std::string name = option.name;
    if (option.letter != 0) name += std::string(",") + option.letter;
    if (option.kind == OptionKind::flag) {
      description.add_options()(name.c_str(), po::bool_switch(), "");
    } else if (option.kind == OptionKind::value) {
      description.add_options()(name.c_str(), po::value<std::string>(), "");
    } else {
      description.add_options()(name.c_str(), po::value<std::vector<std::string>>()->multitoken(), "");
    }
  }
  return description;
}

std::string did_you_mean(const CommandSpec& spec, const std::string& word, const std::string& dashes) {
  std::vector<std::string> names;
  for (const auto& option : spec.options) names.emplace_back(option.name);
  const std::string guess = base::nearest(word, names);
  if (!guess.empty()) return fmt::format("did you mean {}{}?", dashes, guess);
  return fmt::format("see h5score {} --help", spec.name);
}

std::string bare(std::string name) {
  name.erase(0, name.find_first_not_of('-'));
  return name.substr(0, name.find('='));
}

[[noreturn]] void unknown_option(const CommandSpec& spec, const std::string& typed) {
  const std::string word = bare(typed);
  throw Error(ExitCode::usage, fmt::format("{}{}: unknown option", typed.starts_with("--") ? "--" : "-", word), {},
              did_you_mean(spec, word, "--"));
}

// Boost's own texts are not in our message grammar; the kinds of its errors are few.
template <class Parse>
auto in_our_words(const CommandSpec& spec, Parse parse) {
  try {
    return parse();
  } catch (const po::unknown_option& e) {
    unknown_option(spec, e.get_option_name());
  } catch (const po::multiple_occurrences& e) {
    throw Error(ExitCode::usage, fmt::format("--{}: given more than once", bare(e.get_option_name())));
  } catch (const po::invalid_command_line_syntax& e) {
    const std::string name = bare(e.get_option_name());
    if (e.kind() == po::invalid_syntax::extra_parameter)
      throw Error(ExitCode::usage, fmt::format("--{}: takes no value", name));
    throw Error(ExitCode::usage, fmt::format("--{}: a value is missing", name), {},
                fmt::format("see h5score {} --help", spec.name));
  } catch (const po::validation_error& e) {  // only flags of a configuration file have values that Boost checks
    throw Error(ExitCode::usage, fmt::format("--{}: expected yes or no", bare(e.get_option_name())));
  } catch (const po::error& e) {
    throw Error(ExitCode::usage, e.what(), {}, fmt::format("see h5score {} --help", spec.name));
  }
}

po::parsed_options parse_config(const CommandSpec& spec, const po::options_description& description,
                                const std::string& text) {
  std::istringstream file(text);
  try {
    auto parsed = po::parse_config_file(file, description, true);
    for (const auto& option : parsed.options)
      if (option.unregistered || option.string_key == "config" || option.string_key == "help")
        throw Error(ExitCode::usage, fmt::format("unknown key '{}'", option.string_key), {},
                    did_you_mean(spec, option.string_key, ""));
    return parsed;
  } catch (const po::invalid_config_file_syntax& e) {
    throw Error(ExitCode::usage, fmt::format("the line '{}' is not 'name = value'", e.tokens()));
  }
}

std::vector<std::string> text_of(const po::variable_value& value) {
  if (const auto* list = boost::any_cast<std::vector<std::string>>(&value.value())) return *list;
  if (const auto* flag = boost::any_cast<bool>(&value.value())) return {*flag ? "yes" : "no"};
  return {value.as<std::string>()};
}

void check_operands(const CommandSpec& spec, const std::vector<std::string>& operands) {
  if (operands.size() < spec.least_operands)
    throw Error(ExitCode::usage, fmt::format("{} is missing", spec.operands), {},
                fmt::format("usage: h5score {} {}", spec.name, spec.usage));
  if (operands.size() > spec.most_operands)
    throw Error(ExitCode::usage, fmt::format("unexpected argument '{}'", operands[spec.most_operands]), {},
                fmt::format("usage: h5score {} {}", spec.name, spec.usage));
}

}  // namespace

std::string Options::value(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? otherwise : found->second.front();
}

std::vector<std::string> Options::list(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Options parse(const CommandSpec& spec, const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  const po::options_description description = description_of(spec);
  po::variables_map map;
  Options options;
  in_our_words(spec, [&] {
    // No guessing of abbreviated names: an abbreviation in a job script would break when an option is added.
    auto parsed =
        po::command_line_parser(arguments).options(description).style(style::unix_style & ~style::allow_guessing).run();
    std::erase_if(parsed.options, [&](const po::option& option) {
      if (option.position_key < 0) return false;
      options.operands_.insert(options.operands_.end(), option.value.begin(), option.value.end());
      return true;
    });
    po::store(parsed, map);
  });
  if (map.count("config") > 0) {
    const auto path = map["config"].as<std::string>();
    constexpr base::u64 most_bytes = base::u64{1} << 24;
    const std::string text = base::read_text_file(path, most_bytes);
    try {
      in_our_words(spec, [&] { po::store(parse_config(spec, description, text), map); });
    } catch (const Error& e) {
      throw e.in(path);
    }
  }
  for (const auto& [name, value] : map)
    if (!value.empty() && !value.defaulted()) options.values_[name] = text_of(value);
  check_operands(spec, options.operands_);
  return options;
}

}  // namespace h5score::cli
