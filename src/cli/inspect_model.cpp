// What `inspect` says of a model file.
#include "h5score/base/error.hpp"
#include "h5score/model/evaluator.hpp"

#include "inspect_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace h5score::cli {
namespace {

using base::u64;

constexpr u64 label_width = 14;  // of the left column, with its indent and gap

const char* text_of(model::Link link) {
  switch (link) {
    case model::Link::none:
      return "none";
    case model::Link::identity:
      return "the last stage's values";
    case model::Link::sigmoid:
      return "sigmoid";
    case model::Link::softmax:
      return "softmax";
    case model::Link::normalized_sigmoid:
      return "sigmoids divided by their sum (one-vs-rest)";
    case model::Link::platt:
      return "Platt scaling";
  }
  return "?";
}

const char* text_of(model::HeadKind kind) {
  switch (kind) {
    case model::HeadKind::values:
      return "values (regression)";
    case model::HeadKind::binary:
      return "two classes";
    case model::HeadKind::multiclass:
      return "one of several classes, the largest value";
    case model::HeadKind::multilabel:
      return "any of several classes";
    case model::HeadKind::one_vs_one:
      return "one of several classes, votes of pairs";
    case model::HeadKind::one_class:
      return "inlier or outlier (one class)";
  }
  return "?";
}

std::vector<std::string> class_names(const model::ClassLabels& classes) {
  std::vector<std::string> names;
  for (u64 i = 0; i < model::class_count(classes); ++i) names.push_back(model::class_name(classes, i));
  return names;
}

std::string result_text(const model::ResultColumn& column) {
  const std::string shape = column.matrix || column.width > 1 ? fmt::format("n x {}", column.width) : "n";
  return fmt::format("{} ({}, {})", model::to_string(column.kind), shape, base::to_string(column.type));
}

std::string origin_text(const model::Origin& origin) {
  if (origin.library.empty()) return "unknown";
  return origin.version.empty() ? origin.library : origin.library + ' ' + origin.version;
}

// Whether a run can compare its data with the training data, and fill missing features by means.
std::string reference_text(const model::Model& model) {
  const auto reference = model::training_reference(model);
  if (!reference) return "unknown";
  std::vector<std::string> known;
  const auto any = [](const std::vector<double>& values) {
    return std::any_of(values.begin(), values.end(), [](double value) { return !std::isnan(value); });
  };
  if (any(reference->mean)) known.emplace_back("mean");
  if (any(reference->stddev)) known.emplace_back("standard deviation");
  if (!reference->minimum.empty() && !reference->maximum.empty()) known.emplace_back("range");
  if (known.empty()) return "unknown";
  return fmt::format("{} of each feature{}", fmt::join(known, ", "),
                     model.reference ? "" : ", from the model's own scaler");
}

// What a stage reads where that is not simply the stage before it.
std::string inputs_text(const model::Model& model, u64 stage) {
  const auto inputs = model::inputs_of(model, stage);
  if (inputs == std::vector<u64>{stage}) return {};
  std::vector<std::string> names;
  for (const u64 node : inputs) names.push_back(node == 0 ? "the features" : std::to_string(node));
  return fmt::format(", of {}", fmt::join(names, ", "));
}

}  // namespace

std::string self_test_text(const model::Model& model, const model::Evaluator& evaluator) {
  const model::SelfTest test = model::self_test(model, evaluator);
  if (test.rows == 0) return "none in the file, so a run cannot check itself";
  std::string text = fmt::format("{} rows, self-test {}: max diff {} (tolerance {})", run::format_count(test.rows),
                                 test.passed ? "passed" : "FAILED", run::format_value(test.max_difference, 2),
                                 run::format_value(test.tolerance, 2));
  if (test.label_mismatches > 0) text += fmt::format(", {} labels differ", run::format_count(test.label_mismatches));
  return text;
}

std::string list_text(const std::vector<std::string>& words, u64 width) {
  const auto join = [](auto begin, auto end) {
    std::string text;
    for (; begin != end; ++begin) text += (text.empty() ? "" : ", ") + *begin;
    return text;
  };
  const std::size_t most = width / 3 + 1;  // more words than that never fit
  if (words.size() <= most) {
    std::string all = join(words.begin(), words.end());
    if (run::display_width(all) <= width) return all;
  }
  // The ends tell most; take from both while they fit.
  for (std::size_t ends = std::min(words.size() / 2, most); ends > 0; --ends) {
    const auto n = static_cast<std::ptrdiff_t>(ends);
    std::string text = fmt::format("{}, ... {} more ..., {}", join(words.begin(), words.begin() + n),
                                   run::format_count(words.size() - 2 * ends), join(words.end() - n, words.end()));
    if (run::display_width(text) <= width && words.size() > 2 * ends) return text;
  }
  return run::shorten(words.empty() ? "" : words.front(), width - 5, false) + ", ...";
}

std::string describe_model_file(const std::string& path, const model::Model& model, const run::TextStyle& style) {
  const auto evaluator = model::compile(model);
  const u64 room = style.width - label_width;
  std::vector<std::pair<std::string, std::string>> facts;
  facts.push_back({"file format", model.origin.format});
  facts.push_back({"made by", origin_text(model.origin)});
  facts.push_back({"precision", model::to_string(model.precision)});
  const std::string count = run::format_count(model.n_features);
  facts.push_back(
      {"features", model.feature_names.empty()
                       ? count + ", without names"
                       : fmt::format("{}: {}", count, list_text(model.feature_names, room - count.size() - 2))});
  if (model.input_shape.size() > 1) facts.push_back({"row shape", shape_text(model.input_shape)});
  if (model.total_count)
    facts.push_back({"total count", fmt::format("rows are scaled so that all columns of the source sum to {}",
                                                run::format_value(*model.total_count))});
  facts.push_back({"training", reference_text(model)});
  u64 number = 0;
  for (const auto& stage : model.stages) {
    facts.push_back({number == 0 ? "stages" : "",
                     fmt::format("{} {}{}", number + 1, model::describe(stage), inputs_text(model, number))});
    ++number;
  }
  facts.push_back({"head", text_of(model.head.kind)});
  if (model.head.kind != model::HeadKind::values) {
    const auto names = class_names(model.head.classes);
    facts.push_back({"classes", fmt::format("{}: {}", names.size(), list_text(names, room - 6))});
    facts.push_back({"probability", text_of(model.head.link)});
  } else if (!model.head.target_names.empty()) {
    facts.push_back({"targets", list_text(model.head.target_names, room)});
  }
  bool first = true;
  for (const auto& column : evaluator->columns()) {
    facts.push_back({first ? "results" : "", result_text(column)});
    first = false;
  }
  facts.push_back({"golden rows", self_test_text(model, *evaluator)});
  facts.push_back(
      {"cost", run::format_count(static_cast<u64>(evaluator->flops_per_row())) + " floating-point operations per row"});
  facts.push_back({"hash", model::model_hash(model)});
  return fmt::format("{}: model\n  {}\n\n{}", path, run::wrap(model::describe(model), style.width - 2, 2),
                     run::fact_lines(facts, style));
}

}  // namespace h5score::cli
