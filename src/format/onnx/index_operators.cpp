// Operators that pick, cut and join along an axis.
#include "labels.hpp"
#include "moves.hpp"
#include "operators.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace h5score::format::onnx::lower {
namespace {

// Refuses to cut along the axis of the rows.
void check_axis(const Node& node, const Shape& shape, u64 axis) {
  if (shape.batch == axis) node.refuse("it would pick rows");
}

// Elements `pick` along one axis.
Value picked(Graph& graph, const Value& value, const Shape& shape, u64 axis, const std::vector<u64>& pick) {
  Shape to = shape;
  to.dims[axis] = pick.size();
  const u64 inner = elements({shape.dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, shape.dims.end()});
  const u64 outer = elements({shape.dims.begin(), shape.dims.begin() + static_cast<std::ptrdiff_t>(axis)});
  graph.spend(elements(to.dims));
  std::vector<u64> source;
  source.reserve(outer * pick.size() * inner);
  for (u64 o = 0; o < outer; ++o)
    for (const u64 p : pick)
      for (u64 i = 0; i < inner; ++i) source.push_back((o * shape.dims[axis] + p) * inner + i);
  return moved(graph, value, source, std::move(to));
}

std::vector<u64> range(u64 begin, u64 count) {
  std::vector<u64> result(count);
  std::iota(result.begin(), result.end(), begin);
  return result;
}

// Positions from 0 for indices that may count from the end.
std::vector<u64> positions(const Node& node, const std::vector<i64>& indices, u64 extent) {
  std::vector<u64> result;
  for (const i64 index : indices) {
    const i64 position = index < 0 ? index + static_cast<i64>(extent) : index;
    if (position < 0 || static_cast<u64>(position) >= extent)
      node.refuse("index " + std::to_string(index) + " of " + std::to_string(extent));
    result.push_back(static_cast<u64>(position));
  }
  return result;
}

// Joined constants, whose integers may stand for multiples of the number of rows.
template <class T>
Constant joined(const Node& node, const std::vector<const Constant*>& parts) {
  std::vector<T> values;
  std::vector<bool> times_rows;
  for (const Constant* part : parts) {
    const auto* own = std::get_if<std::vector<T>>(&part->values);
    if (own == nullptr) node.refuse("its inputs are of different types");
    values.insert(values.end(), own->begin(), own->end());
    times_rows.insert(times_rows.end(), part->times_rows.begin(), part->times_rows.end());
    times_rows.resize(values.size(), false);
  }
  if (std::find(times_rows.begin(), times_rows.end(), true) == times_rows.end()) times_rows.clear();
  return {{values.size()}, std::move(values), std::move(times_rows)};
}

struct Joint {
  Dims dims;
  std::vector<u64> source;  ///< into the parts one behind the other
};

Joint join(const Node& node, const std::vector<Shape>& shapes, u64 axis) {
  Joint result{shapes[0].dims, {}};
  result.dims[axis] = 0;
  u64 outer = 1;
  for (u64 i = 0; i < axis; ++i) outer *= shapes[0].dims[i];
  std::vector<u64> run, start;  // elements of a part that stay together, and where the part begins
  u64 total = 0;
  for (const Shape& shape : shapes) {
    for (u64 i = 0; i < shape.dims.size(); ++i)
      if (shape.dims.size() != shapes[0].dims.size() || (i != axis && shape.dims[i] != shapes[0].dims[i]))
        node.refuse(text(shapes[0].dims) + " and " + text(shape.dims) + " do not fit beside each other");
    result.dims[axis] += shape.dims[axis];
    start.push_back(total);
    run.push_back(outer == 0 ? 0 : elements(shape.dims) / outer);
    total += elements(shape.dims);
  }
  node.graph().spend(total);
  for (u64 o = 0; o < outer; ++o)
    for (u64 part = 0; part < run.size(); ++part)
      for (u64 i = 0; i < run[part]; ++i) result.source.push_back(start[part] + o * run[part] + i);
  return result;
}

void concat_rows(Node& node, u64 axis) {
  std::vector<Shape> shapes;
  std::vector<u64> nodes;
  Rows result;
  result.whole = result.binary = true;
  for (u64 i = 0; i < node.inputs(); ++i) {
    const Rows& rows = node.rows(i);
    shapes.push_back({rows.dims, rows.batch});
    nodes.push_back(node.graph().node_of(rows));
    if (rows.batch != shapes[0].batch) node.refuse("the rows run along different axes");
    result.whole = result.whole && rows.whole;
    result.binary = result.binary && rows.binary;
  }
  if (axis == shapes[0].batch) node.refuse("it would join rows");
  Joint joint = join(node, shapes, axis);
  result.node = nodes.size() == 1 ? nodes[0] : node.graph().add(model::Combine{model::CombineKind::concat}, nodes);
  node.set(moved_rows(node.graph(), result, joint.source, joint.dims, *shapes[0].batch));
}

void concat_constants(Node& node, u64 axis) {
  std::vector<Shape> shapes;
  std::vector<const Constant*> parts;
  for (u64 i = 0; i < node.inputs(); ++i) {
    parts.push_back(&node.constant(i, "an input"));
    shapes.push_back({parts.back()->dims, std::nullopt});
  }
  Joint joint = join(node, shapes, axis);
  const Constant all = std::visit(
      [&](const auto& first) { return joined<typename std::decay_t<decltype(first)>::value_type>(node, parts); },
      parts[0]->values);
  node.set(moved(node.graph(), all, joint.source, {joint.dims, std::nullopt}));
}

// Starts, ends, axes and steps of a Slice: attributes before opset 10, then inputs.
std::vector<i64> slice_list(Node& node, const char* name, u64 input) {
  if (node.opset() < 10) return node.integers(name);
  return node.given(input) ? node.constant_integers(input, name) : std::vector<i64>{};
}

// Positions start, start + step, ... before `end`, both clamped to the extent as numpy does.
std::vector<u64> sliced(const Node& node, i64 begin, i64 end, i64 step, u64 extent) {
  const auto size = static_cast<i64>(extent);
  if (step == 0) node.refuse("a step of 0");
  step = std::clamp(step, -size - 1, size + 1);
  const i64 low = step > 0 ? 0 : -1;
  const i64 high = step > 0 ? size : size - 1;
  const auto clamped = [&](i64 at) { return std::clamp(at < 0 ? at + size : at, low, high); };
  std::vector<u64> result;
  const i64 stop = clamped(end);
  for (i64 at = clamped(begin); step > 0 ? at < stop : at > stop; at += step) result.push_back(static_cast<u64>(at));
  return result;
}

}  // namespace

