// Class labels of rows, and scores after a post transform.
#pragma once

#include "node.hpp"
#include "values.hpp"

#include <string>

namespace h5score::format::onnx {

/// Labels that are picked from a list by an ArgMax; refuses others.
Labels labels_from(const Node& node, const Constant& list, const Labels& labels);

/// The classes of classlabels_strings or classlabels_ints (classlabels_int64s); nullopt where the node has neither.
std::optional<model::ClassLabels> class_labels_of(Node& node);

/// Refuses a post transform that there is no stage for; returns the node of the transformed scores.
u64 post_transform(Node& node, u64 scores, const std::string& transform);

/// Rows with k columns that a node of the model graph gives.
Rows table(const Graph& graph, u64 node);

}  // namespace h5score::format::onnx
