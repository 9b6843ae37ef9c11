// Activation functions, Clip and Softmax.
#include "elementwise.hpp"
#include "operators.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace h5score::format::onnx::lower {
namespace {

using model::ActivationKind;
using model::CombineKind;

void activation(Node& node, ActivationKind kind, double alpha = 0) {
  node.ignore({"consumed_inputs"});
  node.set(activated(node.graph(), node.rows(0), kind, alpha));
}

// A number that was an attribute and became an optional input; infinite where it is left out.
double limit(Node& node, const char* name, u64 input, double otherwise) {
  if (node.opset() < 11) return node.number(name, otherwise);
  if (!node.given(input)) return otherwise;
  const auto values = node.constant_numbers(input, name);
  if (values.size() != 1) node.refuse("its limits differ between columns");
  return values[0];
}

// Softmax over groups of neighbouring columns of a row.
Rows softmax_of(Graph& graph, const Rows& rows, u64 group, bool log) {
  const bool whole_row = group == elements(rows.dims);
  Rows result = rows;
  result.node = graph.add(model::Softmax{whole_row ? 0 : group, log}, graph.node_of(rows));
  result.columns.clear();
  result.whole = result.binary = false;
  return result;
}

// Softmax over `axis`, for which that axis becomes the last one and then goes back.
void softmax_over(Node& node, const Rows& rows, u64 axis, bool log) {
  if (axis == rows.batch) node.refuse("it would mix values of different rows");
  Graph& graph = node.graph();
  std::vector<u64> order;
  for (u64 i = 0; i < rows.dims.size(); ++i)
    if (i != axis) order.push_back(i);
  order.push_back(axis);
  const Value turned = transposed(graph, rows, {rows.dims, rows.batch}, order);
  const Rows result = softmax_of(graph, std::get<Rows>(turned), rows.dims[axis], log);
  std::vector<u64> back(order.size());
  for (u64 i = 0; i < order.size(); ++i) back[order[i]] = i;
  node.set(transposed(graph, result, {result.dims, result.batch}, back));
}

void any_softmax(Node& node, bool log) {
  const Rows& rows = node.rows(0);
  const u64 rank = rows.dims.size();
  if (node.opset() >= 13) return softmax_over(node, rows, node.axis(node.integer("axis", -1), rank), log);
  // Before opset 13: over everything from the axis on.
  const u64 axis = node.axis(node.integer("axis", 1), rank);
  if (axis <= rows.batch) node.refuse("it would mix values of different rows");
  const u64 group = elements({rows.dims.begin() + static_cast<std::ptrdiff_t>(axis), rows.dims.end()});
  if (group == 0) node.refuse("it has no columns");
  node.set(softmax_of(node.graph(), rows, group, log));
}

}  // namespace

void relu(Node& node) {
  activation(node, ActivationKind::relu);
}
void sigmoid(Node& node) {
  activation(node, ActivationKind::sigmoid);
}
void tanh(Node& node) {
  activation(node, ActivationKind::tanh);
}
void softplus(Node& node) {
  activation(node, ActivationKind::softplus);
}
void softsign(Node& node) {
  activation(node, ActivationKind::softsign);
}
void exponential(Node& node) {
  activation(node, ActivationKind::exponential);
}
void erf(Node& node) {
  activation(node, ActivationKind::erf);
}
void logarithm(Node& node) {
  const Rows& rows = node.rows(0);
  const auto* plus_one = node.graph().stage<model::Scale>(rows.node);
  const auto all_are = [](const std::vector<double>& values, double value) {
    return std::all_of(values.begin(), values.end(), [value](double v) { return v == value; });
  };
  if (plus_one == nullptr || !all_are(plus_one->factor, 1) || !all_are(plus_one->offset, -1))
    node.refuse("it is not the logarithm of 1 + x");
  Rows inner = rows;
  inner.node = node.graph().inputs(rows.node)[0];
  node.set(apply(node.graph(), inner, model::Log1p{}));
}

void leaky_relu(Node& node) {
  activation(node, ActivationKind::leaky_relu, node.number("alpha", 0.01));
}
void elu(Node& node) {
  activation(node, ActivationKind::elu, node.number("alpha", 1));
}

void gelu(Node& node) {
  const std::string approximate = node.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh") node.refuse("approximate is neither none nor tanh");
  activation(node, approximate == "tanh" ? ActivationKind::gelu_tanh : ActivationKind::gelu);
}