void concat(Node& node) {
  bool any_rows = false;
  for (u64 i = 0; i < node.inputs(); ++i) any_rows = any_rows || node.get<Rows>(i) != nullptr;
  if (node.inputs() == 0) node.refuse("it has no inputs");
  const u64 axis = node.axis(node.integer("axis", 1), shape_of(node, 0).dims.size());
  return any_rows ? concat_rows(node, axis) : concat_constants(node, axis);
}

void feature_vectorizer(Node& node) {
  const auto widths = node.integers("inputdimensions");
  for (u64 i = 0; i < node.inputs(); ++i) {
    const Rows& rows = node.rows(i);
    if (rows.dims.size() != 2) node.refuse("an input is no table of rows and columns");
    if (i < widths.size() && static_cast<u64>(widths[i]) != rows.dims[1])
      node.refuse("input " + std::to_string(i) + " has " + std::to_string(rows.dims[1]) + " columns, " +
                  std::to_string(widths[i]) + " are named");
  }
  if (node.inputs() == 0) node.refuse("it has no inputs");
  concat_rows(node, 1);
}

void split(Node& node) {
  const Shape of = shape_of(node, 0);
  const u64 axis = node.axis(node.integer("axis", 0), of.dims.size());
  check_axis(node, of, axis);
  auto parts = node.given(1) ? node.constant_integers(1, "the list of parts") : node.integers("split");
  const u64 extent = of.dims[axis];
  if (parts.empty()) {
    const u64 count = node.outputs();
    if (node.integer("num_outputs", static_cast<i64>(count)) != static_cast<i64>(count))
      node.refuse("num_outputs is not the number of outputs");
    const u64 each = (extent + count - 1) / count;
    for (u64 i = 0; i < count; ++i)
      parts.push_back(static_cast<i64>(std::min(each, extent - std::min(extent, i * each))));
  }
  u64 begin = 0;
  for (u64 i = 0; i < parts.size(); ++i) {
    if (parts[i] < 0 || static_cast<u64>(parts[i]) > extent - begin)
      node.refuse("its parts do not add up to " + std::to_string(extent));
    node.set(picked(node.graph(), node.value(0), of, axis, range(begin, static_cast<u64>(parts[i]))), i);
    begin += static_cast<u64>(parts[i]);
  }
  if (begin != extent) node.refuse("its parts do not add up to " + std::to_string(extent));
}

