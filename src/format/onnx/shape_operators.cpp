// Operators that make constants and shapes, or change the shape and not the order of elements.
#include "h5score/base/narrow.hpp"

#include "moves.hpp"
#include "operators.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::format::onnx::lower {
namespace {

constexpr const char* mixes = "it would mix values of different rows";

// The elements of a row stay in order only where nothing but extents of 1 stands before the batch axis.
void check_leading(const Node& node, const Dims& dims, u64 batch) {
  if (elements(dims) == 1) return;
  for (u64 i = 0; i < batch; ++i)
    if (dims[i] != 1) node.refuse(mixes);
}

Dims non_negative(const Node& node, const std::vector<i64>& extents) {
  Dims dims;
  for (const i64 extent : extents) {
    if (extent < 0) node.refuse("extent " + std::to_string(extent));
    dims.push_back(static_cast<u64>(extent));
  }
  return dims;
}

// The target of a Reshape: 0 copies an extent, -1 is what remains.
struct Target {
  std::vector<i64> extents;
  std::vector<bool> times_rows;
};

std::string fault(u64 count, u64 product) {
  const std::string values = "its " + std::to_string(count) + " values per row";
  if (count > 0 && product > count && product % count == 0)
    return values + " are fewer than the " + std::to_string(product) + " of the new shape: it would join rows";
  return values + " do not fit the new shape";
}

// Replaces the extent -1 by `count` divided by the product of the others.
void infer(const Node& node, std::vector<i64>& extents, u64 count) {
  const auto open = std::find(extents.begin(), extents.end(), -1);
  Dims known;
  for (const i64 extent : extents)
    if (extent != -1) known.push_back(static_cast<u64>(extent));
  const u64 product = elements(known);
  if (open == extents.end() ? product != count : product == 0 || count % product != 0)
    node.refuse(fault(count, product));
  if (open != extents.end()) *open = static_cast<i64>(count / product);
}

// Reshape of rows. Their batch axis goes to the entry that is a multiple of the number of rows or copies it; without
// one to the first, which is -1 or the fixed batch that the model declares.
Shape row_target(const Node& node, const Rows& rows, Target target) {
  auto& extents = target.extents;
  target.times_rows.resize(extents.size(), false);
  for (u64 i = 0; i < extents.size(); ++i) {
    if (extents[i] < -1) node.refuse("extent " + std::to_string(extents[i]));
    if (extents[i] != 0) continue;
    if (i >= rows.dims.size()) node.refuse("it copies an extent that there is not");
    extents[i] = static_cast<i64>(rows.dims[i]);
    if (i == rows.batch) target.times_rows[i] = true;
  }
  const auto placed = std::count(target.times_rows.begin(), target.times_rows.end(), true);
  if (placed > 1 || extents.empty()) node.refuse(mixes);
  if (placed == 0 && extents[0] != -1) {
    const auto fixed = static_cast<i64>(node.graph().declared_batch);
    if (fixed == 0 || extents[0] % fixed != 0) node.refuse(mixes, "export it with a free number of rows");
    extents[0] /= fixed;
  }
  infer(node, extents, elements(rows.dims));
  Shape to{non_negative(node, extents), 0};
  while (placed == 1 && !target.times_rows[*to.batch]) ++*to.batch;
  check_leading(node, rows.dims, rows.batch);
  check_leading(node, to.dims, *to.batch);
  return to;
}

Target target_of(Node& node) {
  if (node.has("shape")) return {node.integers("shape"), {}};
  const Constant& shape = node.constant(1, "the new shape");
  const auto* extents = std::get_if<std::vector<i64>>(&shape.values);
  if (extents == nullptr) node.refuse("the new shape is not of integers");
  return {*extents, shape.times_rows};
}

// Axes of Squeeze, Unsqueeze: an attribute before opset 13, then an input.
std::vector<i64> axes_of(Node& node) {
  return node.given(1) ? node.constant_integers(1, "the list of axes") : node.integers("axes");
}

}  // namespace

