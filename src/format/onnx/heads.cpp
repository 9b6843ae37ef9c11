// Heads: which stages at the end of the graph are a link, and which label rule belongs to them.
#include "heads.hpp"

#include "h5score/base/error.hpp"

#include "../classify.hpp"
#include "../printable.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;
using model::Activation;
using model::ActivationKind;
using model::HeadKind;
using model::Link;

bool is_sigmoid(const Graph& graph, u64 node) {
  const auto* stage = graph.stage<Activation>(node);
  return stage != nullptr && stage->kind == ActivationKind::sigmoid;
}

bool is_softmax(const Graph& graph, u64 node) {
  const auto* stage = graph.stage<model::Softmax>(node);
  return stage != nullptr && !stage->log && (stage->group == 0 || stage->group == graph.width(node));
}

// The node p of two columns 1 - p, p.
std::optional<u64> second_of_pair(const Graph& graph, u64 node) {
  const auto* stage = graph.stage<model::Combine>(node);
  if (stage == nullptr || stage->kind != model::CombineKind::concat || graph.width(node) != 2) return std::nullopt;
  const auto& parts = graph.inputs(node);
  const auto* first = parts.size() == 2 ? graph.stage<model::Scale>(parts[0]) : nullptr;
  if (first == nullptr || first->factor[0] != -1 || first->offset[0] != 1) return std::nullopt;
  return graph.inputs(parts[0])[0] == parts[1] ? std::optional(parts[1]) : std::nullopt;
}

// The affine map that gives a node, with a Scale behind it taken in.
std::optional<model::Affine> affine_at(const Graph& graph, u64 node) {
  if (const auto* affine = graph.stage<model::Affine>(node)) return *affine;
  const auto* scale = graph.stage<model::Scale>(node);
  const auto* before = scale == nullptr ? nullptr : graph.stage<model::Affine>(graph.inputs(node)[0]);
  if (before == nullptr) return std::nullopt;
  model::Affine affine = *before;
  const u64 k = affine.weights.cols;
  for (u64 i = 0; i < affine.weights.values.size(); ++i) affine.weights.values[i] *= scale->factor[i % k];
  for (u64 j = 0; j < k; ++j) affine.bias[j] = (affine.bias[j] - scale->offset[j]) * scale->factor[j];
  return affine;
}

// The last column of an affine map of two columns -z, z, as a node of its own.
std::optional<u64> second_of_opposites(Graph& graph, u64 node) {
  const auto both = affine_at(graph, node);
  if (!both || both->weights.cols != 2 || both->bias[0] != -both->bias[1]) return std::nullopt;
  model::Affine second{{both->weights.rows, 1, {}}, {both->bias[1]}};
  for (u64 i = 0; i < both->weights.rows; ++i) {
    if (both->weights.values[2 * i] != -both->weights.values[2 * i + 1]) return std::nullopt;
    second.weights.values.push_back(both->weights.values[2 * i + 1]);
  }
  const u64 map = graph.stage<model::Affine>(node) != nullptr ? node : graph.inputs(node)[0];
  return graph.add(std::move(second), graph.inputs(map)[0]);
}

// x of x / sum |x|: a Normalize, or the division that exporters write for doubles.
std::optional<u64> l1_normalised(const Graph& graph, u64 node) {
  if (const auto* norm = graph.stage<model::Normalize>(node))
    return norm->norm == model::Norm::l1 ? std::optional(graph.inputs(node)[0]) : std::nullopt;
  const auto* quotient = graph.stage<model::Combine>(node);
  if (quotient == nullptr || quotient->kind != model::CombineKind::divide) return std::nullopt;
  const u64 x = graph.inputs(node)[0];
  const u64 repeated = graph.inputs(node)[1];
  if (graph.stage<model::Select>(repeated) == nullptr) return std::nullopt;
  const u64 sum = graph.inputs(repeated)[0];
  const auto* ones = graph.stage<model::Affine>(sum);
  if (ones == nullptr || ones->weights.cols != 1 || ones->bias[0] != 0) return std::nullopt;
  for (const double weight : ones->weights.values)
    if (weight != 1) return std::nullopt;
  const u64 magnitude = graph.inputs(sum)[0];
  if (magnitude == x) return x;
  const auto* larger = graph.stage<model::Combine>(magnitude);
  const bool absolute = larger != nullptr && larger->kind == model::CombineKind::maximum &&
                        graph.inputs(magnitude)[0] == x && graph.stage<model::Scale>(graph.inputs(magnitude)[1]) &&
                        graph.inputs(graph.inputs(magnitude)[1])[0] == x;
  return absolute ? std::optional(x) : std::nullopt;
}

