// Reading of descriptions: {"class_name", "config"} of Sequential and of functional networks.
#include "network.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "format/printable.hpp"

#include <algorithm>

namespace h5score::format::keras {
namespace {

using base::Error;
using base::ExitCode;

constexpr std::size_t most_layers = 10'000;

bool is_network(const std::string& class_name) {
  return class_name == "Sequential" || class_name == "Functional" || class_name == "Model";
}

void check_origin(const Json& description, const Layer& layer) {
  if (is_custom(description)) refuse(layer, "it is a class of its maker's own");
  if (text(description, "module", "").find(".ops") != std::string::npos)
    refuse(layer, "operations outside layers are not supported");
}

bool is_reference(const Json& value) {
  return value.is_array() && value.size() >= 3 && value[0].is_string() && value[1].is_number_unsigned() &&
         value[2].is_number_unsigned();
}

Reference reference_of(const Json& value) {
  return {value[0].get<std::string>(), value[1].get<u64>(), value[2].get<u64>()};
}

// [["a", 0, 0], ...], or ["a", 0, 0] alone, or an object of them.
void collect_references(const Json& value, std::vector<Reference>& found) {
  if (is_reference(value)) {
    found.push_back(reference_of(value));
  } else if (value.is_array() || value.is_object()) {
    for (const auto& item : value) collect_references(item, found);
  } else {
    throw Error(ExitCode::data, "a list of inputs or outputs is malformed");
  }
}

void check_arguments(const Json& arguments, const Layer& layer) {
  if (member(arguments, "training").is_boolean() && flag(arguments, "training", false))
    refuse(layer, "it is called in training mode");
}

// Keras 1 and 2: [["a", 0, 0, {arguments}], ...].
std::vector<Reference> call_of_list(const Json& call, const Layer& layer) {
  std::vector<Reference> inputs;
  for (const auto& input : is_reference(call) ? Json::array({call}) : call) {
    if (!is_reference(input)) refuse(layer, "what it is called with is not understood");
    inputs.push_back(reference_of(input));
    if (input.size() > 3) check_arguments(input[3], layer);
  }
  return inputs;
}

// Keras 3: tensors anywhere in the arguments, {"class_name": "__keras_tensor__", "config": {"keras_history": [...]}}.
void collect_tensors(const Json& value, const Layer& layer, std::vector<Reference>& found) {
  if (value.is_object() && text(value, "class_name", "") == "__keras_tensor__") {
    const Json& history = member(member(value, "config"), "keras_history");
    if (!is_reference(history)) refuse(layer, "what it is called with is not understood");
    found.push_back(reference_of(history));
  } else if (value.is_array()) {
    for (const auto& item : value) collect_tensors(item, layer, found);
  } else if (!value.is_null()) {
    refuse(layer, "it is called with more than tensors");
  }
}

std::vector<std::vector<Reference>> calls_of(const Json& nodes, const Layer& layer) {
  std::vector<std::vector<Reference>> calls;
  for (const auto& node : nodes) {
    if (node.is_object()) {
      collect_tensors(member(node, "args"), layer, calls.emplace_back());
      check_arguments(member(node, "kwargs"), layer);
      for (const auto& [key, value] : member(node, "kwargs").items())
        if (key == "inputs") collect_tensors(value, layer, calls.back());
    } else {
      calls.push_back(call_of_list(node, layer));
    }
  }
  return calls;
}

Network parse_config(bool sequential, const Json& config);

Layer parse_layer(const Json& description) {
  Layer layer;
  layer.class_name = text(description, "class_name", "");
  layer.config = &member(description, "config");
  layer.name = text(description, "name", layer.config->is_object() ? text(*layer.config, "name", "") : "");
  if (layer.class_name.empty()) throw Error(ExitCode::data, label(layer) + " has no class_name");
  check_origin(description, layer);
  layer.calls = calls_of(member(description, "inbound_nodes"), layer);
  if (is_network(layer.class_name))
    layer.network = std::make_unique<Network>(parse_config(layer.class_name == "Sequential", *layer.config));
  return layer;
}

// Where a Sequential says what it reads: in its first layer (Keras 1 and 2) or in its own description.
std::vector<u64> sequential_shape(const Json& config, const Json& first) {
  for (const char* key : {"batch_input_shape", "batch_shape"})
    if (const Json& shape = member(first, key); !shape.is_null()) return row_shape(shape);
  if (const auto width = count(first, "input_dim")) return {*width};
  for (const char* key : {"build_input_shape", "batch_input_shape"})
    if (const Json& shape = member(config, key); !shape.is_null()) return row_shape(shape);
  return {};
}

// Recursion: as deep as the JSON text is nested, which is bounded.
Network parse_config(bool sequential, const Json& config) {
  Network network;
  network.sequential = sequential;
  const Json& layers = config.is_array() ? config : member(config, "layers");
  if (!layers.is_array() || layers.empty()) throw Error(ExitCode::data, "a network without layers");
  if (layers.size() > most_layers)
    throw Error(ExitCode::data, "a network has " + std::to_string(layers.size()) + " layers");
  for (const auto& layer : layers) network.layers.push_back(parse_layer(layer));
  if (sequential) {
    network.input_shape = sequential_shape(config, *network.layers.front().config);
  } else {
    collect_references(member(config, "input_layers"), network.inputs);
    collect_references(member(config, "output_layers"), network.outputs);
  }
  return network;
}

}  // namespace

bool is_custom(const Json& description) {
  const std::string module = text(description, "module", "keras");
  const std::string registered = text(description, "registered_name", "");
  const bool ours = module == "keras" || module.starts_with("keras.") || module.starts_with("tf_keras");
  return !ours || (registered.find('>') != std::string::npos && !registered.starts_with("keras>"));
}

std::string label(const Layer& layer) {
  const std::string quoted = shown(layer.class_name);
  return "layer " + shown(layer.name) + " (" + quoted.substr(1, quoted.size() - 2) + ")";
}

void refuse(const Layer& layer, const std::string& why) {
  throw Error(ExitCode::data, label(layer) + " cannot be scored", why);
}

std::vector<u64> row_shape(const Json& batch_shape) {
  if (!batch_shape.is_array() || batch_shape.empty()) throw Error(ExitCode::data, "an input shape is malformed");
  std::vector<u64> shape;
  for (std::size_t i = 1; i < batch_shape.size(); ++i) {
    if (batch_shape[i].is_null())
      throw Error(ExitCode::data, "the network's input has a dimension of any size",
                  "dimension " + std::to_string(i) + " of " + std::to_string(batch_shape.size()),
                  "build it with a fixed input shape and save it again");
    if (!batch_shape[i].is_number_unsigned()) throw Error(ExitCode::data, "an input shape is malformed");
    shape.push_back(batch_shape[i].get<u64>());
  }
  return shape;
}

Network parse_network(const Json& description) {
  const std::string class_name = text(description, "class_name", "");
  if (!is_network(class_name))
    throw Error(ExitCode::data, "a model of the class " + shown(class_name) + " cannot be scored",
                "only Sequential and Functional models say which layers they have",
                "build the same layers as a Functional model, load the weights and save that");
  return parse_config(class_name == "Sequential", member(description, "config"));
}

}  // namespace h5score::format::keras
