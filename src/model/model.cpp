// Class labels, the model's name for people and its content hash.
#include "h5score/model/model.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/text.hpp"

#include "graph.hpp"

#include <algorithm>
#include <charconv>

namespace h5score::model {
namespace {

std::string text_of(const std::string& value) {
  return value;
}
template <class Number>
std::string text_of(Number value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

bool is_nonlinear(const Stage& stage) {
  const auto* activation = std::get_if<Activation>(&stage);
  return std::holds_alternative<Softmax>(stage) ||
         (activation != nullptr && activation->kind != ActivationKind::identity);
}

/// 784-128-64-10 where a non-linearity lies between two affine stages, else empty.
std::string layers(const std::vector<Stage>& stages) {
  std::string text;
  bool nonlinear = false;
  bool network = false;
  for (const Stage& stage : stages) {
    nonlinear = nonlinear || (is_nonlinear(stage) && !text.empty());
    const auto* affine = std::get_if<Affine>(&stage);
    if (affine == nullptr) continue;
    if (text.empty()) text = std::to_string(affine->weights.rows);
    text += "-" + std::to_string(affine->weights.cols);
    network = network || nonlinear;
  }
  return network ? text : "";
}

/// The same for a network with branches.
std::string dense_layers(const std::vector<Stage>& stages) {
  const bool network = std::any_of(stages.begin(), stages.end(), is_nonlinear);
  const auto affines = std::count_if(stages.begin(), stages.end(),
                                     [](const Stage& stage) { return std::holds_alternative<Affine>(stage); });
  if (!network || affines == 0) return "";
  return "of " + base::plural(static_cast<u64>(affines), "dense layer") + " in branches";
}

std::string svm_family(const Head& head, const KernelExpansion& expansion) {
  const char* name = head.kind == HeadKind::values      ? "support vector regression"
                     : head.kind == HeadKind::one_class ? "one-class SVM"
                                                        : "SVM";
  return std::string(name) + " (" + describe(Stage(expansion)) + ")";
}

std::string linear_family(const Model& model) {
  if (model.head.kind == HeadKind::values) return "linear regression";
  const bool probabilities =
      model.head.link != Link::none || (!model.stages.empty() && is_nonlinear(model.stages.back()));
  return probabilities ? "logistic regression" : "linear classifier";
}

std::string family(const Model& model) {
  const std::string network = is_chain(model) ? layers(model.stages) : dense_layers(model.stages);
  for (const Stage& stage : model.stages)
    if (const auto* e = std::get_if<KernelExpansion>(&stage)) return svm_family(model.head, *e);
  if (!network.empty()) return "neural network " + network;
  const bool affine = std::any_of(model.stages.begin(), model.stages.end(),
                                  [](const Stage& s) { return std::holds_alternative<Affine>(s); });
  return affine ? linear_family(model) : "transformation";
}

}  // namespace

u64 class_count(const ClassLabels& labels) {
  return std::visit([](const auto& values) { return u64{values.size()}; }, labels);
}

std::string class_name(const ClassLabels& labels, u64 i) {
  return std::visit([i](const auto& values) { return text_of(values.at(i)); }, labels);
}

const char* to_string(Precision precision) {
  return precision == Precision::float32 ? "float32" : "float64";
}

std::string describe(const Model& model) {
  const u64 c = class_count(model.head.classes);
  const std::string head = model.head.kind == HeadKind::values       ? base::plural(node_widths(model).back(), "target")
                           : model.head.kind == HeadKind::multilabel ? base::plural(c, "label")
                                                                     : base::plural(c, "class", "classes");
  return family(model) + ", " + base::plural(model.n_features, "feature") + ", " + head;
}

std::string model_hash(const Model& model) {
  base::Writer writer;
  writer(model.n_features, model.stages, is_chain(model) ? std::vector<std::vector<u64>>() : model.inputs, model.head,
         model.feature_names, model.input_shape, model.total_count, model.precision);
  return base::content_hash(writer.take());
}

}  // namespace h5score::model
