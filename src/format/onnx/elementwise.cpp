// Elementwise stages.
#include "elementwise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace h5score::format::onnx {
namespace {

using model::CombineKind;

bool all_are(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [value](double v) { return v == value; });
}

// The rows as all columns of a node, in order.
Rows gathered(Graph& graph, const Rows& rows) {
  Rows result = rows;
  result.node = graph.node_of(rows);
  result.columns.clear();
  return result;
}

double computed(CombineKind kind, double a, double b) {
  switch (kind) {
    case CombineKind::add:
      return a + b;
    case CombineKind::subtract:
      return a - b;
    case CombineKind::multiply:
      return a * b;
    case CombineKind::divide:
      return a / b;
    case CombineKind::minimum:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}

// Integers stay integers; a shape may be multiplied by a number, which is how exporters compute new extents.
std::optional<Constant> whole_constants(const Node& node, CombineKind kind, const Constant& a, const Constant& b,
                                        const Dims& dims) {
  const auto* x = std::get_if<std::vector<i64>>(&a.values);
  const auto* y = std::get_if<std::vector<i64>>(&b.values);
  if (x == nullptr || y == nullptr) return std::nullopt;
  const bool shaped = !a.times_rows.empty() || !b.times_rows.empty();
  if (shaped && (kind != CombineKind::multiply || !(a.times_rows.empty() || b.times_rows.empty())))
    node.refuse("it computes with the number of rows");
  const auto from_a = broadcast_source(node.graph(), a.dims, dims);
  const auto from_b = broadcast_source(node.graph(), b.dims, dims);
  std::vector<i64> values;
  std::vector<bool> times_rows;
  for (u64 i = 0; i < from_a.size(); ++i) {
    const i64 left = (*x)[from_a[i]];
    const i64 right = (*y)[from_b[i]];
    if (kind == CombineKind::divide && right == 0) node.refuse("an integer is divided by 0");
    const double x_value = static_cast<double>(left);
    const double y_value = static_cast<double>(right);
    const double value = computed(kind, x_value, y_value);
    // Below this, doubles are exact.
    if (!(std::max({std::abs(x_value), std::abs(y_value), std::abs(value)}) < 4e15))
      node.refuse("an integer becomes too large");
    values.push_back(static_cast<i64>(value));
    if (shaped)
      times_rows.push_back((!a.times_rows.empty() && a.times_rows[from_a[i]]) ||
                           (!b.times_rows.empty() && b.times_rows[from_b[i]]));
  }
  return Constant{dims, std::move(values), std::move(times_rows)};
}

Constant constants(const Node& node, CombineKind kind, const Constant& a, const Constant& b) {
  const auto dims = broadcast(a.dims, b.dims);
  if (!dims) node.refuse(text(a.dims) + " and " + text(b.dims) + " do not fit each other");
  if (auto whole = whole_constants(node, kind, a, b, *dims)) return *whole;
  const auto x = numbers_of(a);
  const auto y = numbers_of(b);
  const auto from_a = broadcast_source(node.graph(), a.dims, *dims);
  const auto from_b = broadcast_source(node.graph(), b.dims, *dims);
  std::vector<double> values;
  for (u64 i = 0; i < from_a.size(); ++i) values.push_back(computed(kind, x[from_a[i]], y[from_b[i]]));
  return {*dims, std::move(values), {}};
}

// Rows broadcast to larger extents (their axes aligned at the end).
Rows broadened(const Node& node, const Rows& rows, const Dims& dims) {
  const u64 batch = rows.batch + (dims.size() - rows.dims.size());
  if (dims[batch] != rows.dims[rows.batch]) node.refuse("its other operand differs between rows");
  if (dims == rows.dims) return rows;
  Rows result = moved_rows(node.graph(), rows, broadcast_source(node.graph(), rows.dims, dims), dims, batch);
  return result;
}

// Constants divided by the rows: a stage that gives the constants for every row, from any column.
Rows constant_over(Graph& graph, const std::vector<double>& numerator, const Rows& rows) {
  const Rows below = gathered(graph, rows);
  model::Affine constant;
  constant.weights.rows = 1;
  constant.weights.cols = numerator.size();
  constant.weights.values.assign(numerator.size(), 0);
  constant.bias = numerator;
  Rows above = below;
  above.node = graph.add(std::move(constant), graph.add(model::Select{{0}}, below.node));
  return combined(graph, CombineKind::divide, {above, below});
}

Rows with_constant(const Node& node, CombineKind kind, const Rows& rows, const Constant& constant, bool rows_first) {
  Graph& graph = node.graph();
  const auto dims = broadcast(rows.dims, constant.dims);
  if (!dims) node.refuse(text(rows.dims) + " and " + text(constant.dims) + " do not fit each other");
  const Rows x = broadened(node, rows, *dims);
  const auto c = spread(node, constant, *dims, x.batch);
  const std::vector<double> ones(c.size(), 1), zeros(c.size(), 0);
  auto negated = c;
  for (double& value : negated) value = -value;
  const std::vector<double> minus_ones(c.size(), -1);
  switch (kind) {
    case CombineKind::add:
      return linear(graph, x, ones, c);
    case CombineKind::subtract:
      return rows_first ? linear(graph, x, ones, negated) : linear(graph, x, minus_ones, c);
    case CombineKind::multiply:
      return linear(graph, x, c, zeros);
    case CombineKind::divide: {
      if (!rows_first) return constant_over(graph, c, x);
      auto inverse = c;
      for (double& value : inverse) value = 1 / value;
      return linear(graph, x, inverse, zeros);
    }
    default:
      break;
  }
  if (!c.empty() && !all_are(c, c[0])) node.refuse("its limits differ between columns");
  const double limit = c.empty() ? 0 : c[0];
  constexpr double open = std::numeric_limits<double>::infinity();
  return kind == CombineKind::minimum ? clipped(graph, x, -open, limit) : clipped(graph, x, limit, open);
}

}  // namespace

