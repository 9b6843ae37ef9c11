// The options of a run as JSON, and back.
#include "job_record.hpp"

#include "h5score/base/error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>

namespace h5score::run {
namespace {

using nlohmann::json;

constexpr std::array policies{std::pair{MissingPolicy::mark, "mark"}, std::pair{MissingPolicy::error, "error"},
                              std::pair{MissingPolicy::fill, "fill"}};
constexpr std::array precisions{std::pair{PrecisionChoice::automatic, "auto"},
                                std::pair{PrecisionChoice::float32, "float32"},
                                std::pair{PrecisionChoice::float64, "float64"}};

template <class Table, class Value>
std::string word_of(const Table& table, Value value) {
  for (const auto& [meaning, word] : table)
    if (meaning == value) return word;
  return {};
}

template <class Table>
auto meaning_of(const Table& table, const std::string& word) {
  for (const auto& [meaning, known] : table)
    if (word == known) return meaning;
  throw std::invalid_argument("the word '" + word + "' means nothing");
}

// Text: JSON has neither NaN nor infinity.
std::string text_of(double value) {
  return fmt::format("{}", value);
}

std::string text_of(const MissingFeatures& v) {
  using enum MissingFeatures::Policy;
  return v.policy == error ? "error" : v.policy == mean ? "mean" : text_of(v.value);
}

MissingFeatures missing_features_of(const std::string& text) {
  using enum MissingFeatures::Policy;
  if (text == "error") return {error, 0};
  if (text == "mean") return {mean, 0};
  return {value, std::stod(text)};
}

std::string absolute(const std::string& path, const std::string& folder) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

}  // namespace

std::string to_json(const ScoreOptions& options, const std::string& folder) {
  json models = json::array();
  for (const auto& m : options.models) models.push_back({{"name", m.name}, {"path", absolute(m.path, folder)}});
  json missing_values = json::array();
  for (const double value : options.missing_values) missing_values.push_back(text_of(value));
  json fills = json::array();
  for (const auto& fill : options.fills) fills.push_back({{"name", fill.name}, {"value", text_of(fill.value)}});
  const json all = {{"command", options.command_line},
                    {"folder", folder},
                    {"models", models},
                    {"dataset", options.dataset},
                    {"write", options.write},
                    {"features", options.features},
                    {"feature_names", options.feature_names},
                    {"rows", options.rows},
                    {"passthrough", options.passthrough},
                    {"missing", word_of(policies, options.missing)},
                    {"missing_values", missing_values},
                    {"fills", fills},
                    {"missing_features", text_of(options.missing_features)},
                    {"precision", word_of(precisions, options.precision)}};
  // Paths may hold bytes that are not UTF-8; JSON cannot.
  return all.dump(1, ' ', false, json::error_handler_t::replace);
}

JobRecord parse_job_record(const std::string& text) try {
  const json from = json::parse(text);
  JobRecord record{.folder = from.at("folder"), .options = {}};
  auto& options = record.options;
  options.command_line = from.at("command");
  for (const auto& m : from.at("models")) options.models.push_back({m.at("name"), m.at("path")});
  options.dataset = from.at("dataset");
  options.write = from.at("write");
  options.features = from.at("features");
  options.feature_names = from.at("feature_names");
  const bool relative = !options.feature_names.empty() && !options.feature_names.starts_with('/');
  if (relative) options.feature_names = absolute(options.feature_names, record.folder);
  options.rows = from.at("rows");
  options.passthrough = from.at("passthrough");
  options.missing = meaning_of(policies, from.at("missing"));
  for (const auto& value : from.at("missing_values"))
    options.missing_values.push_back(std::stod(value.get<std::string>()));
  for (const auto& fill : from.at("fills"))
    options.fills.push_back({fill.at("name"), std::stod(fill.at("value").get<std::string>())});
  options.missing_features = missing_features_of(from.at("missing_features"));
  options.precision = meaning_of(precisions, from.at("precision"));
  return record;
} catch (const json::exception& error) {
  throw base::Error(base::ExitCode::data, "the record of the options makes no sense", error.what());
} catch (const std::logic_error& error) {  // a number or a word that is none
  throw base::Error(base::ExitCode::data, "the record of the options makes no sense", error.what());
}

}  // namespace h5score::run
