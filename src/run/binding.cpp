// Rules of binding.
#include "binding.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/base/nearest.hpp"
#include "h5score/run/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;
using storage::FeatureSource;

constexpr std::size_t names_shown = 5;
constexpr std::size_t names_searched = 3;  // for the nearest: each search looks at every column

std::string first_few(const std::vector<std::string>& names) {
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), names_shown));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "), names.size() > names_shown ? ", ..." : "");
}

const std::string* repeated(const std::vector<std::string>& names) {
  std::unordered_set<std::string_view> seen;
  for (const auto& name : names)
    if (!seen.insert(name).second) return &name;
  return nullptr;
}

std::string shape_text(const std::vector<u64>& shape) {
  return fmt::format("{}", fmt::join(shape, " x "));
}

std::string features_text(u64 count) {
  return fmt::format("{} feature{}", format_count(count), count == 1 ? "" : "s");
}

std::vector<u64> without_ones(std::vector<u64> shape) {
  std::erase(shape, u64{1});
  return shape;
}

// True if merging neighbouring axes of `fine` gives `coarse`.
bool merges_to(const std::vector<u64>& fine, const std::vector<u64>& coarse) {
  std::size_t axis = 0;
  for (const u64 extent : coarse) {
    u64 product = 1;
    while (product < extent && axis < fine.size()) product = base::checked_mul(product, fine[axis++]);
    if (product != extent) return false;
  }
  return axis == fine.size();
}

bool rotated(const std::vector<u64>& from, const std::vector<u64>& to) {
  return from.size() == to.size() && from.size() > 1 && from.front() == to.back() &&
         std::equal(from.begin() + 1, from.end(), to.begin());
}

}  // namespace

std::optional<ImageOrder> match_shapes(const std::vector<u64>& input_shape, const std::vector<u64>& row_shape) {
  const auto input = without_ones(input_shape);
  const auto row = without_ones(row_shape);
  if (merges_to(input, row) || merges_to(row, input)) return ImageOrder{};
  const bool channels_first = rotated(input_shape, row_shape);  // of the model; the rows have them last
  if (!channels_first && !rotated(row_shape, input_shape)) return std::nullopt;
  // Seen as channels and the rest, one side is the other transposed.
  const u64 channels = channels_first ? input_shape.front() : input_shape.back();
  const u64 features = base::checked_product(input_shape);
  const u64 inner = channels_first ? features / channels : channels;  // extent along which the model's features run
  ImageOrder order;
  order.columns.reserve(features);
  for (u64 outer = 0; outer < features / inner; ++outer)
    for (u64 i = 0; i < inner; ++i) order.columns.push_back(i * (features / inner) + outer);
  return order;
}

std::string source_text(const storage::SourceTable& table, const FeatureSource& source) {
  if (source.column == FeatureSource::none)
    return std::isnan(source.constant) ? "(missing)" : fmt::format("the constant {}", format_value(source.constant));
  std::string text = table.source_name(source.column);
  if (source.minus != FeatureSource::none)
    text += " - " + (table.names.empty() ? table.source_name(source.minus) : table.names[source.minus]);
  return text;
}

std::string type_text(const storage::SourceTable& table, const FeatureSource& source) {
  if (source.column == FeatureSource::none) return {};
  std::string text = base::to_string(table.type(source.column));
  if (source.minus == FeatureSource::none) return text;
  const std::string other = base::to_string(table.type(source.minus));
  return other == text ? text : text + ", " + other;
}

FeatureBinder::FeatureBinder(const storage::SourceTable& table, const std::string& file, const std::string& list,
                             MissingFeatures missing)
    : table_(table),
      where_(file + ":" + table.dataset),
      missing_(missing),
      columns_(table),
      list_(parse_features(list, table, columns_, where_)) {
  for (const auto& item : list_)
    if (!item.name.empty()) listed_.try_emplace(item.name, item.source);
}

bool FeatureBinder::by_name(const model::Model& model) const {
  return !model.feature_names.empty() && (!table_.names.empty() || !listed_.empty());
}