void constant(Node& node) {
  if (auto tensor = node.tensor("value")) return node.set(std::move(*tensor));
  if (node.has("value_float")) return node.set(Constant{{}, std::vector<double>{node.number("value_float", 0)}, {}});
  if (node.has("value_int")) return node.set(Constant{{}, std::vector<i64>{node.integer("value_int", 0)}, {}});
  if (node.has("value_floats")) {
    auto values = node.numbers("value_floats");
    return node.set(Constant{{values.size()}, std::move(values), {}});
  }
  if (node.has("value_ints")) {
    auto values = node.integers("value_ints");
    return node.set(Constant{{values.size()}, std::move(values), {}});
  }
  if (node.has("value_strings")) {
    auto values = node.texts("value_strings");
    return node.set(Constant{{values.size()}, std::move(values), {}});
  }
  node.refuse("it has no value of a supported kind");
}

void constant_of_shape(Node& node) {
  const Dims dims = non_negative(node, node.constant_integers(0, "the shape"));
  node.graph().spend(elements(dims));
  Value value = Constant{{1}, std::vector<double>{0}, {}};
  if (auto tensor = node.tensor("value")) value = std::move(*tensor);
  if (elements(std::get<Constant>(value).dims) != 1) node.refuse("its value is no single number");
  node.set(moved(node.graph(), value, std::vector<u64>(elements(dims), 0), {dims, std::nullopt}));
}

void shape(Node& node) {
  const Shape of = shape_of(node, 0);
  const auto rank = static_cast<i64>(of.dims.size());
  const auto within = [rank](i64 axis) { return std::clamp(axis < 0 ? axis + rank : axis, i64{0}, rank); };
  const i64 begin = within(node.integer("start", 0));
  const i64 end = std::max(begin, within(node.integer("end", rank)));
  std::vector<i64> extents;
  std::vector<bool> times_rows;
  for (i64 axis = begin; axis < end; ++axis) {
    const auto i = static_cast<u64>(axis);
    extents.push_back(static_cast<i64>(of.dims[i]));
    times_rows.push_back(of.batch == i);
  }
  if (std::none_of(times_rows.begin(), times_rows.end(), [](bool b) { return b; })) times_rows.clear();
  node.set(Constant{{extents.size()}, std::move(extents), std::move(times_rows)});
}

void identity(Node& node) {
  node.ignore({"ratio", "is_test", "seed", "consumed_inputs"});
  if (node.given(2)) {
    const auto training = node.constant_integers(2, "training_mode");
    if (training.size() != 1 || training[0] != 0) node.refuse("it is in training mode");
  }
  if (const auto* constant = node.get<Constant>(0)) node.graph().spend(elements(constant->dims));
  node.set(node.value(0));
}

void flatten(Node& node) {
  const Shape of = shape_of(node, 0);
  const i64 given = node.integer("axis", 1);
  const auto rank = static_cast<i64>(of.dims.size());
  if (given < -rank || given > rank) node.refuse("there is no axis " + std::to_string(given));
  auto axis = static_cast<u64>(given < 0 ? given + rank : given);
  // One row at a time (a fixed batch of 1): the batch may as well stay in front.
  if (of.batch && axis <= *of.batch) {
    if (node.graph().declared_batch != 1 || *of.batch != 0) node.refuse(mixes);
    axis = 1;
  }
  const auto middle = of.dims.begin() + static_cast<std::ptrdiff_t>(axis);
  if (of.batch) check_leading(node, of.dims, *of.batch);
  const Dims dims{elements({of.dims.begin(), middle}), elements({middle, of.dims.end()})};
  node.set(reshaped(node.value(0), {dims, of.batch ? std::optional<u64>(0) : std::nullopt}));
}

void reshape(Node& node) {
  node.ignore({"consumed_inputs"});
  const bool allow_zero = node.integer("allowzero", 0) != 0;
  Target target = target_of(node);
  if (allow_zero && std::find(target.extents.begin(), target.extents.end(), 0) != target.extents.end())
    node.refuse("it has an extent of 0");
  // A list of labels has one entry per row, whatever its shape.
  if (node.get<Labels>(0) != nullptr) return node.set(node.value(0));
  if (const auto* rows = node.get<Rows>(0))
    return node.set(reshaped(*rows, row_target(node, *rows, std::move(target))));
  const Constant& from = node.constant(0, "the tensor");
  node.graph().spend(elements(from.dims));
  for (u64 i = 0; i < target.extents.size(); ++i)
    if (target.extents[i] == 0 && i < from.dims.size()) target.extents[i] = static_cast<i64>(from.dims[i]);
  if (!target.times_rows.empty()) node.refuse("a constant would become as long as the rows");
  infer(node, target.extents, elements(from.dims));
  node.set(reshaped(from, {non_negative(node, target.extents), std::nullopt}));
}