void slice(Node& node) {
  const auto begins = slice_list(node, "starts", 1);
  const auto ends = slice_list(node, "ends", 2);
  auto axes = slice_list(node, "axes", 3);
  auto steps = node.opset() < 10 ? std::vector<i64>{} : slice_list(node, "steps", 4);
  if (axes.empty())
    for (u64 i = 0; i < begins.size(); ++i) axes.push_back(static_cast<i64>(i));
  if (steps.empty()) steps.assign(begins.size(), 1);
  if (ends.size() != begins.size() || axes.size() != begins.size() || steps.size() != begins.size())
    node.refuse("starts, ends, axes and steps differ in length");
  Value value = node.value(0);
  Shape shape = shape_of(node, 0);
  for (u64 i = 0; i < begins.size(); ++i) {
    const u64 axis = node.axis(axes[i], shape.dims.size());
    const bool all = begins[i] == 0 && ends[i] >= std::numeric_limits<std::int32_t>::max() && steps[i] == 1;
    if (shape.batch == axis && all) continue;
    check_axis(node, shape, axis);
    const auto pick = sliced(node, begins[i], ends[i], steps[i], shape.dims[axis]);
    value = picked(node.graph(), value, shape, axis, pick);
    shape.dims[axis] = pick.size();
  }
  node.set(std::move(value));
}

void gather(Node& node) {
  const Constant* from = node.get<Constant>(0);
  if (const auto* labels = node.get<Labels>(1)) {
    if (from == nullptr) node.refuse("it picks values of the rows by class label");
    if (node.axis(node.integer("axis", 0), from->dims.size()) != 0) node.refuse("it picks along axis 1 by class label");
    return node.set(labels_from(node, *from, *labels));
  }
  const Shape of = shape_of(node, 0);
  const u64 axis = node.axis(node.integer("axis", 0), of.dims.size());
  check_axis(node, of, axis);
  const Constant& indices = node.constant(1, "the list of indices");
  const auto pick = positions(node, node.constant_integers(1, "the list of indices"), of.dims[axis]);
  Value value = picked(node.graph(), node.value(0), of, axis, pick);
  // The picked axis becomes as many axes as the indices have.
  Shape to;
  for (u64 i = 0; i < of.dims.size(); ++i) {
    if (of.batch == i) to.batch = to.dims.size();
    if (i == axis)
      to.dims.insert(to.dims.end(), indices.dims.begin(), indices.dims.end());
    else
      to.dims.push_back(of.dims[i]);
  }
  node.set(reshaped(value, std::move(to)));
}

void array_feature_extractor(Node& node) {
  if (const auto* labels = node.get<Labels>(1))
    return node.set(labels_from(node, node.constant(0, "the list of classes"), *labels));
  const Shape of = shape_of(node, 0);
  if (of.dims.empty()) node.refuse("it picks from a single number");
  const u64 axis = of.dims.size() - 1;
  check_axis(node, of, axis);
  const auto pick = positions(node, node.constant_integers(1, "the list of columns"), of.dims[axis]);
  node.set(picked(node.graph(), node.value(0), of, axis, pick));
}

}  // namespace h5score::format::onnx::lower
