// Joining and preparing models.
#include "h5score/format/convert.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/base/nearest.hpp"
#include "h5score/base/text.hpp"

#include "classify.hpp"
#include "printable.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;
using model::Model;

void require_counts(const std::string& what, u64 given, u64 expected, const std::string& of) {
  if (given != expected) throw Error(ExitCode::data, base::plural(given, what) + " for " + base::plural(expected, of));
}

void require_unique(const std::vector<std::string>& names, const char* what) {
  std::set<std::string> seen;
  for (const auto& name : names)
    if (!seen.insert(name).second) throw Error(ExitCode::data, std::string(what) + " " + shown(name) + " occurs twice");
}

// Each stage gives as many columns as it reads, in the same order and meaning.
bool keeps_columns(const Model& model) {
  return model.inputs.empty() && std::all_of(model.stages.begin(), model.stages.end(), [](const model::Stage& stage) {
           return !std::holds_alternative<model::Affine>(stage) && !std::holds_alternative<model::Select>(stage) &&
                  !std::holds_alternative<model::KernelExpansion>(stage);
         });
}

// What a model calls the columns that it gives.
std::vector<std::string> names_given(const Model& model) {
  if (!model.head.target_names.empty() || !keeps_columns(model)) return model.head.target_names;
  return model.feature_names;
}

void check_joint(const std::string& path, const Model& first, const Part& next) {
  if (first.head.kind != model::HeadKind::values)
    throw Error(ExitCode::data, path + ": a classifier cannot come before " + next.path,
                "only the last model may give classes");
  const u64 given = output_columns(first);
  if (given != next.model.n_features)
    throw Error(ExitCode::data, path + ": gives " + base::plural(given, "column") + ", but " + next.path + " reads " +
                                    std::to_string(next.model.n_features));
  if (next.model.total_count)
    throw Error(ExitCode::data, next.path + ": it normalises the total of a row, so it must come first");
  const auto names = names_given(first);
  const auto& read = next.model.feature_names;
  if (names.empty() || read.empty()) return;
  for (u64 j = 0; j < given; ++j)
    if (names[j] != read[j])
      throw Error(ExitCode::data, path + ": column " + std::to_string(j) + " is " + shown(names[j]) + ", but " +
                                      next.path + " reads " + shown(read[j]) + " there");
}

std::string said(const model::Origin& origin) {
  return origin.version.empty() ? origin.library : origin.library + ' ' + origin.version;
}

// The next model behind `model`; names, shape and reference of the features stay the first one's, where it has them.
void append(Model& model, Model next) {
  const bool transparent = keeps_columns(model);
  if (transparent && model.feature_names.empty()) model.feature_names = std::move(next.feature_names);
  if (transparent && model.input_shape.empty()) model.input_shape = std::move(next.input_shape);
  const u64 before = model.stages.size();
  const bool chain = model.inputs.empty() && next.inputs.empty();
  std::vector<std::vector<u64>> inputs;
  for (u64 i = 0; !chain && i < before; ++i) inputs.push_back(model::inputs_of(model, i));
  for (u64 i = 0; !chain && i < next.stages.size(); ++i) {
    inputs.push_back(model::inputs_of(next, i));
    for (u64& node : inputs.back()) node += before;
  }
  model.inputs = std::move(inputs);
  model.stages.insert(model.stages.end(), std::make_move_iterator(next.stages.begin()),
                      std::make_move_iterator(next.stages.end()));
  if (!model.origin.library.empty() && !next.origin.library.empty() && model.origin.library != next.origin.library)
    next.origin.library = said(model.origin) + " + " + next.origin.library;
  model.origin = std::move(next.origin);
  model.head = std::move(next.head);
  model.precision = next.precision;
}

void drop_golden(Model& model, const std::string& why, std::vector<std::string>& notes) {
  if (!model.golden) return;
  model.golden.reset();
  notes.push_back("golden rows dropped: " + why + "; --reference stores new ones");
}

// Marks and fills leave rows without such values as they are.
bool golden_touched(const Model& model, const std::vector<double>& missing_values) {
  const auto& rows = model.golden->rows.values;
  return std::any_of(rows.begin(), rows.end(), [&](double v) {
    return std::isnan(v) || std::find(missing_values.begin(), missing_values.end(), v) != missing_values.end();
  });
}

model::Impute impute_of(const Model& model, const std::vector<std::pair<std::string, double>>& fills) {
  if (model.feature_names.empty())
    throw Error(ExitCode::data, "features cannot be filled by name", "the model has no feature names",
                "give them by --feature-names");
  model::Impute impute;
  impute.statistics.assign(model.n_features, std::numeric_limits<double>::quiet_NaN());
  for (const auto& [name, value] : fills) {
    const auto found = std::find(model.feature_names.begin(), model.feature_names.end(), name);
    if (found == model.feature_names.end()) {
      const std::string guess = base::nearest(name, model.feature_names);
      throw Error(ExitCode::data, "the model has no feature " + shown(name), "",
                  guess.empty() ? "" : "did you mean " + guess + "?");
    }
    impute.statistics[base::narrow<u64>(found - model.feature_names.begin())] = value;
  }
  return impute;
}

