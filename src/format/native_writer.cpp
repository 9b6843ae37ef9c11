// Writer of the native HDF5 model format (docs/model-format.md).
#include "h5score/base/narrow.hpp"
#include "h5score/base/pending_file.hpp"
#include "h5score/format/format.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/h5/memory_file.hpp"

#include "names.hpp"
#include "native.hpp"

#include <limits>

namespace h5score::format {
namespace {

using base::u64;
using h5::Handle;

void write_vector(const Handle& where, const std::string& name, const std::vector<double>& values) {
  h5::write_doubles(where, name, {values.size()}, values);
}

void write_matrix(const Handle& where, const std::string& name, const model::Matrix& matrix) {
  h5::write_doubles(where, name, {matrix.rows, matrix.cols}, matrix.values);
}

std::vector<base::i64> as_signed(const std::vector<u64>& values) {
  std::vector<base::i64> result;
  for (const u64 value : values) result.push_back(base::narrow<base::i64>(value));
  return result;
}

void write_counts(const Handle& where, const std::string& name, const std::vector<u64>& values) {
  h5::write_integers(where, name, {values.size()}, as_signed(values));
}

void write_text(const Handle& where, const std::string& attribute, const std::string& text) {
  h5::write_attribute(where, attribute, text);
}

// One overload per stage; each writes its kind and its parameters.
struct StageWriter {
  const Handle& group;

  void operator()(const model::Affine& stage) const {
    write_text(group, "kind", "affine");
    write_matrix(group, "weights", stage.weights);
    write_vector(group, "bias", stage.bias);
  }
  void operator()(const model::Activation& stage) const {
    write_text(group, "kind", "activation");
    write_text(group, "function", name_of(activation_names, stage.kind));
    h5::write_attribute(group, "alpha", stage.alpha);
  }
  void operator()(const model::Softmax& stage) const {
    write_text(group, "kind", "softmax");
    if (stage.group != 0) h5::write_attribute(group, "group", base::narrow<base::i64>(stage.group));
    if (stage.log) h5::write_attribute(group, "log", base::i64{1});
  }
  void operator()(const model::KernelExpansion& stage) const {
    using model::KernelKind;
    const model::Kernel& kernel = stage.kernel;
    write_text(group, "kind", "kernel_expansion");
    write_text(group, "kernel", name_of(kernel_names, kernel.kind));
    if (kernel.kind != KernelKind::linear) h5::write_attribute(group, "gamma", kernel.gamma);
    if (kernel.kind == KernelKind::polynomial || kernel.kind == KernelKind::sigmoid)
      h5::write_attribute(group, "coef0", kernel.coef0);
    if (kernel.kind == KernelKind::polynomial) h5::write_attribute(group, "degree", base::i64{kernel.degree});
    write_matrix(group, "support_vectors", stage.support_vectors);
    write_matrix(group, "coefficients", stage.coefficients);
    write_vector(group, "intercept", stage.intercept);
  }
  void operator()(const model::Impute& stage) const {
    write_text(group, "kind", "impute");
    write_vector(group, "statistics", stage.statistics);
    h5::write_attribute(group, "missing",
                        stage.missing_is_nan ? std::numeric_limits<double>::quiet_NaN() : stage.missing);
  }
  void operator()(const model::Scale& stage) const {
    write_text(group, "kind", "scale");
    write_vector(group, "offset", stage.offset);
    write_vector(group, "factor", stage.factor);
  }
  void operator()(const model::Normalize& stage) const {
    write_text(group, "kind", "normalize");
    write_text(group, "norm", name_of(norm_names, stage.norm));
  }
  void operator()(const model::Clip& stage) const {
    write_text(group, "kind", "clip");
    h5::write_attribute(group, "low", stage.low);
    h5::write_attribute(group, "high", stage.high);
  }
  void operator()(const model::Log1p& /*stage*/) const { write_text(group, "kind", "log1p"); }
  void operator()(const model::MarkMissing& stage) const {
    write_text(group, "kind", "mark_missing");
    h5::write_attribute(group, "value", stage.value);
  }
  void operator()(const model::Binarize& stage) const {
    write_text(group, "kind", "binarize");
    h5::write_attribute(group, "threshold", stage.threshold);
  }
  void operator()(const model::Select& stage) const {
    write_text(group, "kind", "select");
    write_counts(group, "columns", stage.columns);
  }
  void operator()(const model::Combine& stage) const { write_text(group, "kind", name_of(combine_names, stage.kind)); }
};

struct LabelWriter {
  const Handle& group;

