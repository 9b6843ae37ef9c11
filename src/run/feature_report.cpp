// Features beside their training, for the report and for people.
#include "feature_report.hpp"

#include "h5score/run/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace h5score::run {
namespace {

constexpr std::size_t most_lines = 10;

struct Line {
  double severity;
  std::string text;
};

std::vector<Line> lines_of(const std::vector<FeatureReport>& features, const std::string& prefix) {
  std::vector<Line> lines;
  for (std::size_t i = 0; i < features.size(); ++i) {
    const auto& feature = features[i];
    if (feature.warning.empty()) continue;
    const std::string name = feature.name.empty() ? fmt::format("feature {}", i) : feature.name;
    lines.push_back({feature.severity, fmt::format("{}{}: {}", prefix, name, feature.warning)});
  }
  return lines;
}

std::string text_of(std::vector<Line> lines, const std::string& more, const TextStyle& style) {
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.severity > b.severity; });
  std::string text;
  const std::size_t shown = lines.size() > most_lines + 1 ? most_lines : lines.size();
  for (std::size_t i = 0; i < shown; ++i) text += "  " + wrap(lines[i].text, style.width - 2, 4) + '\n';
  if (shown < lines.size()) text += fmt::format("  and {} more{}\n", format_count(lines.size() - shown), more);
  return text;
}

}  // namespace

std::vector<FeatureReport> report_features(const std::vector<model::FeatureSum>& sums,
                                           const std::vector<std::string>& names,
                                           const std::optional<model::FeatureReference>& reference) {
  std::vector<FeatureReport> features(sums.size());
  const auto* const training = reference ? &*reference : nullptr;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    auto& feature = features[i];
    if (i < names.size()) feature.name = names[i];
    feature.sum = sums[i];
    feature.warning = model::warning_text(sums[i], training, i);
    feature.severity = model::compare(sums[i], training, i).severity;
    if (training == nullptr) continue;
    const auto take = [i](const std::vector<double>& from, std::optional<double>& to) {
      if (!from.empty()) to = from[i];
    };
    take(training->mean, feature.mean);
    take(training->stddev, feature.stddev);
    take(training->minimum, feature.minimum);
    take(training->maximum, feature.maximum);
  }
  return features;
}

std::string feature_warnings(const RunReport& report, const TextStyle& style) {
  std::vector<Line> lines;
  for (const auto& model : report.models)
    for (auto& line : lines_of(model.features, model.name.empty() ? "" : model.name + ": "))
      lines.push_back(std::move(line));
  if (lines.empty()) return {};
  const bool resumed = report.resumed_blocks > 0;
  const std::string head =
      fmt::format("Unlike the training data, going by {} of {}{} rows{}:", format_count(report.feature_rows),
                  resumed ? "the " : "", format_count(report.rows), resumed ? " that this run scored" : "");
  return wrap(head, style.width) + '\n' + text_of(std::move(lines), " (see --report)", style);
}

std::string feature_warnings(const std::vector<FeatureReport>& features, u64 rows, const TextStyle& style) {
  auto lines = lines_of(features, "");
  if (lines.empty()) return {};
  return fmt::format("  unlike the training data, going by a sample of {} rows:\n", format_count(rows)) +
         text_of(std::move(lines), "", style);
}

}  // namespace h5score::run
