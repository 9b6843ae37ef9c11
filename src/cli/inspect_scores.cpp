// What `inspect` says of a score file or part file.
#include "h5score/base/row_ranges.hpp"
#include "h5score/run/resume.hpp"
#include "h5score/storage/score_file.hpp"
#include "h5score/storage/writer_state.hpp"

#include "inspect_text.hpp"
#include "values.hpp"

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

bool is_part(const storage::ScoreDescription& scores) {
  return scores.path.ends_with(storage::part_path(""));
}

std::string plural(u64 n, const char* noun) {
  return fmt::format("{} {}{}", run::format_count(n), noun, n == 1 ? "" : "s");
}

std::string headline(const storage::ScoreDescription& scores) {
  if (scores.complete() && !is_part(scores))
    return fmt::format("{}: score file, {}\n", scores.path, plural(scores.rows, "row"));
  if (scores.complete())
    return fmt::format("{}: score file, complete, not renamed yet, {}\n", scores.path, plural(scores.rows, "row"));
  const double part = scores.rows == 0 ? 1 : static_cast<double>(scores.rows_done()) / static_cast<double>(scores.rows);
  return fmt::format("{}: unfinished score file, {:.1f} % done\n", scores.path, part * 100);
}

// Which run wrote last, and whether it still does.
std::string writer_text(const storage::ScoreDescription& scores) {
  if (scores.runs.empty()) return "no run";
  const auto& run = scores.runs.back();
  const std::string who =
      fmt::format("process {} on {}{}", run.pid, run.host, run.job.empty() ? "" : ", job " + run.job);
  // What tells a run on another host, of a file system without locks, from one that was killed.
  const base::i64 alive_ns = scores.alive_ns.back();
  const std::string seen = alive_ns > 0 ? ", last sign of life " + time_text(alive_ns) : "";
  switch (storage::writer_of(scores)) {
    case storage::WriterState::running:
      return fmt::format("running now: {}, since {}{}", who, time_text(run.start_ns), seen);
    case storage::WriterState::unknown:
      return fmt::format("running or killed, which cannot be told here: {}, since {}{}", who, time_text(run.start_ns),
                         seen);
    case storage::WriterState::nobody:
      break;
  }
  if (run.end_ns > 0) return fmt::format("not running: {} ended at {}", who, time_text(run.end_ns));
  return fmt::format("not running: {}, begun at {}{}, was killed", who, time_text(run.start_ns), seen);
}

// The command stands on a line of its own and is never wrapped: it is to be pasted.
std::string resume_text(const storage::ScoreDescription& scores) {
  const auto resume = run::resume_command(scores);
  if (resume.command.empty()) return {};
  const std::string folder = resume.folder.empty() ? "" : "cd " + shell_quoted(resume.folder) + " && ";
  const u64 ranks = scores.runs.empty() ? 1 : scores.runs.back().ranks;
  std::string text = "\nResume it with";
  if (ranks > 1) text += fmt::format(" (on any number of ranks: mpirun -n {} or srun before h5score)", ranks);
  if (resume.cut) text += " (only the beginning of the command is recorded)";
  return text + ":\n  " + folder + resume.command + '\n';
}

// What is done and what is left, who writes, how to go on.
std::string state_text(const storage::ScoreDescription& scores, const run::TextStyle& style) {
  constexpr u64 most_ranges = 8;
  if (scores.complete() && !is_part(scores)) return {};
  std::vector<base::RowRange> left;
  for (u64 block = 0; block < scores.blocks(); ++block)
    if (!storage::ledger_done(scores.ledger[block]))
      left.push_back({scores.boundaries[block], scores.boundaries[block + 1]});
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back(
      "done", fmt::format("{} of {}, {} of {}", run::format_count(scores.rows_done()), plural(scores.rows, "row"),
                          run::format_count(scores.blocks_done()), plural(scores.blocks(), "block")));
  if (!left.empty())
    facts.emplace_back("left",
                       fmt::format("{} in {}: rows {}", plural(scores.rows - scores.rows_done(), "row"),
                                   plural(left.size(), "block"), base::ranges_text(base::joined(left), most_ranges)));
  facts.emplace_back("writer", writer_text(scores));
  return run::fact_lines(facts, style) + resume_text(scores);
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
  const bool running = !scores.runs.empty() && scores.runs.back().end_ns == 0 &&
                       storage::writer_of(scores) != storage::WriterState::nobody;
  for (std::size_t i = 0; i < scores.runs.size(); ++i) {
    const auto& run = scores.runs[i];
    const bool ended = run.end_ns > 0;
    const bool may_run = running && i + 1 == scores.runs.size();
    std::string line =
        fmt::format("{}, {}, {} rank{} from {}", time_text(run.start_ns),
                    ended     ? run::format_duration(static_cast<double>(run.end_ns - run.start_ns) * nanosecond)
                    : may_run ? "running or killed"
                              : "killed",
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
  return headline(scores) + state_text(scores, style) + '\n' + columns_text(scores, style) +
         tables_text(scores, style) + inputs_text(scores, style) + runs_text(scores, style) +
         identity_text(scores.identity, style);
}

}  // namespace h5score::cli
