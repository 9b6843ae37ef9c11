// Rearrangement of tensors, constants and rows alike: every such operator is an index map.
#pragma once

#include "graph.hpp"
#include "node.hpp"
#include "values.hpp"

#include <optional>
#include <vector>

namespace h5score::format::onnx {

/// A constant or rows as a tensor with extents; the batch axis has its entries per row.
struct Shape {
  Dims dims;
  std::optional<u64> batch;  ///< nullopt: a constant
};
/// Refuses values without a shape.
Shape shape_of(const Node& node, u64 input);

/// Source index of every element of a tensor with extents `dims` that walks over another one with these strides.
std::vector<u64> strided(Graph& graph, const Dims& dims, const std::vector<i64>& strides, u64 offset = 0);
/// Row-major strides.
std::vector<i64> strides_of(const Dims& dims);

/// The value with element i taken from its element source[i], and another shape.
Value moved(Graph& graph, const Value& value, const std::vector<u64>& source, Shape shape);
Rows moved_rows(Graph& graph, const Rows& rows, const std::vector<u64>& source, Dims dims, u64 batch);
/// The same elements in another shape.
Value reshaped(const Value& value, Shape shape);

/// Axes in the order `order` (axis i of the result is axis order[i]).
Value transposed(Graph& graph, const Value& value, const Shape& shape, const std::vector<u64>& order);

/// Extents that two tensors are broadcast to, by numpy's rules; nullopt where they do not fit.
std::optional<Dims> broadcast(const Dims& a, const Dims& b);
/// Source index of every element of `to` in a tensor of extents `from` that is broadcast to it.
std::vector<u64> broadcast_source(Graph& graph, const Dims& from, const Dims& to);

}  // namespace h5score::format::onnx
