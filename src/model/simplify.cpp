// Folding of stages before compilation: less work per row, the same function within the tolerance of the precision.
#include "graph.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::model {
namespace {

/// S' C as weights; the sums run over the support vectors in order.
Affine linear_kernel_as_affine(const KernelExpansion& e) {
  const u64 d = e.support_vectors.cols;
  const u64 k = e.coefficients.cols;
  Affine affine{{d, k, std::vector<double>(d * k)}, e.intercept};
  for (u64 m = 0; m < e.support_vectors.rows; ++m)
    for (u64 i = 0; i < d; ++i) {
      const double s = e.support_vectors.values[m * d + i];
      if (s == 0) continue;
      for (u64 j = 0; j < k; ++j) affine.weights.values[i * k + j] += s * e.coefficients.values[m * k + j];
    }
  return affine;
}

bool all_equal(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [value](double v) { return v == value; });
}

/// y = ((x - o) f) W + b. The factor always folds into W. The offset folds into b where |o f|, the cancellation between
/// x f W and o f W, is small; else it stays in front as a subtraction. Returns whether `scale` is used up.
bool fold_scale(Scale& scale, Affine& affine, Precision precision) {
  const double limit = precision == Precision::float64 ? 64 : 4;
  const u64 k = affine.weights.cols;
  double largest = 0;
  for (u64 i = 0; i < affine.weights.rows; ++i) {
    largest = std::max(largest, std::abs(scale.offset[i] * scale.factor[i]));
    for (u64 j = 0; j < k; ++j) affine.weights.values[i * k + j] *= scale.factor[i];
    scale.factor[i] = 1;
  }
  if (!(largest <= limit)) return all_equal(scale.offset, 0);
  for (u64 i = 0; i < affine.weights.rows; ++i)
    for (u64 j = 0; j < k; ++j) affine.bias[j] -= scale.offset[i] * affine.weights.values[i * k + j];
  return true;
}

/// (x A + a) B + b = x (A B) + (a B + b).
Affine product(const Affine& first, const Affine& second) {
  const u64 d = first.weights.rows;
  const u64 inner = first.weights.cols;
  const u64 k = second.weights.cols;
  Affine result{{d, k, std::vector<double>(d * k)}, second.bias};
  const auto add_row = [&](const double* row, double* out) {
    for (u64 m = 0; m < inner; ++m)
      for (u64 j = 0; j < k; ++j) out[j] += row[m] * second.weights.values[m * k + j];
  };
  for (u64 i = 0; i < d; ++i) add_row(&first.weights.values[i * inner], &result.weights.values[i * k]);
  add_row(first.bias.data(), result.bias.data());
  return result;
}

bool product_is_less_work(const Affine& first, const Affine& second) {
  const auto d = static_cast<double>(first.weights.rows);
  const auto inner = static_cast<double>(first.weights.cols);
  const auto k = static_cast<double>(second.weights.cols);
  return d * k < d * inner + inner * k;
}

/// (xW + b - o) f.
void scale_outputs(Affine& affine, const Scale& scale) {
  const u64 k = affine.weights.cols;
  for (u64 i = 0; i < affine.weights.values.size(); ++i) affine.weights.values[i] *= scale.factor[i % k];
  for (u64 j = 0; j < k; ++j) affine.bias[j] = (affine.bias[j] - scale.offset[j]) * scale.factor[j];
}

/// Whether a selection from d columns takes every one of them.
bool takes_all(const Select& select, u64 d) {
  std::vector<bool> taken(d);
  for (const u64 column : select.columns) taken[column] = true;
  return std::all_of(taken.begin(), taken.end(), [](bool t) { return t; });
}

/// The Affine of d columns that does the same as `affine` behind `select`.
Affine scattered(const Select& select, const Affine& affine, u64 d) {
  const u64 k = affine.weights.cols;
  Affine result{{d, k, std::vector<double>(d * k)}, affine.bias};
  for (u64 i = 0; i < select.columns.size(); ++i)
    for (u64 j = 0; j < k; ++j) result.weights.values[select.columns[i] * k + j] += affine.weights.values[i * k + j];
  return result;
}

bool is_identity(const Stage& stage, u64 d) {
  if (const auto* activation = std::get_if<Activation>(&stage)) return activation->kind == ActivationKind::identity;
  if (const auto* scale = std::get_if<Scale>(&stage)) return all_equal(scale->factor, 1) && all_equal(scale->offset, 0);
  if (const auto* impute = std::get_if<Impute>(&stage))
    return std::all_of(impute->statistics.begin(), impute->statistics.end(), [](double v) { return std::isnan(v); });
  if (const auto* select = std::get_if<Select>(&stage)) {
    for (u64 j = 0; j < select->columns.size(); ++j)
      if (select->columns[j] != j) return false;
    return select->columns.size() == d;
  }
  return false;
}

/// Constant (no support vectors) or linear: an Affine does it.
bool is_linear(const Stage& stage) {
  const auto* e = std::get_if<KernelExpansion>(&stage);
  return e != nullptr && (e->kernel.kind == KernelKind::linear || e->support_vectors.rows == 0);
}

