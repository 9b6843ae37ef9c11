// The page that --dry-run prints.
#include "h5score/run/dry_run.hpp"

#include "feature_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace h5score::run {
namespace {

using Align = Table::Align;

constexpr std::size_t ends_shown = 5;  // features at either end of a long binding table

std::string count_of(u64 n, const std::string& noun) {
  return fmt::format("{} {}{}", format_count(n), noun, n == 1 ? "" : "s");
}

std::string notes_text(const std::vector<std::string>& notes, const TextStyle& style) {
  std::string text;
  for (const auto& note : notes) text += "  note: " + wrap(note, style.width - 8, 8) + '\n';
  return text;
}

std::string input_section(const DryRun& plan, const TextStyle& style) {
  std::string text = fmt::format("Input: {} in {}\n", count_of(plan.rows, "row"), count_of(plan.inputs.size(), "file"));
  const std::size_t n = plan.inputs.size();
  const bool cut = n > 2 * ends_shown + 2;
  std::string last;
  for (std::size_t i = 0; i < n; ++i) {
    if (cut && i == ends_shown) {
      text += fmt::format("  ... {} more\n", format_count(n - 2 * ends_shown));
      i = n - ends_shown;
    }
    const auto& input = plan.inputs[i];
    text += fmt::format("  {}{}\n", input.path, n > 1 ? ", " + count_of(input.rows, "row") : "");
    // Files that are written alike are described once.
    const std::string what = fmt::format("{} {}", input.dataset, input.description);
    if (what != last) text += "    " + wrap(what, style.width - 4, 4) + '\n';
    last = what;
  }
  return text + notes_text(plan.notes, style);
}

std::string binding_section(const DryRunModel& model, const TextStyle& style) {
  Table table({Align::left, Align::left, Align::left, Align::left, Align::right});
  table.add({"feature", "", "source", "type", "first value"});
  const std::size_t n = model.binding.size();
  const bool cut = n > 2 * ends_shown + 2;
  for (std::size_t i = 0; i < n; ++i) {
    if (cut && i == ends_shown) {
      table.add({fmt::format("... {} more", format_count(n - 2 * ends_shown))});
      i = n - ends_shown;
    }
    const auto& f = model.binding[i];
    table.add({f.feature, "<-", f.source, f.type, format_value(f.first_value)});
  }
  return table.text(style);
}

std::string label_text(const DryRunColumn& column, double code) {
  if (std::isnan(code)) return "nan";
  if (code < 0) return "(missing)";
  const auto at = static_cast<std::size_t>(code);
  return at < column.value_names.size() ? column.value_names[at] : format_value(code);
}

std::string status_text(double flags) {
  const auto bits = static_cast<u64>(flags);
  if (bits == 0) return "ok";
  std::string text;
  if ((bits & 1U) != 0) text = "missing";
  if ((bits & 2U) != 0) text += text.empty() ? "nonfinite" : ",nonfinite";
  return text.empty() ? format_value(flags) : text;
}

std::string cell_text(const DryRunColumn& column, double value) {
  if (column.codes) return label_text(column, value);
  if (column.name == "status") return status_text(value);
  return format_value(value, 5);
}

// The numbers of a column's values that fit: all of up to six, else the first three and the last.
std::vector<u64> shown_values(u64 width) {
  std::vector<u64> shown;
  for (u64 j = 0; j < width; ++j)
    if (width <= 6 || j < 3 || j + 1 == width) shown.push_back(j);
  return shown;
}

// One short table per result, because a wide classifier's probabilities fill a line alone.
std::string column_table(const DryRunColumn& column, const std::vector<u64>& rows, const TextStyle& style) {
  const std::vector<u64> shown = shown_values(column.width);
  const bool cut = shown.size() < column.width;
  std::vector<std::vector<std::string>> lines(rows.size() + 1);
  lines[0].push_back("row");
  for (std::size_t r = 0; r < rows.size(); ++r) lines[r + 1].push_back(format_count(rows[r]));
  for (const u64 j : shown) {
    if (cut && j + 1 == column.width)
      for (auto& line : lines) line.push_back(style.utf8 ? "…" : "..");
    const bool named = !column.codes && j < column.value_names.size();
    lines[0].push_back(named               ? shorten(column.value_names[j], 14, style.utf8)
                       : column.width == 1 ? ""
                                           : fmt::format("[{}]", j));
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const u64 at = r * column.width + j;
      lines[r + 1].push_back(at < column.values.size() ? cell_text(column, column.values[at]) : "");
    }
  }
  Table table(std::vector<Align>(lines[0].size(), Align::right));
  for (auto& line : lines) table.add(std::move(line));
  return fmt::format("  {}\n{}", column.name, table.text(style, 4));
}

