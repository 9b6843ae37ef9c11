// Fill values of columns and of features.
#include "missing_values.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/nearest.hpp"
#include "h5score/model/evaluator.hpp"
#include "h5score/run/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;
using storage::FeatureSource;

constexpr double none = std::numeric_limits<double>::quiet_NaN();  // Impute: leave the column as it is

// A column by name, or by number where columns have no names.
std::optional<u64> column_of(const FeatureBinder& binder, const storage::SourceTable& table, const std::string& name) {
  if (!table.names.empty()) return binder.columns().find(name);
  u64 column = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), column);
  if (error != std::errc() || end != name.data() + name.size() || column >= table.columns) return std::nullopt;
  return column;
}

std::vector<bool> read_columns(const storage::SourceTable& table, std::span<const ModelToFill> models) {
  std::vector<bool> read(table.columns, false);
  for (const auto& m : models)
    for (const auto& source : m.bound.binding.features) {
      if (source.column != FeatureSource::none) read[source.column] = true;
      if (source.minus != FeatureSource::none) read[source.minus] = true;
    }
  return read;
}

[[noreturn]] void unknown_name(const FeatureBinder& binder, const storage::SourceTable& table,
                               std::span<const ModelToFill> models, const std::string& name) {
  std::vector<std::string> known = table.names;
  for (const auto& m : models) known.insert(known.end(), m.bound.names.begin(), m.bound.names.end());
  const std::string guess = base::nearest(name, known);
  throw Error(ExitCode::data,
              fmt::format("--fill {}: neither a column of {} nor a feature of a model", name, binder.where()), {},
              guess.empty() ? std::string("see --dry-run") : fmt::format("did you mean {}?", guess));
}

// Values that the model itself takes as missing before it does anything else.
std::vector<double> marked_first(const model::Model& model) {
  std::vector<double> values;
  for (u64 i = 0; i < model.stages.size(); ++i) {
    const auto* mark = std::get_if<model::MarkMissing>(&model.stages[i]);
    if (mark == nullptr || model::inputs_of(model, i) != std::vector<u64>{i}) break;
    values.push_back(mark->value);
  }
  return values;
}

// Fills the statistics that are still open with training means.
void add_means(const ModelToFill& m, const std::vector<bool>& filled_columns, std::vector<double>& statistics) {
  const auto matters = model::compile(m.model)->missing_matters();
  const auto reference = model::training_reference(m.model);
  const auto known = [&](u64 i) { return reference && !reference->mean.empty() && !std::isnan(reference->mean[i]); };
  const auto filled = [&](u64 column) { return column == FeatureSource::none || filled_columns[column]; };
  for (u64 i = 0; i < statistics.size(); ++i) {
    const auto& source = m.bound.binding.features[i];
    const bool constant = source.column == FeatureSource::none && !std::isnan(source.constant);
    const bool covered = source.column != FeatureSource::none && filled(source.column) && filled(source.minus);
    if (!matters[i] || constant || covered || !std::isnan(statistics[i])) continue;
    if (!known(i))
      throw Error(ExitCode::data, fmt::format("{}: the model does not tell the means of its training data", m.path),
                  fmt::format("--missing fill needs that of {}",
                              m.bound.names.empty() ? fmt::format("feature {}", i) : m.bound.names[i]),
                  "give values by --fill NAME=V");
    statistics[i] = reference->mean[i];
  }
}

}  // namespace

std::vector<std::string> treatment_notes(const storage::SourceTable& table, const storage::Treatment& treatment) {
  std::vector<std::string> notes;
  if (!treatment.missing.empty())
    notes.push_back(fmt::format("besides NaN, {} is taken as missing", fmt::join(treatment.missing, ", ")));
  std::vector<std::string> fills;
  for (const auto& fill : treatment.fills)
    fills.push_back(fmt::format("{} = {}", table.source_name(fill.column), format_value(fill.value)));
  if (!fills.empty()) notes.push_back(fmt::format("missing values are filled: {}", fmt::join(fills, ", ")));
  return notes;
}

storage::Treatment treat_missing(const FeatureBinder& binder, const storage::SourceTable& table,
                                 std::span<const ModelToFill> models, const ScoreOptions& options) {
  storage::Treatment treatment{.missing = options.missing_values, .fills = {}};
  std::sort(treatment.missing.begin(), treatment.missing.end());
  treatment.missing.erase(std::unique(treatment.missing.begin(), treatment.missing.end()), treatment.missing.end());
  const auto read = read_columns(table, models);
  std::vector<bool> filled(table.columns, false);
  std::vector<std::vector<double>> statistics;
  for (const auto& m : models) statistics.emplace_back(m.model.n_features, none);
  for (const auto& [name, value] : options.fills) {
    if (const auto column = column_of(binder, table, name)) {
      if (read[*column]) treatment.fills.push_back({*column, value});
      filled[*column] = true;
      continue;
    }
    bool found = false;
    for (u64 m = 0; m < models.size(); ++m) {
      const auto& names = models[m].bound.names;
      const auto at = std::find(names.begin(), names.end(), name);
      if (at == names.end()) continue;
      statistics[m][static_cast<u64>(at - names.begin())] = value;
      found = true;
    }
    if (!found) unknown_name(binder, table, models, name);
  }
  for (u64 m = 0; m < models.size(); ++m) {
    if (options.missing == MissingPolicy::fill) add_means(models[m], filled, statistics[m]);
    const auto filled_here =
        std::count_if(statistics[m].begin(), statistics[m].end(), [](double v) { return !std::isnan(v); });
    if (filled_here == 0) continue;
    models[m].bound.report.notes.push_back(
        fmt::format("missing values of {} feature{} take {}", format_count(static_cast<u64>(filled_here)),
                    filled_here == 1 ? "" : "s",
                    options.missing == MissingPolicy::fill ? "their mean in training or the value of --fill"
                                                           : "the value of --fill"));
    std::vector<model::Stage> stages;
    for (const double value : marked_first(models[m].model)) stages.emplace_back(model::MarkMissing{value});
    stages.emplace_back(model::Impute{.statistics = std::move(statistics[m]), .missing = 0, .missing_is_nan = true});
    model::prepend(models[m].model, std::move(stages));
  }
  return treatment;
}

}  // namespace h5score::run