void transpose(Node& node) {
  const Shape of = shape_of(node, 0);
  const auto perm = node.integers("perm");
  std::vector<u64> order;
  for (u64 i = 0; i < of.dims.size(); ++i)
    order.push_back(perm.empty() ? of.dims.size() - 1 - i
                                 : node.axis(i < perm.size() ? perm[i] : i64{-1}, of.dims.size()));
  std::vector<u64> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (u64 i = 0; i < sorted.size(); ++i)
    if (sorted[i] != i || (!perm.empty() && perm.size() != order.size())) node.refuse("perm is no permutation");
  node.set(transposed(node.graph(), node.value(0), of, order));
}

void squeeze(Node& node) {
  const auto axes = axes_of(node);
  if (node.get<Labels>(0) != nullptr) return node.set(node.value(0));
  const Shape of = shape_of(node, 0);
  std::vector<bool> drop(of.dims.size(), false);
  for (const i64 axis : axes) drop[node.axis(axis, of.dims.size())] = true;
  Shape to;
  for (u64 i = 0; i < of.dims.size(); ++i) {
    if (axes.empty()) drop[i] = of.dims[i] == 1 && of.batch != i;
    if (drop[i] && of.batch == i) node.refuse("it would drop the axis of the rows");
    if (drop[i] && of.dims[i] != 1) node.refuse("axis " + std::to_string(i) + " of " + text(of.dims) + " is not 1");
    if (drop[i]) continue;
    if (of.batch == i) to.batch = to.dims.size();
    to.dims.push_back(of.dims[i]);
  }
  node.set(reshaped(node.value(0), std::move(to)));
}

void unsqueeze(Node& node) {
  const auto axes = axes_of(node);
  if (node.get<Labels>(0) != nullptr) return node.set(node.value(0));
  const Shape of = shape_of(node, 0);
  std::vector<bool> added(of.dims.size() + axes.size(), false);
  for (const i64 axis : axes) {
    const u64 at = node.axis(axis, added.size());
    if (added[at]) node.refuse("axis " + std::to_string(axis) + " is added twice");
    added[at] = true;
  }
  Shape to;
  u64 from = 0;
  for (const bool is_new : added) {
    if (!is_new && of.batch == from) to.batch = to.dims.size();
    to.dims.push_back(is_new ? 1 : of.dims[from++]);
  }
  node.set(reshaped(node.value(0), std::move(to)));
}

void expand(Node& node) {
  const Shape of = shape_of(node, 0);
  const Constant& shape = node.constant(1, "the shape");
  const auto* extents = std::get_if<std::vector<i64>>(&shape.values);
  if (extents == nullptr) node.refuse("the shape is not of integers");
  Dims target = non_negative(node, *extents);
  // Along the rows it can only keep the number of rows.
  for (u64 i = 0; i < shape.times_rows.size(); ++i) {
    if (!shape.times_rows[i]) continue;
    if (!of.batch) node.refuse("a constant would become as long as the rows");
    if (shape.times_rows.size() - i != of.dims.size() - *of.batch) node.refuse(mixes);
  }
  const auto to = broadcast(of.dims, target);
  if (!to) node.refuse(text(of.dims) + " cannot become " + text(target));
  Shape result{*to, std::nullopt};
  if (of.batch) {
    result.batch = *of.batch + (to->size() - of.dims.size());
    if ((*to)[*result.batch] != of.dims[*of.batch]) node.refuse(mixes);
  }
  const auto source = broadcast_source(node.graph(), of.dims, *to);
  node.set(moved(node.graph(), node.value(0), source, std::move(result)));
}

}  // namespace h5score::format::onnx::lower