void selu(Node& node) {
  // The defaults are those of Klambauer et al. 2017 to the precision of a float.
  const double alpha = node.number("alpha", 1.67326319217681884765625);
  const double gamma = node.number("gamma", 1.05070102214813232421875);
  if (std::abs(alpha - 1.6732632423543772) < 1e-4 && std::abs(gamma - 1.0507009873554805) < 1e-4)
    return activation(node, ActivationKind::selu);
  node.set(linear(node.graph(), activated(node.graph(), node.rows(0), ActivationKind::elu, alpha), gamma, 0));
}

// max(0, x) + min(0, a (exp(x / a) - 1)) = a elu(x / a)
void celu(Node& node) {
  const double alpha = node.number("alpha", 1);
  if (!(alpha > 0)) node.refuse("alpha is not above 0");
  const Rows inner = linear(node.graph(), node.rows(0), 1 / alpha, 0);
  node.set(linear(node.graph(), activated(node.graph(), inner, ActivationKind::elu, 1), alpha, 0));
}

void prelu(Node& node) {
  Graph& graph = node.graph();
  const Rows& rows = node.rows(0);
  Constant slope = node.constant(1, "the slope");
  const auto values = numbers_of(slope);
  if (values.size() == 1) return activation(node, ActivationKind::leaky_relu, values[0]);
  // Before opset 7: one slope per channel.
  if (node.opset() < 7 && slope.dims.size() == 1 && rows.dims.size() > 2) slope.dims.resize(rows.dims.size() - 1, 1);
  if (broadcast(rows.dims, slope.dims) != rows.dims) node.refuse("its slopes do not fit " + text(rows.dims));
  const Rows positive = activated(graph, rows, ActivationKind::relu);
  const Rows negative = activated(graph, linear(graph, rows, -1, 0), ActivationKind::relu);
  const Value sloped = binary(node, CombineKind::multiply, negative, slope);
  node.set(combined(graph, CombineKind::subtract, {positive, std::get<Rows>(sloped)}));
}

void thresholded_relu(Node& node) {
  const Rows& rows = node.rows(0);
  const Rows above = apply(node.graph(), rows, model::Binarize{node.number("alpha", 1)});
  node.set(combined(node.graph(), CombineKind::multiply, {rows, above}));
}

void hard_sigmoid(Node& node) {
  const double alpha = node.number("alpha", 0.2);
  const double beta = node.number("beta", 0.5);
  node.ignore({"consumed_inputs"});
  if (std::abs(alpha - 0.2) < 1e-7 && beta == 0.5)
    return node.set(activated(node.graph(), node.rows(0), ActivationKind::hard_sigmoid));
  node.set(clipped(node.graph(), linear(node.graph(), node.rows(0), alpha, beta), 0, 1));
}

void hard_swish(Node& node) {
  Graph& graph = node.graph();
  const Rows& rows = node.rows(0);
  const Rows gate = clipped(graph, linear(graph, rows, 1.0 / 6, 0.5), 0, 1);
  node.set(combined(graph, CombineKind::multiply, {rows, gate}));
}

void swish(Node& node) {
  Graph& graph = node.graph();
  const double alpha = node.number("alpha", 1);
  if (alpha == 1) return activation(node, ActivationKind::silu);
  const Rows gate = activated(graph, linear(graph, node.rows(0), alpha, 0), ActivationKind::sigmoid);
  node.set(combined(graph, CombineKind::multiply, {node.rows(0), gate}));
}

void mish(Node& node) {
  Graph& graph = node.graph();
  const Rows inner = activated(graph, node.rows(0), ActivationKind::softplus);
  node.set(combined(graph, CombineKind::multiply, {node.rows(0), activated(graph, inner, ActivationKind::tanh)}));
}

void clip(Node& node) {
  constexpr double open = std::numeric_limits<double>::infinity();
  node.ignore({"consumed_inputs"});
  const double low = limit(node, "min", 1, -open);
  const double high = limit(node, "max", 2, open);
  if (!(low <= high)) node.refuse("its lower limit is above the upper one");
  node.set(clipped(node.graph(), node.rows(0), low, high));
}

void softmax(Node& node) {
  any_softmax(node, false);
}
void log_softmax(Node& node) {
  any_softmax(node, true);
}

}  // namespace h5score::format::onnx::lower
