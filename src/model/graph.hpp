// Models as graphs while they are compiled. Nodes are counted as in Model::inputs: 0 = the features, i + 1 = the output
// of stage i.
#pragma once

#include "h5score/model/model.hpp"

namespace h5score::model {

/// Stages in topological order, all of them needed, and the node that feeds the head.
struct Graph {
  u64 n_features = 0;
  std::vector<Stage> stages;
  std::vector<std::vector<u64>> inputs;
  u64 output = 0;
};

/// Whether every stage reads the one before it, also where Model::inputs says so at length.
bool is_chain(const Model& model);
/// Width of every node. Throws as output_width() does.
std::vector<u64> node_widths(const Model& model);
std::vector<u64> node_widths(const Graph& graph);

/// The model's stages as equivalent but cheaper ones: unused ones and identities dropped, linear kernels, scalers and
/// permutations folded into Affine, products of Affines formed where that is less work; only along edges whose node
/// nobody else reads. Offsets are folded only where the cancellation that this brings in stays below 1e-12 (float64) or
/// 1e-6 (float32) of the terms summed. A column that a Select drops is never multiplied: it may hold NaN.
Graph simplify(const Model& model, Precision precision);

/// What becomes of a node's columns, each vector one entry per column.
struct ColumnUse {
  std::vector<bool> read;     ///< the column enters the results, or takes part in other columns
  std::vector<bool> exposed;  ///< a NaN in it does too: no Impute replaces it on some way there
};
/// The use of every node's columns. A Combine that works elementwise keeps columns apart: a NaN in one input is one in
/// the output.
std::vector<ColumnUse> column_uses(const Graph& graph);

}  // namespace h5score::model
