// What `inspect` says of a score file or part file.
#include "inspect_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>

namespace h5score::cli {
namespace {

using base::u64;
using run::Table;
using enum Table::Align;

constexpr double nanosecond = 1e-9;

std::string time_text(base::i64 ns) {
  if (ns <= 0) return "?";
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(ns / 1'000'000'000)));
}

std::string headline(const storage::ScoreDescription& scores) {
  if (scores.complete()) return fmt::format("{}: score file, {} rows\n", scores.path, run::format_count(scores.rows));
  const double part = scores.rows == 0 ? 1 : static_cast<double>(scores.rows_done()) / static_cast<double>(scores.rows);
  return fmt::format(
      "{}: unfinished score file, {:.1f} % done\n  {} of {} blocks, {} of {} rows; resume it with the "
      "command below and --resume\n",
      scores.path, part * 100, run::format_count(scores.blocks_done()), run::format_count(scores.blocks()),
      run::format_count(scores.rows_done()), run::format_count(scores.rows));
}

std::string columns_text(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  Table table({left, right, left, right});
  table.add({"dataset", "shape", "type", "bytes"});
  for (const auto& column : scores.columns) {
    std::vector<u64> shape{scores.rows};
    shape.insert(shape.end(), column.row_shape.begin(), column.row_shape.end());
    const double bytes = static_cast<double>(scores.rows) * static_cast<double>(column.row_bytes());
    table.add({column.path, shape_text(shape), base::to_string(column.type), run::format_bytes(bytes)});
  }
  return table.text(style);
}

std::string tables_text(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  Table table({left, left});
  for (const auto& labels : scores.tables) {
    std::vector<std::string> words;
    std::visit(
        [&](const auto& values) {
          for (const auto& value : values) words.push_back(fmt::format("{}", value));
        },
        labels.labels);
    table.add({labels.path, fmt::format("{}: {}", words.size(), list_text(words, style.width - 26))});
  }
  return scores.tables.empty() ? "" : "\n" + table.text(style);
}

std::string inputs_text(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  constexpr std::size_t most = 12;
  Table table({left, left, right, right, left});
  table.add({"input", "dataset", "first row", "rows", "modified"});
  const std::size_t n = scores.inputs.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (n > most && i == most / 2) {
      table.add({fmt::format("... {} more", n - most)});
      i = n - most / 2;
    }
    const auto& input = scores.inputs[i];
    table.add({input.path, input.dataset, run::format_count(input.first_row), run::format_count(input.rows),
               time_text(input.mtime_ns)});
  }
  return '\n' + table.text(style);
}

std::string runs_text(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  std::string text = "\nRuns:\n";
  for (const auto& run : scores.runs) {
    const bool ended = run.end_ns > 0;
    std::string line = fmt::format(
        "{}, {}, {} rank{} from {}", time_text(run.start_ns),
        ended ? run::format_duration(static_cast<double>(run.end_ns - run.start_ns) * nanosecond) : "running or killed",
        run.ranks, run.ranks == 1 ? "" : "s", run.host);
    if (!run.job.empty()) line += ", job " + run.job;
    line += ", h5score " + run.version;
    if (ended) line += fmt::format(", {} blocks", run::format_count(run.blocks));
    text += "  " + run::wrap(line, style.width - 2, 4) + "\n    " + run.command + '\n';
  }
  return text;
}

// The identity is JSON of the program's own; one line per value shows all of it whatever its version.
std::string identity_text(const std::string& identity, const run::TextStyle& style) {
  const auto json = nlohmann::ordered_json::parse(identity, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return {};
  Table table({left, left});
  const nlohmann::ordered_json flat = json.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::string key = pointer.substr(1);
    for (char& c : key)
      if (c == '/') c = '.';
    table.add({key, value.is_string() ? value.get<std::string>() : value.dump()});
  }
  return "\nIdentity (what a resumed run must agree with):\n" + table.text(style);
}

}  // namespace

std::string describe_score_file(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  return headline(scores) + '\n' + columns_text(scores, style) + tables_text(scores, style) +
         inputs_text(scores, style) + runs_text(scores, style) + identity_text(scores.identity, style);
}

}  // namespace h5score::cli
