// Checks that a model is whole before anything is computed from it. Models come from files that anyone may have
// written.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/model/model.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace h5score::model {
namespace {

// A tile of 16 rows of this many doubles is 512 MiB.
constexpr u64 kMostFeatures = u64{1} << 22U;
// Of all stages together: what is kept per column stays below some 100 MB.
constexpr u64 kMostColumns = u64{1} << 27U;
constexpr u64 kMostGoldenRows = 256;

[[noreturn]] void fail(const std::string& problem, const std::string& why = {}) {
  throw base::Error(base::ExitCode::data, "invalid model: " + problem, why);
}
void require(bool condition, const std::string& problem, const std::string& why = {}) {
  if (!condition) fail(problem, why);
}
void require_count(const std::string& what, u64 found, u64 expected) {
  if (found != expected) fail(what + " has " + std::to_string(found) + " entries, not " + std::to_string(expected));
}
void require_finite(const std::string& what, double value) {
  if (!std::isfinite(value)) fail(what + " is " + std::to_string(value));
}
void require_finite(const std::string& what, const std::vector<double>& values) {
  for (u64 i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) fail(what + "[" + std::to_string(i) + "] is " + std::to_string(values[i]));
}
void require_shape(const std::string& what, const Matrix& m) {
  const std::string shape = std::to_string(m.rows) + " x " + std::to_string(m.cols);
  u64 count = 0;
  if (__builtin_mul_overflow(m.rows, m.cols, &count)) fail(what + " is " + shape, "the size overflows 64 bits");
  if (m.values.size() != count) fail(what + " is " + shape, "it has " + std::to_string(m.values.size()) + " values");
}
void require_matrix(const std::string& what, const Matrix& m) {
  require_shape(what, m);
  require_finite(what, m.values);
}

/// NaN stands for "not known".
void require_no_infinity(const std::string& what, const std::vector<double>& values) {
  for (u64 i = 0; i < values.size(); ++i)
    if (std::isinf(values[i])) fail(what + "[" + std::to_string(i) + "] is " + std::to_string(values[i]));
}

struct CheckStage {
  std::string at;

