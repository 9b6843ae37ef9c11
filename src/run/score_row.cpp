// The record of features in score files, and reading a row again by it.
#include "h5score/run/score_row.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;
using nlohmann::json;

constexpr u64 none = storage::FeatureSource::none;

// JSON has neither NaN nor infinity.
json number_text(double value) {
  return fmt::format("{}", value);
}

double number_of(const json& text) {
  return std::stod(text.get<std::string>());
}

// Columns as numbers, -1 for none.
json column_number(u64 column) {
  return column == none ? json(-1) : json(column);
}

u64 column_of(const json& number) {
  return number.is_number_unsigned() ? number.get<u64>() : none;
}

json model_json(const RecordedModel& model) {
  json columns = json::array();
  json minus = json::array();
  json constants = json::object();  // by the number of the feature: few have one
  for (std::size_t i = 0; i < model.binding.features.size(); ++i) {
    const auto& source = model.binding.features[i];
    columns.push_back(column_number(source.column));
    minus.push_back(column_number(source.minus));
    if (source.column == none) constants[std::to_string(i)] = number_text(source.constant);
  }
  return {{"name", model.name},
          {"features", model.features},
          {"sources", model.sources},
          {"columns", columns},
          {"minus", minus},
          {"constants", constants},
          {"total_count", number_text(model.binding.total_count)}};
}

RecordedModel model_of(const json& from) {
  RecordedModel model{
      .name = from.at("name"), .features = from.at("features"), .sources = from.at("sources"), .binding = {}};
  const auto& columns = from.at("columns");
  const auto& minus = from.at("minus");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    storage::FeatureSource source{.column = column_of(columns[i]), .minus = column_of(minus.at(i))};
    if (source.column == none) source.constant = number_of(from.at("constants").at(std::to_string(i)));
    model.binding.features.push_back(source);
  }
  const bool sizes_fit =
      model.sources.size() == columns.size() && (model.features.empty() || model.features.size() == columns.size());
  if (!sizes_fit) throw Error(ExitCode::data, "the record of features makes no sense", "its lists differ in length");
  model.binding.total_count = number_of(from.at("total_count"));
  return model;
}

// The file at hand may keep named columns in another order than the first file of the run did.
class ColumnMap {
 public:
  ColumnMap(const FeatureRecord& record, const storage::SourceTable& table)
      : recorded_(record.columns), columns_(table.columns) {
    for (u64 i = 0; i < table.names.size(); ++i) here_.emplace(table.names[i], i);
  }
  [[nodiscard]] u64 operator()(u64 column) const {
    const u64 known = recorded_.empty() ? columns_ : recorded_.size();
    if (column >= known)
      throw Error(ExitCode::data, "the record of features makes no sense",
                  fmt::format("it names column {} of {}", column, known));
    if (recorded_.empty()) return column;
    const auto found = here_.find(recorded_[column]);
    if (found == here_.end())
      throw Error(ExitCode::data, fmt::format("the input has no column '{}'", recorded_[column]),
                  "it had one when it was scored");
    return found->second;
  }

 private:
  const std::vector<std::string>& recorded_;
  u64 columns_;
  std::unordered_map<std::string_view, u64> here_;
};

}  // namespace

std::string to_json(const FeatureRecord& record) {
  json missing = json::array();
  for (const double value : record.treatment.missing) missing.push_back(number_text(value));
  json fills = json::array();
  for (const auto& fill : record.treatment.fills)
    fills.push_back({{"column", fill.column}, {"value", number_text(fill.value)}});
  json models = json::array();
  for (const auto& model : record.models) models.push_back(model_json(model));
  const json all = {{"dataset", record.dataset}, {"feature_names", record.feature_names},
                    {"columns", record.columns}, {"dataset_rows", record.dataset_rows},
                    {"missing", missing},        {"fills", fills},
                    {"models", models}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

FeatureRecord parse_feature_record(const std::string& text) try {
  const json from = json::parse(text);
  FeatureRecord record{.dataset = from.at("dataset"),
                       .feature_names = from.value("feature_names", ""),
                       .columns = from.at("columns"),
                       .dataset_rows = from.at("dataset_rows"),
                       .treatment = {},
                       .models = {}};
  for (const auto& value : from.at("missing")) record.treatment.missing.push_back(number_of(value));
  for (const auto& fill : from.at("fills"))
    record.treatment.fills.push_back({fill.at("column").get<u64>(), number_of(fill.at("value"))});
  for (const auto& model : from.at("models")) record.models.push_back(model_of(model));
  return record;
} catch (const json::exception& error) {
  throw Error(ExitCode::data, "the record of features makes no sense", error.what());
} catch (const std::logic_error& error) {  // a number that is none
  throw Error(ExitCode::data, "the record of features makes no sense", error.what());
}

RowOrigin origin_of(const storage::ScoreDescription& scores, const FeatureRecord& record, u64 row) {
  if (row >= scores.rows)
    throw Error(ExitCode::usage, fmt::format("{}: has no row {}", scores.path, row),
                fmt::format("it has {} rows, counted from 0", scores.rows));
  for (u64 i = 0; i < scores.inputs.size(); ++i) {
    const auto& input = scores.inputs[i];
    if (row < input.first_row || row - input.first_row >= input.rows) continue;
    const u64 first = i < record.dataset_rows.size() ? record.dataset_rows[i] : 0;
    return {i, first + row - input.first_row};
  }
  throw Error(ExitCode::data, fmt::format("{}: row {} came from no input", scores.path, row));
}

std::vector<std::vector<double>> read_features(h5::Sandbox& name_node, const storage::ScoreDescription& scores,
                                               const FeatureRecord& record, const RowOrigin& origin) {
  const auto& source = scores.inputs[origin.input];
  storage::InputOptions options;
  options.inputs = {source.path};
  options.dataset = source.dataset;
  options.rows = fmt::format("{}:{}", origin.row, origin.row + 1);
  options.feature_names = record.feature_names;
  storage::Input input(name_node, options);
  const ColumnMap map(record, input.table());
  std::vector<storage::Binding> bindings;
  for (const auto& model : record.models) {
    bindings.push_back(model.binding);
    for (auto& feature : bindings.back().features) {
      if (feature.column != none) feature.column = map(feature.column);
      if (feature.minus != none) feature.minus = map(feature.minus);
    }
  }
  auto treatment = record.treatment;
  for (auto& fill : treatment.fills) fill.column = map(fill.column);
  input.bind(bindings, treatment);

  base::AlignedBuffer payload;
  input.fetch({0, 1}, payload);
  const storage::Decoder decoder(input.format());
  storage::DecodedBlock block;
  decoder.open(payload.view(), block);
  std::vector<std::vector<double>> values;
  for (u64 b = 0; b < bindings.size(); ++b) {
    values.emplace_back(bindings[b].features.size());
    block.fill_tile(b, 0, 1, values.back().data(), values.back().size());
  }
  return values;
}

}  // namespace h5score::run
