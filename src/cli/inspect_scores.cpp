// What `inspect` says of a score file or part file.
#include "inspect_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace h5score::cli {
namespace {

using base::u64;
using run::Table;
using enum Table::Align;

constexpr double nanosecond = 1e-9;

std::string time_text(base::i64 ns) {
  return ns > 0 ? run::utc_text(ns / 1'000'000'000) : "?";
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

// "name=z hash=1b2c precision=float32" of an object, else the value itself.
std::string value_text(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return value.dump();
  std::string text;
  for (const auto& [key, item] : value.items())
    text +=
        fmt::format("{}{}={}", text.empty() ? "" : " ", key, item.is_string() ? item.get<std::string>() : item.dump());
  return text;
}

// The identity is JSON of the program's own; it is shown whatever fields this or another version wrote.
std::string identity_text(const std::string& identity, const run::TextStyle& style) {
  constexpr std::size_t most = 3;
  const auto json = nlohmann::ordered_json::parse(identity, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return {};
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_array()) {
      facts.emplace_back(key, value_text(value));
      continue;
    }
    for (std::size_t i = 0; i < std::min(value.size(), most); ++i)
      facts.emplace_back(i == 0 ? key : "", value_text(value[i]));
    if (value.size() > most) facts.emplace_back("", fmt::format("... {} more", value.size() - most));
  }
  return "\nIdentity (what a resumed run must agree with):\n" + run::fact_lines(facts, style);
}

}  // namespace

std::string describe_score_file(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  return headline(scores) + '\n' + columns_text(scores, style) + tables_text(scores, style) +
         inputs_text(scores, style) + runs_text(scores, style) + identity_text(scores.identity, style);
}

}  // namespace h5score::cli