  void operator()(const std::vector<base::i64>& labels) const {
    h5::write_integers(group, "classes", {labels.size()}, labels);
  }
  void operator()(const std::vector<double>& labels) const { write_vector(group, "classes", labels); }
  void operator()(const std::vector<std::string>& labels) const { h5::write_strings(group, "classes", labels); }
};

void write_head(const Handle& group, const model::Head& head) {
  write_text(group, "kind", name_of(head_names, head.kind));
  write_text(group, "link", name_of(link_names, head.link));
  if (head.decision_ovr) h5::write_attribute(group, "decision_ovr", base::i64{1});
  if (head.label_by_probability) h5::write_attribute(group, "label_by_probability", base::i64{1});
  if (head.kind != model::HeadKind::values)
    std::visit(LabelWriter{group}, head.classes);
  else if (!head.target_names.empty())
    h5::write_strings(group, "target_names", head.target_names);
  if (head.link == model::Link::platt) {
    write_vector(group, "prob_a", head.prob_a);
    write_vector(group, "prob_b", head.prob_b);
  }
}

void write_golden(const Handle& group, const model::GoldenRows& golden) {
  write_matrix(group, "rows", golden.rows);
  if (!golden.prediction.values.empty()) write_matrix(group, "prediction", golden.prediction);
  if (!golden.decision.values.empty()) write_matrix(group, "decision", golden.decision);
  if (!golden.probability.values.empty()) write_matrix(group, "probability", golden.probability);
  if (golden.label_codes.empty() || golden.rows.rows == 0) return;
  const u64 per_row = golden.label_codes.size() / golden.rows.rows;
  const std::vector<u64> row{golden.rows.rows};
  h5::write_integers(group, "label_codes", per_row == 1 ? row : std::vector<u64>{golden.rows.rows, per_row},
                     golden.label_codes);
}

void write_reference(const Handle& group, const model::FeatureReference& reference) {
  if (!reference.mean.empty()) write_vector(group, "mean", reference.mean);
  if (!reference.stddev.empty()) write_vector(group, "stddev", reference.stddev);
  if (!reference.minimum.empty()) write_vector(group, "minimum", reference.minimum);
  if (!reference.maximum.empty()) write_vector(group, "maximum", reference.maximum);
}

void write_model(const Handle& file, const model::Model& model) {
  write_text(file, "format", native::format_name);
  h5::write_attribute(file, "format_version", native::format_version);
  h5::write_attribute(file, "n_features", base::narrow<base::i64>(model.n_features));
  write_text(file, "precision", name_of(precision_names, model.precision));
  if (model.total_count) h5::write_attribute(file, "total_count", *model.total_count);
  write_text(file, "library", model.origin.library);
  write_text(file, "library_version", model.origin.version);
  const Handle stages = h5::create_group(file, "stages");
  for (std::size_t i = 0; i < model.stages.size(); ++i) {
    const Handle group = h5::create_group(stages, std::to_string(i));
    std::visit(StageWriter{group}, model.stages[i]);
    if (!model.inputs.empty()) h5::write_attribute(group, "inputs", as_signed(model.inputs[i]));
  }
  write_head(h5::create_group(file, "head"), model.head);
  if (!model.feature_names.empty()) h5::write_strings(file, "feature_names", model.feature_names);
  if (!model.input_shape.empty()) write_counts(file, "input_shape", model.input_shape);
  if (model.reference) write_reference(h5::create_group(file, "reference"), *model.reference);
  if (model.golden) write_golden(h5::create_group(file, "golden"), *model.golden);
}

}  // namespace

void save_model(const std::string& path, const model::Model& model) {
  model::validate(model);
  // A model that is being read is never truncated, and no failed write is lost in the library.
  base::write_file_atomically(path, h5::file_image([&](const Handle& file) { write_model(file, model); }));
}

}  // namespace h5score::format