struct Ending {
  u64 node = 0;
  Link link = Link::none;
};

// Two columns -z, z made of one score z.
bool is_pair_of(const Graph& graph, u64 node, u64 z) {
  return graph.width(z) == 1 && graph.width(node) == 2 && graph.stage<model::Affine>(node) != nullptr &&
         graph.inputs(node)[0] == z;
}

// How probabilities at node p come from the scores z that decide the label. None of these steps changes which column is
// the largest.
std::optional<Ending> relation(const Graph& graph, u64 z, u64 p) {
  if (p == z) {
    const bool sure = is_softmax(graph, p) || is_sigmoid(graph, p) || second_of_pair(graph, p);
    return Ending{p, sure ? Link::identity : Link::none};
  }
  if (p == 0) return std::nullopt;
  const u64 from = graph.inputs(p)[0];
  if (const auto x = l1_normalised(graph, p)) {
    // What adds up to 1 already stays.
    if (is_softmax(graph, *x) || second_of_pair(graph, *x)) return relation(graph, z, *x);
    if (*x == z) return Ending{p, Link::identity};
    if (is_sigmoid(graph, *x) && graph.inputs(*x)[0] == z) return Ending{z, Link::normalized_sigmoid};
    return relation(graph, z, *x);
  }
  if (is_pair_of(graph, p, z)) return Ending{z, Link::none};
  if (is_softmax(graph, p) && (from == z || is_pair_of(graph, from, z))) return Ending{z, Link::softmax};
  if (is_sigmoid(graph, p) && is_pair_of(graph, from, z)) return Ending{z, Link::sigmoid};
  if (is_sigmoid(graph, p) && from == z) return Ending{p, Link::identity};
  // The score of the second of two classes.
  const auto* select = graph.stage<model::Select>(p);
  if (select != nullptr && select->columns == std::vector<u64>{1} && from == z && graph.width(z) == 2)
    return Ending{z, Link::none};
  return std::nullopt;
}

// Two classes by one column, where the two columns are 1 - p, p or -z, z.
Ending two_classes(Graph& graph, const Ending& ending) {
  if (graph.width(ending.node) != 2) return ending;
  if (const auto p = second_of_pair(graph, ending.node)) return {*p, ending.link};
  const bool sigmoids = ending.link == Link::identity && is_sigmoid(graph, ending.node);
  const auto z = second_of_opposites(graph, sigmoids ? graph.inputs(ending.node)[0] : ending.node);
  if (!z) return ending;
  if (sigmoids || ending.link == Link::normalized_sigmoid) return {*z, Link::sigmoid};
  return {*z, ending.link};
}

model::Model classifier(Graph& graph, const Labels& labels, std::optional<u64> scores) {
  if (labels.head) {
    model::Model model = graph.finish(labels.node);
    model.head = *labels.head;
    model.head.classes = labels.classes;
    return model;
  }
  auto ending = relation(graph, labels.node, scores.value_or(labels.node));
  if (!ending) throw Error(ExitCode::data, "the model's labels and scores do not come from the same columns");
  const u64 classes = model::class_count(labels.classes);
  if (classes == 2) ending = two_classes(graph, *ending);
  const u64 columns = graph.width(ending->node);
  model::Model model = graph.finish(ending->node);
  model.head.kind = columns == 1 && classes == 2 ? HeadKind::binary : HeadKind::multiclass;
  model.head.link = ending->link;
  model.head.classes = labels.classes;
  return model;
}

// Labels of independent classes: each score against 0, or each probability against one half.
std::optional<Link> multilabel_link(const Graph& graph, const Rows& labels, u64 scores) {
  const auto* stage = labels.columns.empty() ? graph.stage<model::Binarize>(labels.node) : nullptr;
  if (stage == nullptr || graph.inputs(labels.node)[0] != scores) return std::nullopt;
  if (stage->threshold == 0.5 && is_sigmoid(graph, scores)) return Link::identity;
  return stage->threshold == 0 ? std::optional(Link::none) : std::nullopt;
}

