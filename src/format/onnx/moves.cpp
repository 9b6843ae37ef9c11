// Index maps.
#include "moves.hpp"

#include <algorithm>

namespace h5score::format::onnx {

Shape shape_of(const Node& node, u64 input) {
  if (const auto* constant = node.get<Constant>(input)) return {constant->dims, std::nullopt};
  const Rows& rows = node.rows(input);
  return {rows.dims, rows.batch};
}

std::vector<i64> strides_of(const Dims& dims) {
  std::vector<i64> strides(dims.size());
  i64 stride = 1;
  for (std::size_t i = dims.size(); i-- > 0; stride *= static_cast<i64>(dims[i])) strides[i] = stride;
  return strides;
}

std::vector<u64> strided(Graph& graph, const Dims& dims, const std::vector<i64>& strides, u64 offset) {
  const u64 count = elements(dims);
  graph.spend(count);
  std::vector<u64> source;
  source.reserve(count);
  Dims at(dims.size(), 0);
  auto position = static_cast<i64>(offset);
  for (u64 i = 0; i < count; ++i) {
    source.push_back(static_cast<u64>(position));
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      position += strides[axis];
      if (++at[axis] < dims[axis]) break;
      position -= strides[axis] * static_cast<i64>(dims[axis]);
      at[axis] = 0;
    }
  }
  return source;
}

Rows moved_rows(Graph& graph, const Rows& rows, const std::vector<u64>& source, Dims dims, u64 batch) {
  if (source.empty()) throw base::Error(base::ExitCode::data, "no columns are left");
  Rows result = rows;
  result.dims = std::move(dims);
  result.batch = batch;
  result.columns = source;
  if (!rows.columns.empty())
    for (u64& column : result.columns) column = rows.columns[column];
  bool same = result.columns.size() == graph.width(rows.node);
  for (u64 i = 0; same && i < result.columns.size(); ++i) same = result.columns[i] == i;
  if (same) result.columns.clear();
  return result;
}

Value moved(Graph& graph, const Value& value, const std::vector<u64>& source, Shape shape) {
  if (const auto* rows = std::get_if<Rows>(&value))
    return moved_rows(graph, *rows, source, std::move(shape.dims), *shape.batch);
  const auto& constant = std::get<Constant>(value);
  Constant result{.dims = std::move(shape.dims), .values = {}, .times_rows = {}};
  std::visit(
      [&](const auto& from) {
        std::decay_t<decltype(from)> to;
        to.reserve(source.size());
        for (const u64 i : source) to.push_back(from[i]);
        result.values = std::move(to);
      },
      constant.values);
  if (!constant.times_rows.empty()) {
    for (const u64 i : source) result.times_rows.push_back(constant.times_rows[i]);
    if (std::none_of(result.times_rows.begin(), result.times_rows.end(), [](bool b) { return b; }))
      result.times_rows.clear();
  }
  return result;
}

Value reshaped(const Value& value, Shape shape) {
  Value result = value;
  if (auto* rows = std::get_if<Rows>(&result)) {
    rows->dims = std::move(shape.dims);
    rows->batch = *shape.batch;
  } else {
    std::get<Constant>(result).dims = std::move(shape.dims);
  }
  return result;
}

Value transposed(Graph& graph, const Value& value, const Shape& shape, const std::vector<u64>& order) {
  const std::vector<i64> strides = strides_of(shape.dims);
  Shape result;
  std::vector<i64> walked;
  for (const u64 axis : order) {
    if (shape.batch == axis) result.batch = result.dims.size();
    result.dims.push_back(shape.dims[axis]);
    walked.push_back(strides[axis]);
  }
  const auto source = strided(graph, result.dims, walked);
  return moved(graph, value, source, std::move(result));
}

std::optional<Dims> broadcast(const Dims& a, const Dims& b) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  const std::size_t shift = longer.size() - shorter.size();
  Dims result = longer;
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    u64& extent = result[shift + i];
    if (extent != shorter[i] && extent != 1 && shorter[i] != 1) return std::nullopt;
    if (extent == 1) extent = shorter[i];
  }
  return result;
}

std::vector<u64> broadcast_source(Graph& graph, const Dims& from, const Dims& to) {
  const std::vector<i64> strides = strides_of(from);
  std::vector<i64> walked(to.size(), 0);
  const std::size_t shift = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i] != 1) walked[shift + i] = strides[i];
  return strided(graph, to, walked);
}

}  // namespace h5score::format::onnx
