// ai.onnx.ml: scalers, imputers and linear models.
#include "elementwise.hpp"
#include "labels.hpp"
#include "operators.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::format::onnx {

Rows table(const Graph& graph, u64 node) {
  Rows rows;
  rows.node = node;
  rows.dims = {1, graph.width(node)};
  return rows;
}

u64 post_transform(Node& node, u64 scores, const std::string& transform) {
  Graph& graph = node.graph();
  if (transform == "NONE") return scores;
  if (transform == "LOGISTIC") return graph.add(model::Activation{model::ActivationKind::sigmoid, 0}, scores);
  if (transform == "SOFTMAX" && graph.width(scores) > 1) return graph.add(model::Softmax{}, scores);
  node.refuse("post_transform " + transform, "supported are NONE, LOGISTIC and SOFTMAX");
}

namespace lower {
namespace {

// A table of rows: batch x columns.
const Rows& columns_of(const Node& node) {
  const Rows& x = node.rows(0);
  if (x.batch != 0 || x.dims.empty() || x.dims[0] != 1 || x.dims.size() > 2)
    node.refuse("values of shape " + text(x.dims) + ", where rows and columns are needed");
  return x;
}

// One number per column, from a list that may hold one for all.
std::vector<double> per_column(const Node& node, std::vector<double> values, u64 columns, const char* what) {
  if (values.size() == 1) values.resize(columns, values[0]);
  if (values.size() != columns)
    node.refuse(std::to_string(values.size()) + " values of " + what + " for " + std::to_string(columns) + " columns");
  return values;
}

// x W' + b with W of `outputs` x columns, as the linear models store it.
u64 linear_scores(Node& node, u64 outputs) {
  const Rows& x = columns_of(node);
  const u64 d = elements(x.dims);
  const auto stored = node.numbers("coefficients");
  if (outputs == 0 || stored.size() / outputs != d || stored.size() % outputs != 0)
    node.refuse(std::to_string(stored.size()) + " coefficients for " + std::to_string(d) + " columns and " +
                std::to_string(outputs) + " outputs");
  model::Affine affine{{d, outputs, std::vector<double>(d * outputs)}, std::vector<double>(outputs, 0)};
  for (u64 j = 0; j < outputs; ++j)
    for (u64 i = 0; i < d; ++i) affine.weights.values[i * outputs + j] = stored[j * d + i];
  const auto intercepts = node.numbers("intercepts");
  if (!intercepts.empty()) affine.bias = intercepts;
  if (affine.bias.size() != outputs) node.refuse(std::to_string(intercepts.size()) + " intercepts");
  return node.graph().add(std::move(affine), node.graph().node_of(x));
}

Rows one_stage(Graph& graph, const Rows& x, model::Stage stage) {
  Rows result = x;
  result.node = graph.add(std::move(stage), graph.node_of(x));
  result.columns.clear();
  result.whole = result.binary = false;
  return result;
}

}  // namespace

void linear_regressor(Node& node) {
  const u64 targets = static_cast<u64>(std::max<i64>(node.integer("targets", 1), 0));
  const u64 scores = linear_scores(node, targets);
  node.set(table(node.graph(), post_transform(node, scores, node.text("post_transform", "NONE"))));
}

void linear_classifier(Node& node) {
  Graph& graph = node.graph();
  node.ignore({"multi_class"});
  const auto named = class_labels_of(node);
  const u64 columns = elements(columns_of(node).dims);
  const u64 outputs = columns == 0 ? 0 : node.numbers("coefficients").size() / columns;
  const u64 scores = linear_scores(node, outputs);
  Labels labels;
  labels.node = scores;
  labels.classes = named ? *named : model::ClassLabels{std::vector<i64>{0, 1}};
  if (model::class_count(labels.classes) != (outputs == 1 ? 2 : outputs))
    node.refuse(std::to_string(model::class_count(labels.classes)) + " class labels for " + std::to_string(outputs) +
                " outputs");
  const std::string transform = node.text("post_transform", "NONE");
  // One output speaks for the second class, its negative for the first.
  const u64 both = outputs > 1 ? scores : graph.add(model::Affine{{1, 2, {-1, 1}}, {0, 0}}, scores);
  node.set(table(graph, post_transform(node, both, transform)), 1);
  node.set(std::move(labels), 0);
}

void scaler(Node& node) {
  const Rows& x = columns_of(node);
  const u64 columns = elements(x.dims);
  auto offset = node.numbers("offset");
  auto factor = node.numbers("scale");
  if (offset.empty()) offset = {0};
  if (factor.empty()) factor = {1};
  node.set(one_stage(node.graph(), x,
                     model::Scale{per_column(node, std::move(offset), columns, "offset"),
                                  per_column(node, std::move(factor), columns, "scale")}));
}

void normalizer(Node& node) {
  const std::string norm = node.text("norm", "MAX");
  if (norm != "L1" && norm != "L2")
    node.refuse("norm " + norm + " divides by the largest value, whatever its sign", "supported are L1 and L2");
  node.set(
      one_stage(node.graph(), columns_of(node), model::Normalize{norm == "L1" ? model::Norm::l1 : model::Norm::l2}));
}

void lp_normalization(Node& node) {
  const Rows& x = columns_of(node);
  const i64 p = node.integer("p", 2);
  if (p != 1 && p != 2) node.refuse("p = " + std::to_string(p));
  if (node.axis(node.integer("axis", -1), x.dims.size()) == x.batch)
    node.refuse("it would mix values of different rows");
  node.set(one_stage(node.graph(), x, model::Normalize{p == 1 ? model::Norm::l1 : model::Norm::l2}));
}

void imputer(Node& node) {
  const Rows& x = columns_of(node);
  auto statistics = node.numbers("imputed_value_floats");
  double missing = node.number("replaced_value_float", 0);
  const auto integers = node.integers("imputed_value_int64s");
  const i64 missing_integer = node.integer("replaced_value_int64", 0);
  if (statistics.empty()) {
    statistics.assign(integers.begin(), integers.end());
    missing = static_cast<double>(missing_integer);
  }
  const bool nan = std::isnan(missing);
  const Rows result =
      one_stage(node.graph(), x,
                model::Impute{per_column(node, std::move(statistics), elements(x.dims), "imputed values"),
                              nan ? 0 : missing, nan});
  node.set(result);
}

void binarizer(Node& node) {
  Rows result = one_stage(node.graph(), node.rows(0), model::Binarize{node.number("threshold", 0)});
  result.binary = true;
  node.set(std::move(result));
}

}  // namespace lower
}  // namespace h5score::format::onnx
