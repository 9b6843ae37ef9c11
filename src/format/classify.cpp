// Heads of networks.
#include "classify.hpp"

#include "h5score/base/error.hpp"

#include <numeric>
#include <utility>

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;
using model::HeadKind;
using model::Link;

enum class Ending : base::u8 { other, softmax, sigmoid };

Ending ending_of(const model::Model& model, u64 columns) {
  if (model.stages.empty()) return Ending::other;
  if (const auto* softmax = std::get_if<model::Softmax>(&model.stages.back())) {
    const bool all = softmax->group == 0 || softmax->group == columns;
    return all && !softmax->log && columns > 1 ? Ending::softmax : Ending::other;
  }
  const auto* last = std::get_if<model::Activation>(&model.stages.back());
  if (last == nullptr) return Ending::other;
  using enum model::ActivationKind;
  return last->kind == sigmoid || last->kind == hard_sigmoid ? Ending::sigmoid : Ending::other;
}

struct Reading {
  HeadKind kind;
  Link link;
};

Reading reading_of(const model::Model& model, u64 classes) {
  const u64 columns = output_columns(model);
  const Ending ending = ending_of(model, columns);
  if (columns == 1 && classes == 2)
    return {HeadKind::binary, ending == Ending::sigmoid ? Link::identity : Link::sigmoid};
  if (columns != classes || classes < 2)
    throw Error(ExitCode::data,
                std::to_string(classes) + " class labels for a network with " + std::to_string(columns) +
                    (columns == 1 ? " output" : " outputs"),
                {}, "a network with one output has two classes, else each output is one class");
  if (ending == Ending::softmax) return {HeadKind::multiclass, Link::identity};
  if (ending == Ending::sigmoid) return {HeadKind::multilabel, Link::identity};
  return {HeadKind::multiclass, Link::softmax};
}

// Both classes' probabilities from that of the second.
model::Matrix both_classes(const model::Matrix& second) {
  model::Matrix both{.rows = second.rows, .cols = 2, .values = {}};
  for (const double p : second.values) {
    both.values.push_back(1 - p);
    both.values.push_back(p);
  }
  return both;
}

}  // namespace

u64 output_columns(const model::Model& model) {
  std::vector<u64> widths{model.n_features};
  for (u64 i = 0; i < model.stages.size(); ++i) {
    std::vector<u64> in;
    for (const u64 node : model::inputs_of(model, i)) {
      if (node >= widths.size()) throw Error(ExitCode::data, "a stage reads what comes after it");
      in.push_back(widths[node]);
    }
    widths.push_back(model::output_width(model.stages[i], in));
  }
  return widths.back();
}

void set_classes(model::Model& model, model::ClassLabels labels) {
  const u64 classes = model::class_count(labels);
  if (model.head.kind != HeadKind::values) {
    const u64 known = model::class_count(model.head.classes);
    if (known != classes)
      throw Error(ExitCode::data,
                  std::to_string(classes) + " class labels for a model with " + std::to_string(known) + " classes");
    model.head.classes = std::move(labels);
    return;
  }
  const Reading reading = reading_of(model, classes);
  model.head = {};
  model.head.kind = reading.kind;
  model.head.link = reading.link;
  model.head.classes = std::move(labels);
  if (model.golden) name_golden(*model.golden, model.head);
}

void name_golden(model::GoldenRows& golden, const model::Head& head) {
  model::Matrix columns = std::exchange(golden.prediction, {});
  if (columns.values.empty()) return;
  if (head.link != Link::identity)
    golden.decision = std::move(columns);
  else
    golden.probability = head.kind == HeadKind::binary ? both_classes(columns) : std::move(columns);
}

void default_head(model::Model& model) {
  model.head = {};
  const u64 columns = output_columns(model);
  if (ending_of(model, columns) != Ending::softmax) return;
  std::vector<base::i64> codes(columns);
  std::iota(codes.begin(), codes.end(), 0);
  set_classes(model, std::move(codes));
}

}  // namespace h5score::format