  void operator()(const Affine& s) const {
    require_matrix(at + " weights", s.weights);
    require(s.weights.cols > 0, at + " has no outputs");
    require_count(at + " bias", s.bias.size(), s.weights.cols);
    require_finite(at + " bias", s.bias);
  }
  void operator()(const Activation& s) const {
    require(s.kind <= ActivationKind::erf, at + " has an unknown activation");
    require_finite(at + " alpha", s.alpha);
  }
  void operator()(const KernelExpansion& s) const {
    require(s.kernel.kind <= KernelKind::sigmoid, at + " has an unknown kernel");
    require_matrix(at + " support vectors", s.support_vectors);
    require_matrix(at + " coefficients", s.coefficients);
    require(s.coefficients.rows == s.support_vectors.rows,
            at + " has " + std::to_string(s.coefficients.rows) + " rows of coefficients for " +
                std::to_string(s.support_vectors.rows) + " support vectors");
    require(s.coefficients.cols > 0, at + " has no outputs");
    require_count(at + " intercept", s.intercept.size(), s.coefficients.cols);
    require_finite(at + " intercept", s.intercept);
    require_finite(at + " gamma", s.kernel.gamma);
    require_finite(at + " coef0", s.kernel.coef0);
  }
  void operator()(const Impute& s) const {
    require_no_infinity(at + " statistics", s.statistics);
    require(s.missing_is_nan || std::isfinite(s.missing), at + " has a missing value that is not finite");
  }
  void operator()(const Scale& s) const {
    require_count(at + " factor", s.factor.size(), s.offset.size());
    require_finite(at + " offset", s.offset);
    require_finite(at + " factor", s.factor);
  }
  void operator()(const Normalize& s) const { require(s.norm <= Norm::max, at + " has an unknown norm"); }
  void operator()(const Clip& s) const {
    require_finite(at + " low", s.low);
    require_finite(at + " high", s.high);
    require(s.low <= s.high, at + " has low above high");
  }
  void operator()(const Softmax&) const {}
  void operator()(const Log1p&) const {}
  void operator()(const MarkMissing& s) const { require_finite(at + " value", s.value); }
  void operator()(const Binarize& s) const { require_finite(at + " threshold", s.threshold); }
  void operator()(const Select& s) const { require(!s.columns.empty(), at + " selects nothing"); }
  void operator()(const Combine& s) const {
    require(s.kind <= CombineKind::maximum, at + " has an unknown combination");
  }
};

/// Width after all stages.
u64 check_stages(const Model& model) {
  require(model.inputs.empty() || model.inputs.size() == model.stages.size(),
          "it has " + std::to_string(model.stages.size()) + " stages, but inputs of " +
              std::to_string(model.inputs.size()));
  std::vector<u64> widths{model.n_features};
  std::vector<u64> read;
  u64 columns = 0;
  for (u64 i = 0; i < model.stages.size(); ++i) {
    const std::string at = "stage " + std::to_string(i) + " (" + describe(model.stages[i]) + ")";
    std::visit(CheckStage{at}, model.stages[i]);
    read.clear();
    for (const u64 node : inputs_of(model, i)) {
      require(node <= i, at + " reads a stage that is not before it");
      read.push_back(widths[node]);
    }
    widths.push_back(output_width(model.stages[i], read));
    require(widths.back() <= kMostFeatures, at + " has " + std::to_string(widths.back()) + " outputs",
            "at most " + std::to_string(kMostFeatures) + " are supported");
    columns += widths.back();
    require(columns <= kMostColumns, "its stages have more than " + std::to_string(kMostColumns) + " columns together");
  }
  return widths.back();
}

void check_reference(const FeatureReference& reference, u64 n) {
  const auto check = [n](const char* what, const std::vector<double>& values) {
    if (values.empty()) return;
    require_count(std::string("reference ") + what, values.size(), n);
    require_no_infinity(std::string("reference ") + what, values);
  };
  check("mean", reference.mean);
  check("stddev", reference.stddev);
  check("minimum", reference.minimum);
  check("maximum", reference.maximum);
  for (u64 i = 0; i < reference.stddev.size(); ++i)
    require(!(reference.stddev[i] < 0), "reference stddev[" + std::to_string(i) + "] is negative");
}

/// What the model says of its features beside their number.
void check_features(const Model& model) {
  if (!model.feature_names.empty()) require_count("feature names", model.feature_names.size(), model.n_features);
  if (!model.input_shape.empty()) {
    const u64 product = base::checked_product(model.input_shape);
    require(product == model.n_features,
            "its input shape has " + std::to_string(product) + " values, not " + std::to_string(model.n_features));
  }
  if (model.total_count)
    require(std::isfinite(*model.total_count) && *model.total_count > 0, "its total count is not a positive number");
  if (model.reference) check_reference(*model.reference, model.n_features);
}

void check_classes(const ClassLabels& labels) {
  if (const auto* numbers = std::get_if<std::vector<double>>(&labels)) require_finite("class labels", *numbers);
  std::visit(
      [](const auto& values) {
        const std::set unique(values.begin(), values.end());
        require(unique.size() == values.size(), "class labels repeat");
      },
      labels);
}

bool link_fits(HeadKind kind, Link link) {
  const auto one_of = [link](std::initializer_list<Link> links) {
    return std::find(links.begin(), links.end(), link) != links.end();
  };
  switch (kind) {
    case HeadKind::values:
    case HeadKind::one_class:
      return one_of({Link::none});
    case HeadKind::binary:
      return one_of({Link::none, Link::identity, Link::sigmoid, Link::softmax, Link::platt});
    case HeadKind::multiclass:
      return one_of({Link::none, Link::identity, Link::softmax, Link::normalized_sigmoid});
    case HeadKind::multilabel:
      return one_of({Link::none, Link::identity, Link::sigmoid});
    case HeadKind::one_vs_one:
      return one_of({Link::none, Link::platt});
  }
  return false;
}

/// Columns that a head of c classes needs; every one for regression.
u64 columns_needed(HeadKind kind, u64 c, u64 width) {
  if (kind == HeadKind::values) return width;
  if (kind == HeadKind::binary || kind == HeadKind::one_class) return 1;
  if (kind == HeadKind::one_vs_one) return base::checked_mul(c, c - 1) / 2;
  return c;
}

void check_head(const Head& head, u64 width) {
  require(head.kind <= HeadKind::one_class && head.link <= Link::platt, "the head is of an unknown kind");
  require(link_fits(head.kind, head.link), "the head cannot give probabilities in that way");
  const u64 c = class_count(head.classes);
  check_classes(head.classes);
  if (head.kind == HeadKind::binary || head.kind == HeadKind::one_class)
    require(c == 2, "it has " + std::to_string(c) + " classes, not 2");
  if (head.kind == HeadKind::multiclass || head.kind == HeadKind::one_vs_one)
    require(c >= 2, "it has fewer than 2 classes");
  if (head.kind == HeadKind::multilabel) require(c >= 1, "it has no classes");
  if (head.kind == HeadKind::values) require(c == 0, "a regression has class labels");
  const u64 needed = columns_needed(head.kind, c, width);
  require(width == needed,
          "the last stage gives " + std::to_string(width) + " columns, the head needs " + std::to_string(needed));
  const u64 pairs = head.link == Link::platt ? width : 0;
  require_count("prob_a", head.prob_a.size(), pairs);
  require_count("prob_b", head.prob_b.size(), pairs);
  require_finite("prob_a", head.prob_a);
  require_finite("prob_b", head.prob_b);
  if (!head.target_names.empty()) {
    require(head.kind == HeadKind::values, "a classifier has target names");
    require_count("target names", head.target_names.size(), width);
  }
  require(!head.label_by_probability || (head.kind == HeadKind::one_vs_one && head.link == Link::platt),
          "labels by probability need a one-vs-one head with probabilities");
}

void check_golden_part(const std::string& what, const Matrix& m, u64 rows, u64 cols) {
  require_shape("golden " + what, m);
  if (m.values.empty()) return;
  require(m.rows == rows && m.cols == cols, "golden " + what + " is " + std::to_string(m.rows) + " x " +
                                                std::to_string(m.cols) + ", not " + std::to_string(rows) + " x " +
                                                std::to_string(cols));
}

void check_golden(const GoldenRows& golden, const Model& model, u64 width) {
  const Head& head = model.head;
  const u64 g = golden.rows.rows;
  require(g >= 1 && g <= kMostGoldenRows, "it has " + std::to_string(g) + " golden rows", "1 to 256 are allowed");
  require_shape("golden rows", golden.rows);
  require(golden.rows.cols == model.n_features, "golden rows have " + std::to_string(golden.rows.cols) +
                                                    " features, not " + std::to_string(model.n_features));
  const bool regression = head.kind == HeadKind::values;
  const u64 c = class_count(head.classes);
  const u64 decisions = regression || head.link == Link::identity ? 0 : head.decision_ovr && c > 2 ? c : width;
  check_golden_part("prediction", golden.prediction, g, regression ? width : 0);
  check_golden_part("decision", golden.decision, g, decisions);
  check_golden_part("probability", golden.probability, g, head.link == Link::none ? 0 : c);
  if (golden.label_codes.empty()) return;
  require(!regression, "golden labels of a regression");
  require_count("golden labels", golden.label_codes.size(),
                head.kind == HeadKind::multilabel ? base::checked_mul(g, c) : g);
  const auto codes = base::narrow<base::i64>(head.kind == HeadKind::multilabel ? 2 : c);
  require(std::all_of(golden.label_codes.begin(), golden.label_codes.end(),
                      [codes](base::i64 code) { return code >= -1 && code < codes; }),
          "a golden label is not a class code");
}

}  // namespace

void validate(const Model& model) {
  require(model.n_features >= 1, "it has no features");
  require(model.n_features <= kMostFeatures, "it has " + std::to_string(model.n_features) + " features",
          "at most " + std::to_string(kMostFeatures) + " are supported");
  require(model.precision <= Precision::float64, "its precision is unknown");
  const u64 width = check_stages(model);
  check_head(model.head, width);
  check_features(model);
  if (model.golden) check_golden(*model.golden, model, width);
}

}  // namespace h5score::model