BoundModel FeatureBinder::bind(const model::Model& model, const std::string& path) const {
  BoundModel bound;
  bound.report.features = model.n_features;
  bound.binding.features.reserve(model.n_features);
  if (by_name(model))
    bind_names(model, path, bound);
  else
    bind_positions(model, path, bound);
  bound.binding.total_count = model.total_count.value_or(0);
  describe(model, bound);
  return bound;
}

std::optional<FeatureSource> FeatureBinder::find(const std::string& name) const {
  if (const auto listed = listed_.find(name); listed != listed_.end()) return listed->second;
  if (const auto column = columns_.find(name)) return FeatureSource{.column = *column};
  // Names of genes such as TMEM189-UBE2V1 are no differences: only columns that people named one by one are split.
  const bool splits = table_.kind == storage::TableKind::columns || table_.kind == storage::TableKind::compound;
  return splits ? columns_.difference(name) : std::nullopt;
}

void FeatureBinder::bind_names(const model::Model& model, const std::string& path, BoundModel& bound) const {
  if (const auto* name = repeated(model.feature_names))
    throw Error(ExitCode::data, fmt::format("{}: two features are named {}", path, *name),
                "features are matched by name", "export the model with names that differ");
  if (columns_.duplicate() != nullptr)
    throw Error(ExitCode::data, fmt::format("{}: two columns are named {}", where_, *columns_.duplicate()),
                fmt::format("features are matched by name, from {}", table_.names_from),
                "give names that differ by --feature-names");
  auto& report = bound.report;
  report.matching = Matching::by_name;
  for (const auto& name : model.feature_names) {
    const auto source = find(name);
    bound.binding.features.push_back(source.value_or(FeatureSource{.constant = std::nan("")}));
    if (!source)
      report.unmatched.push_back(name);
    else if (source->minus != FeatureSource::none)
      ++report.differences;
  }
  bound.names = model.feature_names;
  report.matched = report.features - report.unmatched.size();
  if (report.unmatched.empty()) return;
  if (report.matched == 0 || missing_.policy == MissingFeatures::Policy::error) refuse_missing(path, report);
  replace_missing(model, path, bound);
}

void FeatureBinder::refuse_missing(const std::string& path, const BindingReport& report) const {
  std::string hint;
  for (std::size_t i = 0; i < std::min(names_searched, report.unmatched.size()) && hint.empty(); ++i) {
    const auto guess = base::nearest(report.unmatched[i], table_.names);
    if (!guess.empty()) hint = fmt::format("nearest to {}: {}; ", report.unmatched[i], guess);
  }
  const std::string how_many =
      report.matched == 0
          ? fmt::format("none of its {} is", features_text(report.features))
          : fmt::format("{} of {} features {}", format_count(report.unmatched.size()), format_count(report.features),
                        report.unmatched.size() == 1 ? "is not" : "are not");
  const std::string otherwise = report.matched == 0 ? "" : ", or --missing-features mean|VALUE";
  throw Error(ExitCode::data, fmt::format("{}: {} in {}", path, how_many, where_), first_few(report.unmatched),
              fmt::format("{}give them by --features NEW=COLUMN{}", hint, otherwise));
}

void FeatureBinder::replace_missing(const model::Model& model, const std::string& path, BoundModel& bound) const {
  const bool by_mean = missing_.policy == MissingFeatures::Policy::mean;
  const auto reference = by_mean ? model::training_reference(model) : std::nullopt;
  std::vector<std::string> unknown;
  for (u64 i = 0; i < bound.binding.features.size(); ++i) {
    auto& source = bound.binding.features[i];
    if (source.column != FeatureSource::none) continue;
    const bool known = reference && !reference->mean.empty() && !std::isnan(reference->mean[i]);
    if (by_mean && !known) unknown.push_back(model.feature_names[i]);
    source.constant = !by_mean ? missing_.value : known ? reference->mean[i] : 0;
  }
  if (unknown.empty()) return;
  throw Error(ExitCode::data, fmt::format("{}: the model does not tell the means of its training data", path),
              fmt::format("--missing-features mean needs them for {}", first_few(unknown)),
              "give a value: --missing-features 0");
}

