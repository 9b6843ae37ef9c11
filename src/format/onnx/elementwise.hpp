// Elementwise stages for rows, with constants broadcast to them.
#pragma once

#include "moves.hpp"
#include "node.hpp"

#include <vector>

namespace h5score::format::onnx {

/// y = x factor + shift, element by element; both have one number per element of `rows`.
Rows linear(Graph& graph, const Rows& rows, const std::vector<double>& factor, const std::vector<double>& shift);
/// The same with one number for all elements.
Rows linear(Graph& graph, const Rows& rows, double factor, double shift);

/// A stage that treats all columns alike, on as few columns as possible.
Rows apply(Graph& graph, const Rows& rows, const model::Stage& stage);
Rows activated(Graph& graph, const Rows& rows, model::ActivationKind kind, double alpha = 0);
/// min(max(x, low), high); infinite limits are the largest numbers of the model's precision.
Rows clipped(Graph& graph, const Rows& rows, double low, double high);

/// Elementwise combination of rows of equal shape.
Rows combined(Graph& graph, model::CombineKind kind, const std::vector<Rows>& parts);

/// One number per element of rows of extents `dims`, from a constant broadcast to them; refuses one that differs
/// between rows.
std::vector<double> spread(const Node& node, const Constant& constant, const Dims& dims, u64 batch);

/// a + b etc. of rows and constants by numpy's broadcasting, in any order.
Value binary(const Node& node, model::CombineKind kind, const Value& a, const Value& b);

}  // namespace h5score::format::onnx