model::Model several_tables(Graph& graph, const std::vector<std::pair<std::string, Rows>>& tables) {
  for (u64 i = 0; tables.size() == 2 && i < 2; ++i) {
    const u64 scores = graph.node_of(tables[1 - i].second);
    const auto link = multilabel_link(graph, tables[i].second, scores);
    if (!link) continue;
    model::Model model = graph.finish(scores);
    const u64 columns = graph.width(scores);
    std::vector<i64> codes(std::max<u64>(columns, 2));
    std::iota(codes.begin(), codes.end(), 0);
    model.head.kind = columns == 1 ? HeadKind::binary : HeadKind::multilabel;
    model.head.link = *link;
    model.head.classes = std::move(codes);
    return model;
  }
  std::vector<u64> nodes;
  std::vector<std::string> targets;
  for (const auto& [name, rows] : tables) {
    nodes.push_back(graph.node_of(rows));
    const u64 width = graph.width(nodes.back());
    for (u64 i = 0; i < width; ++i) targets.push_back(width == 1 ? name : name + "_" + std::to_string(i));
  }
  model::Model model =
      graph.finish(nodes.size() == 1 ? nodes[0] : graph.add(model::Combine{model::CombineKind::concat}, nodes));
  if (nodes.size() > 1) model.head.target_names = std::move(targets);
  return model;
}

// One table, or the columns of one that are outputs of their own.
Rows side_by_side(const std::vector<std::pair<std::string, Rows>>& tables) {
  Rows all = tables[0].second;
  for (std::size_t i = 1; i < tables.size(); ++i) {
    const Rows& next = tables[i].second;
    if (next.node != all.node || next.columns.empty() || all.columns.empty())
      throw Error(ExitCode::data, "the model has more outputs than labels and their scores",
                  std::to_string(tables.size() + 1) + " outputs");
    all.columns.insert(all.columns.end(), next.columns.begin(), next.columns.end());
  }
  return all;
}

// A map from classes to scores without a label beside it.
model::Model map_only(Graph& graph, const Scores& scores) {
  if (scores.head) {
    model::Model model = graph.finish(scores.node);
    model.head = *scores.head;
    if (scores.classes) model.head.classes = *scores.classes;
    return model;
  }
  Labels labels;
  labels.node = scores.node;
  labels.classes = scores.classes.value_or(model::ClassLabels{});
  return classifier(graph, labels, std::nullopt);
}

}  // namespace

model::Model with_head(Graph& graph, const Outputs& outputs) {
  const Labels* labels = nullptr;
  const Scores* scores = nullptr;
  std::vector<std::pair<std::string, Rows>> tables;
  for (const auto& [name, value] : outputs) {
    if (const auto* rows = std::get_if<Rows>(&value)) {
      tables.emplace_back(name, *rows);
    } else if (const auto* found = std::get_if<Labels>(&value); found != nullptr && labels == nullptr) {
      labels = found;
    } else if (const auto* map = std::get_if<Scores>(&value); map != nullptr && scores == nullptr) {
      scores = map;
    } else {
      throw Error(
          ExitCode::data, "the model's output " + shown(name) + " cannot be scored",
          std::holds_alternative<Constant>(value) ? "it does not depend on the rows" : "there are several such");
    }
  }
  if (labels == nullptr && scores != nullptr && tables.empty()) return map_only(graph, *scores);
  if (labels == nullptr && scores == nullptr) return several_tables(graph, tables);
  if (labels == nullptr || (scores != nullptr && !tables.empty()))
    throw Error(ExitCode::data, "the model has more outputs than labels and their scores",
                std::to_string(outputs.size()) + " outputs");
  std::optional<u64> node;
  Labels named = *labels;
  if (scores != nullptr) {
    node = scores->node;
    if (scores->classes && labels->positions) named.classes = *scores->classes;
  } else if (!tables.empty()) {
    node = graph.node_of(side_by_side(tables));
  }
  return classifier(graph, named, node);
}

}  // namespace h5score::format::onnx