void FeatureBinder::require_width(const model::Model& model, const std::string& path) const {
  if (width() == model.n_features) return;
  const std::string gives = list_.empty() ? fmt::format("{} gives {} per row", where_, table_.columns)
                                          : fmt::format("--features lists {} columns of {}", list_.size(), where_);
  throw Error(ExitCode::data, fmt::format("{}: the model expects {} features", path, model.n_features), gives,
              table_.columns > model.n_features ? "choose the model's columns by --features"
                                                : "give another dataset or another model");
}

void FeatureBinder::bind_positions(const model::Model& model, const std::string& path, BoundModel& bound) const {
  require_width(model, path);
  bound.report.matched = model.n_features;
  bound.names = model.feature_names;
  if (!list_.empty()) {
    for (const auto& item : list_) {
      bound.binding.features.push_back(item.source);
      if (item.source.minus != FeatureSource::none) ++bound.report.differences;
    }
    if (bound.names.empty() && listed_.size() == list_.size())
      for (const auto& item : list_) bound.names.push_back(item.name);
    return;
  }
  ImageOrder order;
  if (table_.kind == storage::TableKind::array && model.input_shape.size() > 1) {
    const auto matched = match_shapes(model.input_shape, table_.row_shape);
    if (!matched)
      throw Error(ExitCode::data, fmt::format("{}: the model reads {}", path, shape_text(model.input_shape)),
                  fmt::format("{} stores rows of {}", where_, shape_text(table_.row_shape)),
                  "store them in the model's order, or with the channels at the other end");
    order = *matched;
  }
  if (!order.columns.empty()) bound.report.matching = Matching::permuted;
  for (u64 i = 0; i < model.n_features; ++i)
    bound.binding.features.push_back({.column = order.columns.empty() ? i : order.columns[i]});
  if (bound.names.empty()) bound.names = table_.names;
}

void FeatureBinder::describe(const model::Model& model, BoundModel& bound) const {
  auto& report = bound.report;
  const bool named = report.matching == Matching::by_name;
  report.summary =
      fmt::format("{} by {} from {}", features_text(report.features), named ? "name" : "position", table_.dataset);
  report.notable = named || report.differences > 0 || report.matching == Matching::permuted;
  if (!named && table_.names.empty() != model.feature_names.empty()) {
    report.notable = true;
    report.summary += table_.names.empty() ? fmt::format(" ({} has no column names)", table_.dataset)
                                           : " (the model has no feature names)";
  }
  if (!named && list_.empty() && table_.kind == storage::TableKind::columns && table_.columns > 1)
    report.notes.push_back(
        fmt::format("a group has no order of its own; its columns are taken in that of their names: {}; "
                    "--features gives another",
                    first_few(table_.names)));
  if (report.differences > 0)
    report.summary +=
        fmt::format(", {} of them difference{}", format_count(report.differences), report.differences == 1 ? "" : "s");
  if (report.matching == Matching::permuted)
    report.notes.push_back(fmt::format("the channels are moved: the model reads {}, {} stores {}",
                                       shape_text(model.input_shape), table_.dataset, shape_text(table_.row_shape)));
  if (!report.unmatched.empty()) {
    const std::string instead = missing_.policy == MissingFeatures::Policy::mean
                                    ? std::string("their mean in training")
                                    : fmt::format("the value {}", format_value(missing_.value));
    report.notes.push_back(fmt::format("{} of {} matched; the others take {}: {}", format_count(report.matched),
                                       format_count(report.features), instead, first_few(report.unmatched)));
  }
  if (model.total_count) {
    report.notable = true;
    report.notes.push_back(fmt::format("each row is scaled so that all its {} columns sum to {}",
                                       format_count(table_.columns), format_value(*model.total_count)));
  }
  if (!named) return;
  const std::unordered_set<std::string_view> read(model.feature_names.begin(), model.feature_names.end());
  std::vector<std::string> unused;
  for (const auto& item : list_)
    if (!read.contains(item.name)) unused.push_back(item.name);
  if (!unused.empty()) report.notes.push_back("not read by this model: " + first_few(unused));
}

}  // namespace h5score::run