Rows linear(Graph& graph, const Rows& rows, const std::vector<double>& factor, const std::vector<double>& shift) {
  if (factor.empty()) return rows;
  const bool alike = all_are(factor, factor[0]) && all_are(shift, shift[0]);
  if (alike) return linear(graph, rows, factor[0], shift[0]);
  Rows result = gathered(graph, rows);
  result.whole = result.binary = false;
  const std::vector<double> zeros(factor.size(), 0), ones(factor.size(), 1);
  auto offset = shift;
  for (double& value : offset) value = -value;
  if (!all_are(factor, 1)) result.node = graph.add(model::Scale{zeros, factor}, result.node);
  if (!all_are(shift, 0)) result.node = graph.add(model::Scale{std::move(offset), ones}, result.node);
  return result;
}

Rows linear(Graph& graph, const Rows& rows, double factor, double shift) {
  const bool permuted = rows.columns.size() >= graph.width(rows.node);
  Rows result = permuted ? rows : gathered(graph, rows);
  const bool whole = std::trunc(factor) == factor && std::trunc(shift) == shift;
  result.whole = rows.whole && whole;
  result.binary = rows.binary && ((factor == 1 && shift == 0) || (factor == -1 && shift == 1));
  const u64 width = graph.width(result.node);
  const auto all = [width](double value) { return std::vector<double>(width, value); };
  // (x - c) (-1) = c - x, without rounding twice.
  if (factor == -1)
    result.node = graph.add(model::Scale{all(shift), all(-1)}, result.node);
  else if (factor != 1)
    result.node = graph.add(model::Scale{all(0), all(factor)}, result.node);
  if (shift != 0 && factor != -1) result.node = graph.add(model::Scale{all(-shift), all(1)}, result.node);
  return result;
}

Rows apply(Graph& graph, const Rows& rows, const model::Stage& stage) {
  const bool permuted = rows.columns.size() >= graph.width(rows.node);
  Rows result = permuted ? rows : gathered(graph, rows);
  result.node = graph.add(stage, result.node);
  result.whole = result.binary = false;
  return result;
}

Rows activated(Graph& graph, const Rows& rows, model::ActivationKind kind, double alpha) {
  return apply(graph, rows, model::Activation{kind, alpha});
}

Rows clipped(Graph& graph, const Rows& rows, double low, double high) {
  const double largest = graph.precision == model::Precision::float64
                             ? std::numeric_limits<double>::max()
                             : static_cast<double>(std::numeric_limits<float>::max());
  return apply(graph, rows, model::Clip{std::clamp(low, -largest, largest), std::clamp(high, -largest, largest)});
}

Rows combined(Graph& graph, CombineKind kind, const std::vector<Rows>& parts) {
  Rows result = parts[0];
  std::vector<u64> nodes;
  bool whole = kind != CombineKind::divide;
  for (const Rows& part : parts) {
    nodes.push_back(graph.node_of(part));
    whole = whole && part.whole;
  }
  result.node = graph.add(model::Combine{kind}, nodes);
  result.columns.clear();
  result.whole = whole;
  result.binary = false;
  return result;
}

std::vector<double> spread(const Node& node, const Constant& constant, const Dims& dims, u64 batch) {
  const std::size_t shift = dims.size() - std::min(dims.size(), constant.dims.size());
  if (batch >= shift && constant.dims[batch - shift] != 1) node.refuse("a constant differs between rows");
  const auto values = numbers_of(constant);
  std::vector<double> result;
  for (const u64 i : broadcast_source(node.graph(), constant.dims, dims)) result.push_back(values[i]);
  return result;
}

Value binary(const Node& node, CombineKind kind, const Value& a, const Value& b) {
  const auto* constant_a = std::get_if<Constant>(&a);
  const auto* constant_b = std::get_if<Constant>(&b);
  if (constant_a != nullptr && constant_b != nullptr) return constants(node, kind, *constant_a, *constant_b);
  const auto* rows_a = std::get_if<Rows>(&a);
  const auto* rows_b = std::get_if<Rows>(&b);
  if ((rows_a == nullptr && constant_a == nullptr) || (rows_b == nullptr && constant_b == nullptr))
    node.refuse("it computes with class labels or scores in a map");
  const auto whole = [](const Rows* rows) { return rows == nullptr || rows->whole; };
  if (kind == CombineKind::divide && whole(rows_a) && whole(rows_b)) {
    const Constant* other = constant_a != nullptr ? constant_a : constant_b;
    if (other == nullptr || !std::holds_alternative<std::vector<double>>(other->values))
      node.refuse("it divides integers");
  }
  if (constant_b != nullptr) return with_constant(node, kind, *rows_a, *constant_b, true);
  if (constant_a != nullptr) return with_constant(node, kind, *rows_b, *constant_a, false);
  const auto dims = broadcast(rows_a->dims, rows_b->dims);
  if (!dims) node.refuse(text(rows_a->dims) + " and " + text(rows_b->dims) + " do not fit each other");
  const Rows x = broadened(node, *rows_a, *dims);
  const Rows y = broadened(node, *rows_b, *dims);
  if (x.batch != y.batch) node.refuse("it would compute with different rows");
  return combined(node.graph(), kind, {x, y});
}

}  // namespace h5score::format::onnx
