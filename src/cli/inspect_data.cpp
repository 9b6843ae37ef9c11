// What `inspect` says of an HDF5 data file.
#include "h5score/base/text.hpp"

#include "inspect_text.hpp"
#include "values.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace h5score::cli {
namespace {

using base::plural;
using base::u64;
using run::Table;

// How it is stored and how a run would read it, or why it cannot.
std::string reading_text(const storage::DatasetDescription& dataset) {
  const auto& facts = dataset.facts;
  std::string text = facts.chunk.empty() ? h5::to_string(facts.layout) : "chunks " + shape_text(facts.chunk);
  if (dataset.refusal.empty()) return text + ", read " + dataset.reading;
  for (const auto& filter : facts.filters) text += ", " + filter.name;
  return text + "; cannot be scored: " + dataset.refusal;
}

std::string datasets_text(const std::vector<storage::DatasetDescription>& datasets, const run::TextStyle& style) {
  using enum Table::Align;
  Table shapes({left, right, left, right});
  shapes.add({"dataset", "shape", "type", "bytes"});
  std::vector<std::pair<std::string, std::vector<std::string>>> readings;  // what datasets have in common is said once
  for (const auto& d : datasets) {
    shapes.add({d.facts.name, d.facts.null ? "empty" : shape_text(d.facts.shape), d.facts.type_name,
                run::format_bytes(static_cast<double>(d.facts.stored_bytes))});
    const std::string reading = reading_text(d);
    auto found = std::find_if(readings.begin(), readings.end(), [&](const auto& r) { return r.first == reading; });
    if (found == readings.end()) found = readings.insert(found, {reading, {}});
    found->second.push_back(d.facts.name);
  }
  std::string text = shapes.text(style) + '\n';
  for (const auto& [reading, same] : readings)
    text += "  " + run::wrap(list_text(same, style.width) + ": " + reading, style.width - 2, 4) + '\n';
  return text;
}

// "/photometry: 5 columns of 1,000 rows: mag_g, mag_i, ...; not id (text of 8 bytes)"
std::string table_text(const storage::TableDescription& table, const run::TextStyle& style) {
  using storage::TableKind;
  const char* const what = table.kind == TableKind::columns  ? "a group of "
                           : table.kind == TableKind::sparse ? "a sparse matrix of "
                                                             : "";
  if (!table.refusal.empty())
    return "\n  " + run::wrap(table.dataset + ": cannot be scored: " + table.refusal, style.width - 2, 4) + '\n';
  std::string text =
      fmt::format("{}: {}{} of {}", table.dataset, what, plural(table.columns, "column"), plural(table.rows, "row"));
  if (!table.names.empty()) text += ": " + list_text(table.names, style.width);
  if (!table.left_out.empty()) text += "; not " + list_text(table.left_out, style.width);
  return "\n  " + run::wrap(text, style.width - 2, 4) + '\n';
}

std::vector<std::string> candidates_of(const storage::FileDescription& file) {
  std::vector<std::string> names;
  for (const auto& d : file.datasets)
    if (d.candidate && d.refusal.empty()) names.push_back(d.facts.name);
  for (const auto& t : file.tables)
    if (t.candidate && std::find(names.begin(), names.end(), t.dataset) == names.end()) names.push_back(t.dataset);
  return names;
}

}  // namespace

std::string shape_text(const std::vector<u64>& shape) {
  std::string text;
  for (const u64 extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text.empty() ? "scalar" : text;
}

std::string describe_data_file(const std::string& path, const storage::FileDescription& file,
                               const run::TextStyle& style) {
  std::string text = fmt::format("{}: HDF5 data, {}\n", path, plural(file.datasets.size(), "dataset"));
  if (file.datasets.empty()) return text;
  text += datasets_text(file.datasets, style);
  for (const auto& table : file.tables) text += table_text(table, style);

  const auto names = candidates_of(file);
  if (names.empty()) return text + "\nNone of them can be scored.\n";
  if (names.size() > 1)
    return text + fmt::format("\n{} can be scored; choose one with --dataset.\n", plural(names.size(), "table"));
  return text + fmt::format("\nTo score {}:\n  h5score score --model MODEL --input {} --output SCORES.h5\n", names[0],
                            shell_quoted(path));
}

}  // namespace h5score::cli
