// Operators that make and rename class labels.
#include "elementwise.hpp"
#include "labels.hpp"
#include "operators.hpp"

#include <algorithm>
#include <numeric>
#include <type_traits>
#include <unordered_map>

namespace h5score::format::onnx {

Labels labels_from(const Node& node, const Constant& list, const Labels& labels) {
  if (!labels.positions) node.refuse("it picks from a list by labels that are no positions");
  if (elements(list.dims) != model::class_count(labels.classes))
    node.refuse(std::to_string(elements(list.dims)) + " labels for " +
                std::to_string(model::class_count(labels.classes)) + " classes");
  Labels result = labels;
  result.positions = false;
  std::visit([&](const auto& values) { result.classes = values; }, list.values);
  return result;
}

std::optional<model::ClassLabels> class_labels_of(Node& node) {
  auto names = node.texts("classlabels_strings");
  auto codes = node.integers("classlabels_ints");
  if (codes.empty()) codes = node.integers("classlabels_int64s");
  if (!names.empty()) return names;
  if (!codes.empty()) return codes;
  return std::nullopt;
}

namespace lower {
namespace {

// keys and values of LabelEncoder: attributes (from ai.onnx.ml 2 on), or tensors (from 4 on).
std::optional<model::ClassLabels> list_of(Node& node, const std::string& side) {
  if (const auto tensor = node.tensor((side + "_tensor").c_str())) {
    model::ClassLabels labels;
    std::visit([&](const auto& values) { labels = values; }, tensor->values);
    return labels;
  }
  auto names = node.texts((side + "_strings").c_str());
  auto codes = node.integers((side + "_int64s").c_str());
  auto reals = node.numbers((side + "_floats").c_str());
  if (!names.empty()) return names;
  if (!codes.empty()) return codes;
  if (!reals.empty()) return reals;
  return std::nullopt;
}

// Where each label stands in a list, compared as text: labels of different types never meet in a valid model.
std::vector<u64> positions(const Node& node, const model::ClassLabels& list, const model::ClassLabels& labels) {
  std::unordered_map<std::string, u64> places;
  for (u64 i = 0; i < model::class_count(list); ++i) places.emplace(model::class_name(list, i), i);
  std::vector<u64> found;
  for (u64 i = 0; i < model::class_count(labels); ++i) {
    const auto place = places.find(model::class_name(labels, i));
    if (place == places.end()) node.refuse("it has no entry for label " + model::class_name(labels, i));
    found.push_back(place->second);
  }
  return found;
}

model::ClassLabels picked(const model::ClassLabels& from, const std::vector<u64>& at) {
  return std::visit(
      [&](const auto& list) {
        std::decay_t<decltype(list)> result;
        for (const u64 i : at) result.push_back(list[i]);
        return model::ClassLabels{std::move(result)};
      },
      from);
}

}  // namespace

void arg_max(Node& node) {
  const Rows& rows = node.rows(0);
  const u64 axis = node.axis(node.integer("axis", 0), rows.dims.size());
  node.ignore({"keepdims"});
  if (node.integer("select_last_index", 0) != 0)
    node.refuse("select_last_index = 1: of equal scores the first one decides here");
  if (axis == rows.batch) node.refuse("it would compare different rows");
  if (elements(rows.dims) != rows.dims[axis])
    node.refuse("values of shape " + text(rows.dims) + " give several labels");
  Labels labels;
  labels.node = node.graph().node_of(rows);
  labels.positions = true;
  std::vector<i64> codes(rows.dims[axis]);
  std::iota(codes.begin(), codes.end(), 0);
  labels.classes = std::move(codes);
  node.set(std::move(labels));
}

void sign(Node& node) {
  const Rows& rows = node.rows(0);
  if (elements(rows.dims) != 1) node.refuse("values of shape " + text(rows.dims), "supported is one value per row");
  Labels labels;
  labels.node = node.graph().node_of(rows);
  labels.classes = std::vector<i64>{-1, 1};
  labels.head.emplace();
  labels.head->kind = model::HeadKind::one_class;
  labels.head->classes = labels.classes;
  node.set(std::move(labels));
}

void label_encoder(Node& node) {
  const auto* labels = node.get<Labels>(0);
  if (labels == nullptr) node.refuse("it encodes features, which is not supported", "encode them in the data");
  node.ignore({"default_string", "default_int64", "default_float", "default_tensor"});
  std::optional<model::ClassLabels> keys, values;
  if (node.has("classes_strings")) {
    const auto names = node.texts("classes_strings");
    std::vector<i64> codes(names.size());
    std::iota(codes.begin(), codes.end(), 0);
    keys = codes;
    values = names;
    if (std::holds_alternative<std::vector<std::string>>(labels->classes)) std::swap(keys, values);
  } else {
    keys = list_of(node, "keys");
    values = list_of(node, "values");
  }
  if (!keys || !values || model::class_count(*keys) != model::class_count(*values))
    node.refuse("its keys and values are missing or differ in number");
  Labels result = *labels;
  result.classes = picked(*values, positions(node, *keys, labels->classes));
  result.positions = false;
  node.set(std::move(result));
}

void zip_map(Node& node) {
  const auto classes = class_labels_of(node);
  if (!classes) node.refuse("it has no class labels");
  if (const auto* scores = node.get<Scores>(0)) {
    Scores named = *scores;
    named.classes = classes;
    return node.set(std::move(named));
  }
  const Rows& rows = node.rows(0);
  if (rows.dims[rows.batch] != 1) node.refuse("it would cut rows into several");
  if (elements({rows.dims.begin(), rows.dims.begin() + static_cast<std::ptrdiff_t>(rows.batch)}) != 1)
    node.refuse("its rows run along axis " + std::to_string(rows.batch));
  if (elements(rows.dims) != model::class_count(*classes))
    node.refuse(std::to_string(model::class_count(*classes)) + " class labels for " +
                std::to_string(elements(rows.dims)) + " columns");
  node.set(Scores{node.graph().node_of(rows), std::nullopt, classes});
}

}  // namespace lower
}  // namespace h5score::format::onnx
