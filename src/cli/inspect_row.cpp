// What `inspect --row` says of one row of a score file.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/run/score_row.hpp"

#include "inspect_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace h5score::cli {
namespace {

using base::u64;
using run::Table;
using enum Table::Align;

std::string folder_of(const std::string& path) {
  return path.substr(0, path.find_last_of('/') + 1);
}

std::string name_of(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

// Texts of the label table beside a column.
std::vector<std::string> labels_beside(const storage::ScoreDescription& scores, const std::string& column,
                                       const std::string& table) {
  std::vector<std::string> texts;
  for (const auto& labels : scores.tables)
    if (labels.path == folder_of(column) + table)
      std::visit(
          [&](const auto& values) {
            for (const auto& value : values) texts.push_back(fmt::format("{}", value));
          },
          labels.labels);
  return texts;
}

std::string status_text(u64 flags) {
  if (flags == 0) return "ok";
  std::string text;
  if ((flags & 1U) != 0) text = "missing: a feature has no value";
  if ((flags & 2U) != 0) text += text.empty() ? "non-finite" : ", non-finite";
  return text;
}

std::string label_text(base::i64 code, const std::vector<std::string>& classes) {
  if (code < 0) return "none (missing)";
  const auto at = static_cast<u64>(code);
  return at < classes.size() ? classes[at] : fmt::format("code {}", code);
}

// A column's values in this row: status in words, labels by class, other results by class or target where those fit.
std::vector<std::pair<std::string, std::string>> column_lines(const storage::ScoreDescription& scores,
                                                              const std::string& path,
                                                              const storage::ScoreValues& values) {
  std::vector<std::string> texts;
  std::visit(
      [&](const auto& list) {
        for (const auto& value : list) texts.push_back(fmt::format("{}", value));
      },
      values);
  const std::string name = name_of(path);
  auto names = labels_beside(scores, path, name == "prediction" ? "targets" : "classes");
  if (const auto* flags = std::get_if<std::vector<u64>>(&values); flags != nullptr && name == "status")
    return {{path, status_text(flags->at(0))}};
  const auto* codes = std::get_if<std::vector<base::i64>>(&values);
  if (codes != nullptr && name == "label" && codes->size() == 1) return {{path, label_text(codes->front(), names)}};
  if (texts.size() == 1) return {{path, texts[0]}};
  if (names.size() != texts.size()) {
    names.clear();
    for (std::size_t i = 0; i < texts.size(); ++i) names.push_back(fmt::format("[{}]", i));
  }
  std::vector<std::pair<std::string, std::string>> lines;
  for (std::size_t i = 0; i < texts.size(); ++i)
    lines.emplace_back(i == 0 ? path : "", fmt::format("{}  {}", names[i], texts[i]));
  return lines;
}

std::string results_text(const storage::ScoreDescription& scores, const std::vector<storage::ScoreValues>& values,
                         const run::TextStyle& style) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (auto& line : column_lines(scores, scores.columns[i].path, values[i])) lines.push_back(std::move(line));
  return run::fact_lines(lines, style);
}

std::string features_text(const run::RecordedModel& model, const std::vector<double>* values,
                          const run::TextStyle& style) {
  Table table({left, right, left});
  table.add({"feature", values == nullptr ? "" : "value", "source"});
  for (std::size_t i = 0; i < model.sources.size(); ++i)
    table.add({model.features.empty() ? std::to_string(i) : model.features[i],
               values == nullptr ? "" : run::format_value((*values)[i], 9), model.sources[i]});
  return fmt::format("\nFeatures{}:\n{}", model.name.empty() ? "" : " of " + model.name, table.text(style));
}

// Whether the row's block was written; a part file's other rows hold nothing.
bool is_written(const storage::ScoreDescription& scores, u64 row) {
  const auto& ends = scores.boundaries;
  const auto block = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), row) - ends.begin()) - 1;
  return storage::ledger_done(scores.ledger[block]);
}

// The input may have moved or changed since.
std::string input_problem(const storage::ScoreDescription& scores, const std::string& problem) {
  return fmt::format("\nnote: the values that the models read cannot be told: {}\n", problem) +
         (scores.features.empty() ? "" : "  where they came from:\n");
}

}  // namespace

std::string describe_row(h5::Sandbox& sandbox, const storage::ScoreDescription& scores, u64 row,
                         const run::TextStyle& style) {
  run::FeatureRecord record;
  if (!scores.features.empty()) record = run::parse_feature_record(scores.features);
  const auto origin = run::origin_of(scores, record, row);
  const auto& input = scores.inputs[origin.input];
  std::string text = fmt::format("{}: row {}\n", scores.path, run::format_count(row));
  text += run::fact_lines(
      {{"input", input.path}, {"dataset", fmt::format("{}, row {}", input.dataset, run::format_count(origin.row))}},
      style);
  if (is_written(scores, row)) {
    const auto values = base::from_bytes<std::vector<storage::ScoreValues>>(
        sandbox.call("read_score_row", storage::score_row_request(scores.path, row), scores.path));
    text += "\nResults:\n" + results_text(scores, values, style);
  } else {
    text += "\nResults: none yet, the row's block has not been written\n";
  }
  if (scores.features.empty()) return text + input_problem(scores, "the score file does not say how they were made");
  std::vector<std::vector<double>> values;
  try {
    values = run::read_features(sandbox, scores, record, origin);
  } catch (const base::Error& error) {
    text += input_problem(scores, error.what());
  }
  for (std::size_t m = 0; m < record.models.size(); ++m)
    text += features_text(record.models[m], values.empty() ? nullptr : &values[m], style);
  return text;
}

}  // namespace h5score::cli
