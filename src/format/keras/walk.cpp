// Walks through a network, layer by layer, and lets each add its stages.
#include "walk.hpp"

#include "h5score/base/error.hpp"

#include "format/keras/layers.hpp"
#include "format/printable.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace h5score::format::keras {
namespace {

using base::Error;
using base::ExitCode;

std::vector<Tensor> run(Scope& scope, const Network& network, const std::vector<Tensor>& inputs);

std::vector<Tensor> apply(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  if (inputs.empty()) refuse(layer, "it is not called with anything");
  try {
    if (layer.network) return run(scope, *layer.network, inputs);
    const bool joins = inputs.size() > 1;
    const Tensor out = kind_of(layer).apply(scope, layer, inputs);
    static const std::vector<std::string_view> joining{"Concatenate", "Add",     "Subtract", "Multiply",
                                                       "Average",     "Maximum", "Minimum",  "Merge"};
    if (joins && std::find(joining.begin(), joining.end(), layer.class_name) == joining.end())
      refuse(layer, "it is called with several tensors");
    return {out};
  } catch (const Error& e) {
    // Errors that do not name a layer yet: a malformed option, an absurd shape.
    if (std::string(e.what()).find("layer '") != std::string::npos) throw;
    throw e.in(label(layer));
  }
}

std::vector<Tensor> run_sequential(Scope& scope, const Network& network, std::vector<Tensor> values) {
  for (const Layer& layer : network.layers) values = apply(scope, layer, values);
  return values;
}

// A functional network: calls wait until everything that they read is there. A layer may be called several times.
class Functional {
 public:
  Functional(Scope& scope, const Network& network) : scope_(scope), network_(network) {
    for (u64 i = 0; i < network.layers.size(); ++i) index_.emplace(network.layers[i].name, i);
    for (const Layer& layer : network.layers)
      for (const auto& call : layer.calls)
        for (const Reference& reference : call) note(reference);
    for (const Reference& reference : network.outputs) note(reference);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) {
    if (network_.inputs.size() != inputs.size())
      throw Error(ExitCode::data, "a network of " + std::to_string(network_.inputs.size()) + " inputs is called with " +
                                      std::to_string(inputs.size()));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const u64 layer = position(network_.inputs[i]);
      done_[{layer, 0}] = apply(scope_, network_.layers[layer], {inputs[i]});
    }
    std::vector<std::size_t> called(network_.layers.size());
    for (bool progress = true; progress;) {
      progress = false;
      for (u64 i = 0; i < network_.layers.size(); ++i)
        while (called[i] < network_.layers[i].calls.size() && try_call(i, called[i])) {
          ++called[i];
          progress = true;
        }
    }
    std::vector<Tensor> outputs;
    for (const Reference& reference : network_.outputs) {
      const Tensor* tensor = find(reference);
      if (tensor == nullptr) throw Error(ExitCode::data, "layer " + shown(reference.layer) + " is never reached");
      outputs.push_back(*tensor);
    }
    return outputs;
  }

 private:
  [[nodiscard]] u64 position(const Reference& reference) const {
    const auto found = index_.find(reference.layer);
    if (found == index_.end()) throw Error(ExitCode::data, "there is no layer " + shown(reference.layer));
    return found->second;
  }

  // Calls are counted from 0, but from 1 where a layer is a network that was called before, when it was made.
  void note(const Reference& reference) {
    const auto [entry, added] = first_call_.emplace(position(reference), reference.call);
    if (!added) entry->second = std::min(entry->second, reference.call);
  }

  [[nodiscard]] const Tensor* find(const Reference& reference) const {
    const u64 layer = position(reference);
    const auto found = done_.find({layer, reference.call - first_call_.at(layer)});
    if (found == done_.end() || reference.tensor >= found->second.size()) return nullptr;
    return &found->second[reference.tensor];
  }

  bool try_call(u64 layer, std::size_t call) {
    std::vector<Tensor> inputs;
    for (const Reference& reference : network_.layers[layer].calls[call]) {
      const Tensor* tensor = find(reference);
      if (tensor == nullptr) return false;
      inputs.push_back(*tensor);
    }
    done_[{layer, call}] = apply(scope_, network_.layers[layer], inputs);
    return true;
  }

