// ai.onnx.ml: support vector machines. Layouts as LIBSVM's (svm_predict_values): coefficients are (classes - 1) x
// vectors, those of class i against j in row j - 1 of i's vectors and in row i of j's; rho is added, one per pair.
#include "h5score/base/narrow.hpp"

#include "elementwise.hpp"
#include "labels.hpp"
#include "operators.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::format::onnx::lower {
namespace {

using model::KernelKind;

model::Kernel kernel_of(Node& node) {
  const std::string type = node.text("kernel_type", "LINEAR");
  auto parameters = node.numbers("kernel_params");
  if (parameters.empty()) parameters = {0, 0, 0};
  if (parameters.size() < 3) node.refuse("kernel_params has " + std::to_string(parameters.size()) + " values, not 3");
  model::Kernel kernel{.kind = KernelKind::linear};
  if (type == "LINEAR") return kernel;
  kernel.gamma = parameters[0];
  kernel.coef0 = parameters[1];
  if (type == "RBF") {
    kernel.kind = KernelKind::rbf;
    kernel.coef0 = 0;
  } else if (type == "POLY") {
    kernel.kind = KernelKind::polynomial;
    const double degree = parameters[2];
    if (!(degree >= 0 && degree < 1e6) || std::trunc(degree) != degree)
      node.refuse("the polynomial's degree is no whole number");
    kernel.degree = static_cast<base::u32>(degree);
  } else if (type == "SIGMOID") {
    kernel.kind = KernelKind::sigmoid;
  } else {
    node.refuse("kernel " + type);
  }
  return kernel;
}

// The support vectors, as many as there are columns in the rows.
model::Matrix vectors_of(Node& node, u64 count, u64 columns) {
  auto values = node.numbers("support_vectors");
  if (values.size() != base::checked_mul(count, columns))
    node.refuse(std::to_string(values.size()) + " values of support vectors for " + std::to_string(count) +
                " vectors of " + std::to_string(columns) + " columns");
  return {count, columns, std::move(values)};
}

model::Matrix pair_coefficients(const Node& node, const std::vector<double>& stored, const std::vector<u64>& start) {
  const u64 classes = start.size() - 1;
  const u64 vectors = start.back();
  if (stored.size() != base::checked_mul(classes - 1, vectors))
    node.refuse(std::to_string(stored.size()) + " coefficients for " + std::to_string(vectors) + " vectors of " +
                std::to_string(classes) + " classes");
  const u64 pairs = classes * (classes - 1) / 2;
  node.graph().spend(base::checked_mul(vectors, pairs));
  model::Matrix matrix{vectors, pairs, std::vector<double>(vectors * pairs, 0)};
  u64 pair = 0;
  for (u64 i = 0; i < classes; ++i)
    for (u64 j = i + 1; j < classes; ++j, ++pair) {
      for (u64 v = start[i]; v < start[i + 1]; ++v) matrix.values[v * pairs + pair] = stored[(j - 1) * vectors + v];
      for (u64 v = start[j]; v < start[j + 1]; ++v) matrix.values[v * pairs + pair] = stored[i * vectors + v];
    }
  return matrix;
}

// Two classes as scikit-learn has them: the score speaks for the second class.
void turn_to_binary(model::KernelExpansion& expansion, model::Head& head) {
  for (double& coefficient : expansion.coefficients.values) coefficient = -coefficient;
  for (double& intercept : expansion.intercept) intercept = -intercept;
  for (double& b : head.prob_b) b = -b;
  head.kind = model::HeadKind::binary;
}

void set_classifier(Node& node, u64 scores, model::Head head) {
  Labels labels;
  labels.node = scores;
  labels.classes = head.classes;
  labels.head = head;
  node.set(std::move(labels), 0);
  node.set(Scores{scores, std::move(head), std::nullopt}, 1);
}

// LIBLINEAR's form: one row of coefficients per class, one rho for all.
void linear_classes(Node& node, const model::ClassLabels& classes) {
  Graph& graph = node.graph();
  const u64 count = model::class_count(classes);
  const Rows& x = node.rows(0);
  const u64 d = elements(x.dims);
  const auto stored = node.numbers("coefficients");
  const auto rho = node.numbers("rho");
  if (stored.size() != base::checked_mul(count, d) || rho.empty() || count < 2)
    node.refuse(std::to_string(stored.size()) + " coefficients for " + std::to_string(count) + " classes and " +
                std::to_string(d) + " columns");
  if (!node.numbers("prob_a").empty()) node.refuse("prob_a without support vectors");
  model::Affine affine{{d, count, std::vector<double>(d * count)}, std::vector<double>(count, rho[0])};
  for (u64 j = 0; j < count; ++j)
    for (u64 i = 0; i < d; ++i) affine.weights.values[i * count + j] = stored[j * d + i];
  Labels labels;
  labels.node = graph.add(std::move(affine), graph.node_of(x));
  labels.classes = classes;
  node.set(table(graph, post_transform(node, labels.node, node.text("post_transform", "NONE"))), 1);
  node.set(std::move(labels), 0);
}

std::vector<u64> starts_of(Node& node, const std::vector<i64>& per_class) {
  std::vector<u64> start{0};
  for (const i64 count : per_class) {
    if (count < 0) node.refuse("vectors_per_class is negative");
    start.push_back(base::checked_add(start.back(), static_cast<u64>(count)));
  }
  return start;
}

}  // namespace