// All results of one value per row go side by side into one table.
std::string scalar_table(const std::vector<DryRunColumn>& columns, const std::vector<u64>& rows,
                         const TextStyle& style) {
  std::vector<const DryRunColumn*> scalars;
  for (const auto& column : columns)
    if (column.width == 1) scalars.push_back(&column);
  if (scalars.empty()) return {};
  Table table(std::vector<Align>(scalars.size() + 1, Align::right));
  std::vector<std::string> line{"row"};
  for (const auto* column : scalars) line.push_back(column->name);
  table.add(line);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    line = {format_count(rows[r])};
    for (const auto* column : scalars)
      line.push_back(r < column->values.size() ? cell_text(*column, column->values[r]) : "");
    table.add(line);
  }
  return table.text(style);
}

std::string model_section(const DryRun& plan, const DryRunModel& model, const TextStyle& style) {
  std::string text = fmt::format("\nModel{}{}: {}\n", model.name.empty() ? "" : " ", model.name, model.path);
  text += "  " + wrap(model.description, style.width - 2, 2) + '\n';
  if (!model.self_test.empty()) text += "  " + wrap("self-test: " + model.self_test, style.width - 2, 2) + '\n';
  if (!model.matching.empty()) text += "  " + wrap(model.matching, style.width - 2, 2) + '\n';
  text += notes_text(model.notes, style);
  text += '\n' + binding_section(model, style);
  if (const std::string warnings = feature_warnings(model.features, plan.feature_rows, style); !warnings.empty())
    text += '\n' + warnings;
  if (plan.sample_rows.empty()) return text;
  text += fmt::format("\n  {} scored for real, nothing written:\n", count_of(plan.sample_rows.size(), "row"));
  text += scalar_table(model.columns, plan.sample_rows, style);
  for (const auto& column : model.columns)
    if (column.width > 1) text += column_table(column, plan.sample_rows, style);
  return text;
}

std::string output_section(const DryRun& plan, const TextStyle& style) {
  std::string text = fmt::format("\nOutput: {}, {}", plan.output, format_bytes(static_cast<double>(plan.output_bytes)));
  if (plan.free_bytes > 0) {
    text += fmt::format(" ({} free)", format_bytes(static_cast<double>(plan.free_bytes)));
    if (plan.free_bytes < plan.output_bytes) text += ": THIS DOES NOT FIT";
  }
  Table table({Align::left, Align::left, Align::left, Align::right});
  for (const auto& d : plan.datasets) table.add({d.path, d.shape, d.type, format_bytes(static_cast<double>(d.bytes))});
  return text + '\n' + table.text(style);
}

std::string plan_section(const DryRun& plan, const TextStyle& style) {
  std::vector<std::pair<std::string, std::string>> facts;
  facts.push_back({"reads", format_bytes(static_cast<double>(plan.bytes_to_read)) + " as stored"});
  std::string blocks = count_of(plan.blocks, "block");
  if (plan.blocks > 0)
    blocks +=
        plan.least_block_rows == plan.most_block_rows
            ? fmt::format(" of {}", count_of(plan.most_block_rows, "row"))
            : fmt::format(" of {} to {} rows", format_count(plan.least_block_rows), format_count(plan.most_block_rows));
  if (plan.resumed_blocks > 0) blocks += fmt::format(", {} of them already done", format_count(plan.resumed_blocks));
  facts.push_back({"blocks", blocks});
  const std::string why = plan.io_reason.empty() ? std::string() : fmt::format(" ({})", plan.io_reason);
  facts.push_back(
      {"ranks", fmt::format("{} x {}, {} schedule, {} I/O{}, {}", count_of(plan.ranks, "rank"),
                            count_of(plan.threads, "thread"), plan.schedule, plan.io, why, plan.precision)});
  facts.push_back(
      {"memory", fmt::format("{} per rank (limit {})", format_bytes(static_cast<double>(plan.memory_per_rank)),
                             format_bytes(static_cast<double>(plan.memory_limit)))});
  return "\nPlan\n" + fact_lines(facts, style);
}

}  // namespace

std::string format_dry_run(const DryRun& plan, const TextStyle& style) {
  std::string text = input_section(plan, style);
  for (const auto& model : plan.models) text += model_section(plan, model, style);
  return text + output_section(plan, style) + plan_section(plan, style);
}

void print_dry_run(const DryRun& plan) {
  std::fputs(format_dry_run(plan, terminal_style(stdout)).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace h5score::run