  Scope& scope_;
  const Network& network_;
  std::map<std::string, u64> index_;
  std::map<u64, u64> first_call_;
  std::map<std::pair<u64, u64>, std::vector<Tensor>> done_;  // by layer and call
};

std::vector<Tensor> run(Scope& scope, const Network& network, const std::vector<Tensor>& inputs) {
  if (network.sequential) return run_sequential(scope, network, inputs);
  return Functional(scope, network).run(inputs);
}

std::string names_of(const std::vector<Reference>& references) {
  std::string names;
  for (const Reference& reference : references) names += (names.empty() ? "" : ", ") + shown(reference.layer);
  return names;
}

void require_one(const std::vector<Reference>& references, const char* what) {
  if (references.size() == 1) return;
  throw Error(ExitCode::data, "the network has " + std::to_string(references.size()) + " " + what,
              references.empty() ? "" : names_of(references), "split it, or join them by a Concatenate layer");
}

// What the network reads: stated by a Sequential or by an InputLayer, else by the first kernel.
std::optional<std::vector<u64>> input_shape(const Network& network) {
  if (!network.sequential) {
    require_one(network.inputs, "inputs");
    const auto found = std::find_if(network.layers.begin(), network.layers.end(),
                                    [&](const Layer& layer) { return layer.name == network.inputs[0].layer; });
    if (found == network.layers.end()) return std::nullopt;
    for (const char* key : {"batch_shape", "batch_input_shape"})
      if (const Json& shape = member(*found->config, key); !shape.is_null()) return row_shape(shape);
    return std::nullopt;
  }
  if (!network.input_shape.empty()) return network.input_shape;
  const Layer& first = network.layers.front();
  if (first.network) return input_shape(*first.network);
  for (const Layer& layer : network.layers)
    if (!layer.weights.empty() && !layer.weights[0].shape.empty()) return std::vector{layer.weights[0].shape[0]};
  return std::nullopt;
}

std::string type_of(const Layer& layer) {
  const Json& type = member(*layer.config, "dtype");
  if (type.is_null()) return {};
  std::string name = type.is_object()   ? text(member(type, "config"), "name", "")
                     : type.is_string() ? type.get<std::string>()
                                        : "";
  const bool quantised = name.find("int8") != std::string::npos || name.find("int4") != std::string::npos ||
                         name.find("float8") != std::string::npos;
  if (quantised) refuse(layer, "quantised layers are not supported");
  return name;
}

bool is_float64(const Network& network, bool float64) {
  return std::any_of(network.layers.begin(), network.layers.end(), [&](const Layer& layer) {
    if (layer.network) return is_float64(*layer.network, float64);
    if (layer.class_name == "InputLayer") return false;
    const std::string type = type_of(layer);
    return type == "float64" || (type.empty() && float64 && !layer.weights.empty());
  });
}

}  // namespace

void check_layers(const Network& network) {
  std::set<std::string> names;
  for (const Layer& layer : network.layers) {
    if (!network.sequential && !names.insert(layer.name).second)
      throw Error(ExitCode::data, "two layers have the name " + shown(layer.name));
    if (layer.network) {
      check_layers(*layer.network);
    } else {
      kind_of(layer);
      type_of(layer);
    }
  }
  if (!network.sequential && network.outputs.empty()) throw Error(ExitCode::data, "a network has no outputs");
}

model::Model build_model(const Network& network, u64 keras_major, bool float64) {
  if (!network.sequential) require_one(network.outputs, "outputs");
  const auto shape = input_shape(network);
  if (!shape)
    throw Error(ExitCode::data, "the network does not say how many features it reads", {},
                "build it with an input shape and save it again");
  const Tensor input = Graph::input(*shape);
  Graph graph;
  Scope scope{graph, keras_major};
  const auto outputs = run(scope, network, {input});
  if (outputs.size() != 1) throw Error(ExitCode::data, "the network has several outputs");
  model::Model model = graph.take(input, outputs[0]);
  model.precision = is_float64(network, float64) ? model::Precision::float64 : model::Precision::float32;
  return model;
}

}  // namespace h5score::format::keras
