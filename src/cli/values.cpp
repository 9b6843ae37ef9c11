// Parsing of single values.
#include "values.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/text_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <sstream>

namespace h5score::cli {
namespace {

using base::Error;
using base::ExitCode;

[[noreturn]] void bad_value(const std::string& option, const std::string& text, const std::string& expected) {
  throw Error(ExitCode::usage, fmt::format("--{}: '{}' is not valid", option, text), {}, "expected " + expected);
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || at != end || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// "A:B" with either end optional; nothing where it is malformed or empty.
bool is_range(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto first = text.substr(0, colon);
  const auto last = text.substr(colon + 1);
  const auto a = first.empty() ? std::optional<u64>(0) : number<u64>(first);
  const auto b = last.empty() ? std::optional<u64>(std::numeric_limits<u64>::max()) : number<u64>(last);
  return a && b && *a < *b;
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

u64 parse_count(const std::string& option, const std::string& text, u64 least) {
  const auto value = number<u64>(text);
  if (!value || *value < least) bad_value(option, text, fmt::format("a whole number from {} on", least));
  return *value;
}

u64 parse_size(const std::string& option, const std::string& text) {
  struct Unit {
    std::string_view name;
    double factor;
  };
  static constexpr double k = 1024;
  static constexpr std::array<Unit, 18> units{{{"", 1},
                                               {"B", 1},
                                               {"K", k},
                                               {"k", k},
                                               {"KiB", k},
                                               {"kB", 1e3},
                                               {"KB", 1e3},
                                               {"M", k * k},
                                               {"MiB", k * k},
                                               {"MB", 1e6},
                                               {"G", k * k * k},
                                               {"GiB", k * k * k},
                                               {"GB", 1e9},
                                               {"T", k * k * k * k},
                                               {"TiB", k * k * k * k},
                                               {"TB", 1e12},
                                               {"m", k * k},
                                               {"g", k * k * k}}};
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto value = number<double>(std::string_view(text).substr(0, digits));
  const auto suffix = std::string_view(text).substr(digits);
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == suffix; });
  const double bytes = value && unit != units.end() ? *value * unit->factor : 0;
  if (!(bytes >= 1) || bytes > 9e18) bad_value(option, text, "a size such as 512M, 2G or 1.5GiB");
  return static_cast<u64>(bytes);
}

double parse_duration(const std::string& option, const std::string& text) {
  const std::string expected = "seconds, 90m, 2h, HH:MM:SS or D-HH:MM:SS";
  if (text.empty()) bad_value(option, text, expected);
  static constexpr std::string_view letters = "smhd";
  static constexpr std::array seconds{1.0, 60.0, 3600.0, 86400.0};
  const auto letter = letters.find(text.back());
  if (letter != std::string_view::npos || text.find_first_of(":-") == std::string::npos) {
    const bool plain = letter == std::string_view::npos;
    const auto value = number<double>(std::string_view(text).substr(0, text.size() - (plain ? 0 : 1)));
    if (!value || !std::isfinite(*value) || *value < 0) bad_value(option, text, expected);
    return *value * (plain ? 1.0 : seconds[letter]);
  }
  const auto dash = text.find('-');
  const bool days_given = dash != std::string::npos;
  const auto days =
      days_given ? number<base::u32>(std::string_view(text).substr(0, dash)) : std::optional<base::u32>(0);
  const auto fields = split(std::string_view(text).substr(days_given ? dash + 1 : 0), ':');
  if (!days || fields.size() > 3 || (!days_given && fields.size() < 2)) bad_value(option, text, expected);
  // With days the first field is hours; without, the last is seconds.
  double scale = days_given || fields.size() == 3 ? 3600 : 60;
  double total = 86400.0 * *days;
  for (const auto& field : fields) {
    const auto value = number<base::u32>(field);
    if (!value) bad_value(option, text, expected);
    total += *value * scale;
    scale /= 60;
  }
  return total;
}

std::string parse_range(const std::string& option, const std::string& text) {
  if (!is_range(text)) bad_value(option, text, "A:B with A < B, rows A to B-1 counted from 0");
  return text;
}

std::vector<double> parse_numbers(const std::string& option, std::span<const std::string> arguments) {
  std::vector<double> numbers;
  for (const auto& argument : arguments)
    for (const auto& part : split(argument, ',')) {
      const auto value = number<double>(part);
      if (!value) bad_value(option, argument, "numbers such as 99 or -9999,-99");
      if (!std::isnan(*value)) numbers.push_back(*value);
    }
  return numbers;
}

std::vector<run::FillValue> parse_fills(const std::string& option, std::span<const std::string> arguments) {
  std::vector<run::FillValue> fills;
  std::set<std::string> seen;
  for (const auto& argument : arguments)
    for (const auto& part : split(argument, ',')) {
      const auto equals = part.rfind('=');
      const auto value = equals == std::string::npos ? std::nullopt : number<double>(part.substr(equals + 1));
      if (!value || !std::isfinite(*value) || equals == 0)
        bad_value(option, argument, "NAME=V with a number V, such as mag_u=27.8,mag_y=26.1");
      fills.push_back({part.substr(0, equals), *value});
      if (!seen.insert(fills.back().name).second)
        throw Error(ExitCode::usage, fmt::format("--{}: {} is given twice", option, fills.back().name));
    }
  return fills;
}

run::MissingFeatures parse_missing_features(const std::string& option, const std::string& text) {
  using Policy = run::MissingFeatures::Policy;
  if (text == "error") return {};
  if (text == "mean") return {.policy = Policy::mean, .value = 0};
  const auto value = number<double>(text);
  if (!value || std::isinf(*value)) bad_value(option, text, "error, mean or a number");
  return {.policy = Policy::value, .value = *value};
}

base::u32 parse_compression(const std::string& text) {
  if (text.size() != 6 || !text.starts_with("gzip:") || text[5] < '1' || text[5] > '9')
    throw Error(ExitCode::usage, fmt::format("--compress {}", text), "it is not gzip:N with N from 1 to 9",
                "say for example --compress gzip:4");
  return static_cast<base::u32>(text[5] - '0');
}

run::ProgressMode parse_progress(const std::string& text) {
  using enum run::ProgressMode;
  static const std::array<std::string, 4> names{"auto", "bar", "lines", "none"};
  static constexpr std::array modes{automatic, bar, lines, none};
  return modes[parse_choice("progress", text, names)];
}

run::ModelArgument parse_model(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || text.substr(0, equals).find('/') != std::string::npos) {
    if (text.empty()) throw Error(ExitCode::usage, "--model: an empty file name");
    return {"", text};
  }
  run::ModelArgument model{text.substr(0, equals), text.substr(equals + 1)};
  if (model.name.empty() || model.path.empty()) bad_value("model", text, "FILE or NAME=FILE");
  return model;
}

void check_model_names(std::span<const run::ModelArgument> models) {
  static const std::set<std::string> taken{"prediction", "label",  "probability", "decision", "status",
                                           "classes",    "inputs", "targets",     "h5score"};
  static constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+";
  std::set<std::string> seen;
  for (const auto& model : models) {
    if (!seen.insert(model.name).second) {
      if (model.name.empty())
        throw Error(ExitCode::usage, "--model: more than one model without a name", {},
                    "name them, as in --model a=first.h5 b=second.h5");
      throw Error(ExitCode::usage, fmt::format("--model: the name '{}' is given twice", model.name));
    }
    if (model.name.find_first_not_of(allowed) != std::string::npos || model.name.starts_with('.'))
      throw Error(ExitCode::usage, fmt::format("--model: '{}' cannot name a group of the score file", model.name), {},
                  fmt::format("use letters, digits and _ - . + (or ./{}=... if that is a path)", model.name));
    if (taken.contains(model.name))
      throw Error(ExitCode::usage,
                  fmt::format("--model: the name '{}' is taken by a dataset of the score file", model.name), {},
                  "choose another name");
  }
}

void check_output(const std::string& option, const std::string& output, std::span<const std::string> sources,
                  const std::string& what) {
  const std::string target = absolute(output);
  for (const auto& source : sources) {
    if (source.empty()) throw Error(ExitCode::usage, fmt::format("the name of {} is empty", what));
    if (absolute(source) == target)
      throw Error(ExitCode::usage, fmt::format("--{} {}: the same file as {}", option, output, what), {},
                  "choose another name");
    if (source.find_first_of("*?[") != std::string::npos &&
        fnmatch(absolute(source).c_str(), target.c_str(), FNM_PATHNAME) == 0)
      throw Error(ExitCode::usage, fmt::format("--{} {}: the name matches {} '{}'", option, output, what, source),
                  "a later run would read it as input", "choose another name or folder");
  }
}

std::size_t parse_choice(const std::string& option, const std::string& text, std::span<const std::string> choices) {
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found == choices.end()) bad_value(option, text, fmt::format("{}", fmt::join(choices, ", ")));
  return static_cast<std::size_t>(found - choices.begin());
}

std::vector<std::string> read_list(const std::string& option, const std::string& path) {
  constexpr u64 most_bytes = u64{1} << 28;
  std::istringstream file(base::read_text_file(path, most_bytes));
  std::vector<std::string> lines;
  constexpr const char* blanks = " \t\r";
  for (std::string line; std::getline(file, line);) {
    const auto begin = line.find_first_not_of(blanks);
    if (begin == std::string::npos || line[begin] == '#') continue;
    lines.push_back(line.substr(begin, line.find_last_not_of(blanks) + 1 - begin));
  }
  if (lines.empty()) throw Error(ExitCode::usage, fmt::format("--{} {}: names no file", option, path));
  return lines;
}

std::vector<std::string> split_commas(std::span<const std::string> arguments) {
  std::vector<std::string> words;
  for (const auto& argument : arguments)
    for (auto& word : split(argument, ','))
      if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::string shell_quoted(std::string_view argument) {
  static constexpr std::string_view harmless =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+,/:=@%^";
  if (!argument.empty() && argument.find_first_not_of(harmless) == std::string_view::npos) return std::string(argument);
  std::string quoted = "'";
  for (const char c : argument) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace h5score::cli