void svm_regressor(Node& node) {
  Graph& graph = node.graph();
  const Rows& x = node.rows(0);
  const u64 d = elements(x.dims);
  const auto count = static_cast<u64>(std::max<i64>(node.integer("n_supports", 0), 0));
  auto coefficients = node.numbers("coefficients");
  auto rho = node.numbers("rho");
  if (rho.size() != 1) node.refuse(std::to_string(rho.size()) + " values of rho, not 1");
  model::KernelExpansion expansion{{}, kernel_of(node), {}, rho};
  if (count == 0) {
    // Without support vectors the coefficients are those of a linear function.
    node.ignore({"support_vectors"});
    expansion.kernel = {.kind = KernelKind::linear};
    if (coefficients.size() != d) node.refuse(std::to_string(coefficients.size()) + " coefficients");
    expansion.support_vectors = {1, d, std::move(coefficients)};
    expansion.coefficients = {1, 1, {1}};
  } else {
    if (coefficients.size() != count) node.refuse(std::to_string(coefficients.size()) + " coefficients");
    expansion.support_vectors = vectors_of(node, count, d);
    expansion.coefficients = {count, 1, std::move(coefficients)};
  }
  if (node.text("post_transform", "NONE") != "NONE") node.refuse("its post_transform", "supported is NONE");
  const u64 score = graph.add(std::move(expansion), graph.node_of(x));
  if (node.integer("one_class", 0) == 0) return node.set(table(graph, score));
  model::Head head;
  head.kind = model::HeadKind::one_class;
  head.classes = std::vector<i64>{-1, 1};
  node.set(Labels{score, head, head.classes, false});
}

void svm_classifier(Node& node) {
  Graph& graph = node.graph();
  const auto classes = class_labels_of(node);
  if (!classes) node.refuse("it has no class labels");
  const model::Kernel kernel = kernel_of(node);
  const auto per_class = node.integers("vectors_per_class");
  const std::vector<u64> start = starts_of(node, per_class);
  if (start.back() == 0) {
    node.ignore({"support_vectors", "prob_b"});
    return linear_classes(node, *classes);
  }
  const u64 count = model::class_count(*classes);
  if (per_class.size() != count || count < 2 || count > 65'536)
    node.refuse(std::to_string(per_class.size()) + " entries of vectors_per_class for " + std::to_string(count) +
                " classes");
  const Rows& x = node.rows(0);
  model::KernelExpansion expansion{vectors_of(node, start.back(), elements(x.dims)), kernel,
                                   pair_coefficients(node, node.numbers("coefficients"), start), node.numbers("rho")};
  const u64 pairs = expansion.coefficients.cols;
  model::Head head;
  head.kind = model::HeadKind::one_vs_one;
  head.classes = *classes;
  head.prob_a = node.numbers("prob_a");
  head.prob_b = node.numbers("prob_b");
  if (!head.prob_a.empty()) head.link = model::Link::platt;
  if (expansion.intercept.size() != pairs || head.prob_a.size() != head.prob_b.size() ||
      (!head.prob_a.empty() && head.prob_a.size() != pairs))
    node.refuse("rho, prob_a or prob_b have another length than there are pairs of classes");
  if (node.text("post_transform", "NONE") != "NONE") node.refuse("its post_transform", "supported is NONE");
  if (count == 2) turn_to_binary(expansion, head);
  const u64 scores = graph.add(std::move(expansion), graph.node_of(x));
  set_classifier(node, scores, std::move(head));
}

}  // namespace h5score::format::onnx::lower