/// Whether the stage of each node is needed for the last one.
std::vector<bool> needed(const Model& model) {
  std::vector<bool> result(model.stages.size() + 1);
  result.back() = true;
  for (u64 i = model.stages.size(); i-- > 0;)
    if (result[i + 1])
      for (const u64 node : inputs_of(model, i)) result[node] = true;
  return result;
}

/// The stages that are needed and change anything.
Graph without_identities(const Model& model) {
  const std::vector<u64> widths = node_widths(model);
  const std::vector<bool> keep = needed(model);
  Graph graph{.n_features = model.n_features, .stages = {}, .inputs = {}, .output = 0};
  std::vector<u64> node_of(model.stages.size() + 1);  // the graph's node for each of the model's
  for (u64 i = 0; i < model.stages.size(); ++i) {
    if (!keep[i + 1]) continue;
    std::vector<u64> nodes = inputs_of(model, i);
    const u64 width = widths[nodes[0]];
    for (u64& node : nodes) node = node_of[node];
    const Stage& stage = model.stages[i];
    if (is_identity(stage, width)) {
      node_of[i + 1] = nodes[0];
      continue;
    }
    graph.stages.push_back(is_linear(stage) ? linear_kernel_as_affine(std::get<KernelExpansion>(stage)) : stage);
    graph.inputs.push_back(std::move(nodes));
    node_of[i + 1] = graph.stages.size();
  }
  graph.output = node_of.back();
  return graph;
}

/// Lets stages swallow the one before them, in order.
class Folding {
 public:
  Folding(Graph& graph, Precision precision)
      : graph_(graph), precision_(precision), widths_(node_widths(graph)), readers_(graph.stages.size() + 1) {
    for (const auto& nodes : graph.inputs)
      for (const u64 node : nodes) ++readers_[node];
    ++readers_[graph.output];
  }

  void run() {
    for (u64 i = 0; i < graph_.stages.size(); ++i) {
      if (auto* affine = std::get_if<Affine>(&graph_.stages[i])) fold_into(*affine, i);
      if (auto* scale = std::get_if<Scale>(&graph_.stages[i])) fold_behind_affine(*scale, i);
      if (auto* select = std::get_if<Select>(&graph_.stages[i])) fold_into(*select, i);
    }
    compact();
  }

 private:
  /// The stage before stage i if it is an S that nobody else reads.
  template <class S>
  [[nodiscard]] S* before(u64 i) const {
    const u64 node = graph_.inputs[i][0];
    return node == 0 || readers_[node] > 1 ? nullptr : std::get_if<S>(&graph_.stages[node - 1]);
  }
  /// Stage i reads what the stage before it read, and that one is no longer needed.
  void swallow(u64 i) {
    const u64 node = graph_.inputs[i][0];
    readers_[node] = 0;
    graph_.inputs[i] = graph_.inputs[node - 1];
  }

  void fold_into(Affine& affine, u64 i) {
    if (auto* select = before<Select>(i)) {
      const u64 d = widths_[graph_.inputs[graph_.inputs[i][0] - 1][0]];
      if (takes_all(*select, d)) {
        affine = scattered(*select, affine, d);
        swallow(i);
      }
    }
    if (auto* scale = before<Scale>(i); scale != nullptr && fold_scale(*scale, affine, precision_)) swallow(i);
    if (auto* first = before<Affine>(i); first != nullptr && product_is_less_work(*first, affine)) {
      affine = product(*first, affine);
      swallow(i);
    }
  }
  void fold_behind_affine(const Scale& scale, u64 i) {
    auto* affine = before<Affine>(i);
    if (affine == nullptr) return;
    Affine scaled = std::move(*affine);
    scale_outputs(scaled, scale);
    graph_.stages[i] = std::move(scaled);
    swallow(i);
  }
  void fold_into(Select& select, u64 i) {
    auto* first = before<Select>(i);
    if (first == nullptr) return;
    for (u64& column : select.columns) column = first->columns[column];
    swallow(i);
  }

  void compact() {
    Graph rest{.n_features = graph_.n_features, .stages = {}, .inputs = {}, .output = 0};
    std::vector<u64> node_of(graph_.stages.size() + 1);
    for (u64 i = 0; i < graph_.stages.size(); ++i) {
      if (readers_[i + 1] == 0) continue;
      for (u64& node : graph_.inputs[i]) node = node_of[node];
      rest.stages.push_back(std::move(graph_.stages[i]));
      rest.inputs.push_back(std::move(graph_.inputs[i]));
      node_of[i + 1] = rest.stages.size();
    }
    rest.output = node_of[graph_.output];
    graph_ = std::move(rest);
  }

  Graph& graph_;
  Precision precision_;
  std::vector<u64> widths_;
  std::vector<u64> readers_;  ///< of each node, the head included
};

}  // namespace

Graph simplify(const Model& model, Precision precision) {
  Graph graph = without_identities(model);
  Folding(graph, precision).run();
  return graph;
}

}  // namespace h5score::model