// The model begins with a Scale that alone reads the features.
bool begins_with_scale(const Model& model) {
  if (model.stages.empty() || !std::holds_alternative<model::Scale>(model.stages[0])) return false;
  for (u64 i = 1; i < model.inputs.size(); ++i)
    if (std::find(model.inputs[i].begin(), model.inputs[i].end(), 0) != model.inputs[i].end()) return false;
  return true;
}

// After the first stage, whose result all others then see limited.
void insert_second(Model& model, model::Stage stage) {
  model.stages.insert(model.stages.begin() + 1, std::move(stage));
  if (model.inputs.empty()) return;
  for (u64 i = 1; i < model.inputs.size(); ++i)
    for (u64& node : model.inputs[i]) ++node;
  model.inputs.insert(model.inputs.begin() + 1, {1});
}

void add_stages(Model& model, const Preparation& preparation, std::vector<std::string>& notes) {
  if (!preparation.missing_values.empty() && (preparation.total_count || model.total_count))
    throw Error(ExitCode::usage, "missing values cannot be stored beside the normalised total",
                "rows are multiplied before the model sees them", "give --missing-value to `h5score score`");
  std::vector<model::Stage> added;
  for (const double value : preparation.missing_values) added.emplace_back(model::MarkMissing{value});
  if (!preparation.fills.empty()) added.emplace_back(impute_of(model, preparation.fills));
  if (model.golden && !added.empty() && golden_touched(model, preparation.missing_values))
    drop_golden(model, "some hold values that are missing now", notes);
  const bool rescaled = preparation.log1p || preparation.total_count;
  if (rescaled || preparation.clip) drop_golden(model, "the features have other units now", notes);
  if (rescaled && model.reference) {
    model.reference.reset();
    notes.emplace_back("training reference dropped: the features have other units now");
  }
  if (preparation.log1p) added.emplace_back(model::Log1p{});
  if (preparation.clip) {
    const model::Clip clip{preparation.clip->first, preparation.clip->second};
    if (begins_with_scale(model))
      insert_second(model, clip);
    else
      added.emplace_back(clip);
  }
  if (!added.empty()) model::prepend(model, std::move(added));
  if (preparation.total_count) model.total_count = preparation.total_count;
}

// Standard deviations that a scaler subtracts at most. Rows in float32 lose 6e-8 of that before it sees them.
double largest_subtraction(const Model& model) {
  double largest = 0;
  for (const auto& stage : model.stages)
    if (const auto* scale = std::get_if<model::Scale>(&stage))
      for (u64 j = 0; j < scale->offset.size(); ++j)
        largest = std::max(largest, std::abs(scale->offset[j] * scale->factor[j]));
  return largest;
}

// The last model's precision holds, unless float32 would ruin what a float64 scaler in front of it computes.
void keep_offsets_exact(Model& joined, bool any_wide, std::vector<std::string>& notes) {
  constexpr double most = 1000;
  if (joined.precision == model::Precision::float64 || !any_wide) return;
  const double largest = largest_subtraction(joined);
  if (largest <= most) return;
  joined.precision = model::Precision::float64;
  notes.push_back("float64 all the same: a scaler subtracts up to " +
                  std::to_string(static_cast<u64>(std::min(largest, 1e18))) +
                  " deviations, more than rows in float32 can bear; --precision float32 insists");
}

}  // namespace

Model join(std::vector<Part> parts, std::vector<std::string>& notes) {
  if (parts.empty()) throw Error(ExitCode::internal, "no models to join");
  Model joined = std::move(parts.front().model);
  bool any_wide = joined.precision == model::Precision::float64;
  if (parts.size() > 1) drop_golden(joined, "those of " + parts[0].path + " are not of the joined model", notes);
  for (u64 i = 1; i < parts.size(); ++i) {
    check_joint(parts[i - 1].path, joined, parts[i]);
    if (joined.precision != parts[i].model.precision)
      notes.push_back(parts[i - 1].path + " declares " + to_string(joined.precision) + ", " + parts[i].path + ' ' +
                      to_string(parts[i].model.precision) + ": the latter holds, unless --precision says else");
    drop_golden(parts[i].model, "those of " + parts[i].path + " are not of the joined model", notes);
    append(joined, std::move(parts[i].model));
    any_wide = any_wide || joined.precision == model::Precision::float64;
  }
  keep_offsets_exact(joined, any_wide, notes);
  return joined;
}

void prepare(Model& model, const Preparation& preparation, std::vector<std::string>& notes) {
  if (!preparation.feature_names.empty()) {
    require_counts("feature name", preparation.feature_names.size(), model.n_features, "feature");
    require_unique(preparation.feature_names, "the feature name");
    model.feature_names = preparation.feature_names;
  }
  if (preparation.classes) set_classes(model, *preparation.classes);
  if (!preparation.targets.empty()) {
    if (model.head.kind != model::HeadKind::values)
      throw Error(ExitCode::data, "target names for a classifier", "",
                  "a network that ends in a softmax has classes: name them by --classes");
    require_counts("target name", preparation.targets.size(), output_columns(model), "output");
    require_unique(preparation.targets, "the target name");
    model.head.target_names = preparation.targets;
  }
  if (preparation.precision) model.precision = *preparation.precision;
  add_stages(model, preparation, notes);
}

}  // namespace h5score::format
