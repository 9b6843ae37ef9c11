// Add, Sub, Mul, Div and their relatives.
#include "elementwise.hpp"
#include "operators.hpp"

#include <cmath>
#include <functional>

namespace h5score::format::onnx::lower {
namespace {

using model::CombineKind;

// Before opset 7 the second operand was broadcast only where asked for, and could begin at an axis of the first.
Value second_operand(Node& node) {
  const i64 broadcasts = node.opset() < 7 ? node.integer("broadcast", 0) : 0;
  const i64 axis = node.opset() < 7 ? node.integer("axis", -1) : -1;
  node.ignore({"consumed_inputs"});
  Value value = node.value(1);
  auto* constant = std::get_if<Constant>(&value);
  if (broadcasts == 0 || axis < 0 || constant == nullptr) return value;
  const u64 rank = shape_of(node, 0).dims.size();
  if (static_cast<u64>(axis) + constant->dims.size() > rank) node.refuse("its operands do not fit each other");
  constant->dims.resize(rank - static_cast<u64>(axis), 1);
  return value;
}

void two(Node& node, CombineKind kind) {
  const Value second = second_operand(node);
  node.set(binary(node, kind, node.value(0), second));
}

// Sum, Min, Max, Mean of any number of operands.
Value folded(const Node& node, CombineKind kind) {
  Value value = node.value(0);
  for (u64 i = 1; i < node.inputs(); ++i) value = binary(node, kind, value, node.value(i));
  return value;
}

// A mean of squares, and a small number more: what torch writes for a layer normalisation before opset 17.
bool is_variance(const Graph& graph, u64 at) {
  if (graph.stage<model::Scale>(at) != nullptr) at = graph.inputs(at)[0];
  if (graph.stage<model::Affine>(at) == nullptr) return false;
  const u64 square = graph.inputs(at)[0];
  const auto* product = graph.stage<model::Combine>(square);
  return product != nullptr && product->kind == CombineKind::multiply && graph.inputs(square).size() == 2 &&
         graph.inputs(square)[0] == graph.inputs(square)[1];
}

void on_constant(Node& node, const std::function<double(double)>& function) {
  const Constant& from = node.constant(0, "its operand");
  auto values = numbers_of(from);
  node.graph().spend(values.size());
  for (double& value : values) value = function(value);
  node.set(Constant{from.dims, std::move(values), {}});
}

}  // namespace

void add(Node& node) {
  two(node, CombineKind::add);
}
void subtract(Node& node) {
  two(node, CombineKind::subtract);
}
void multiply(Node& node) {
  two(node, CombineKind::multiply);
}
void divide(Node& node) {
  two(node, CombineKind::divide);
}

void sum(Node& node) {
  node.set(folded(node, CombineKind::add));
}
void minimum(Node& node) {
  node.set(folded(node, CombineKind::minimum));
}
void maximum(Node& node) {
  node.set(folded(node, CombineKind::maximum));
}
void mean(Node& node) {
  const Constant count{{}, std::vector<double>{static_cast<double>(node.inputs())}, {}};
  node.set(binary(node, CombineKind::divide, folded(node, CombineKind::add), count));
}

void reduce_product(Node& node) {
  const Constant& from = node.constant(0, "its operand");
  node.ignore({"noop_with_empty_axes"});
  const auto axes = node.given(1) ? node.constant_integers(1, "the list of axes") : node.integers("axes");
  const bool keep = node.integer("keepdims", 1) != 0;
  if (from.dims.size() != 1 || from.dims[0] == 0 || axes.size() > 1) node.refuse("its operand is no list of numbers");
  const auto element = [&](u64 i) { return moved(node.graph(), from, {i}, {{}, std::nullopt}); };
  Value product = element(0);
  for (u64 i = 1; i < from.dims[0]; ++i) product = binary(node, CombineKind::multiply, product, element(i));
  node.set(keep ? reshaped(product, {{1}, std::nullopt}) : product);
}

void power(Node& node) {
  const Value second = second_operand(node);
  const auto* exponent = std::get_if<Constant>(&second);
  if (exponent == nullptr) node.refuse("its exponent depends on the rows");
  const auto exponents = numbers_of(*exponent);
  if (exponents.size() != 1) node.refuse("its exponents differ between columns");
  const double e = exponents[0];
  if (node.get<Rows>(0) == nullptr) return on_constant(node, [e](double x) { return std::pow(x, e); });
  if (e != 1 && e != 2 && e != 3) node.refuse("its exponent is not 1, 2 or 3");
  const Rows& rows = node.rows(0);
  if (e == 1) return node.set(rows);
  node.set(combined(node.graph(), CombineKind::multiply, std::vector<Rows>(static_cast<u64>(e), rows)));
}

void negate(Node& node) {
  if (node.get<Constant>(0) != nullptr) {
    const Constant minus_one = std::holds_alternative<std::vector<i64>>(node.constant(0, "its operand").values)
                                   ? Constant{{}, std::vector<i64>{-1}, {}}
                                   : Constant{{}, std::vector<double>{-1}, {}};
    return node.set(binary(node, CombineKind::multiply, node.value(0), minus_one));
  }
  node.set(linear(node.graph(), node.rows(0), -1, 0));
}

void square_root(Node& node) {
  if (node.get<Rows>(0) != nullptr)
    node.refuse("its operand depends on the rows, where a constant is needed",
                is_variance(node.graph(), node.rows(0).node)
                    ? "this looks like a layer normalisation, which is not supported"
                    : "");
  on_constant(node, [](double x) { return std::sqrt(x); });
}

void absolute(Node& node) {
  if (node.get<Constant>(0) != nullptr) return on_constant(node, [](double x) { return std::abs(x); });
  const Rows& rows = node.rows(0);
  node.set(combined(node.graph(), CombineKind::maximum, {rows, linear(node.graph(), rows, -1, 0)}));
}

void greater(Node& node) {
  const auto threshold = node.constant_numbers(1, "the threshold");
  if (threshold.size() != 1) node.refuse("its thresholds differ between columns");
  Rows result = apply(node.graph(), node.rows(0), model::Binarize{threshold[0]});
  result.binary = true;
  node.set(std::move(result));
}

}  // namespace h5score::format::onnx::lower
