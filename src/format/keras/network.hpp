// A Keras model's description as it is stored: layers, what they are called with, and nested networks. Knows the
// spellings of Keras 1 to 3, but no layer.
#pragma once

#include "h5score/base/types.hpp"

#include "format/json.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::format::keras {

using base::u64;

/// A weight as stored: kernel, bias, ... C order.
struct Array {
  std::string name;  ///< last part of its stored name ("kernel"); a number in Keras 3's own format
  std::vector<u64> shape;
  std::vector<double> values;
};

/// Output `tensor` of call `call` of a layer.
struct Reference {
  std::string layer;
  u64 call = 0;
  u64 tensor = 0;
};

struct Network;

struct Layer {
  std::string name;
  std::string class_name;
  const Json* config = nullptr;               ///< points into the description
  std::vector<std::vector<Reference>> calls;  ///< functional networks: what each call of the layer reads
  std::unique_ptr<Network> network;           ///< Sequential, Functional and Model
  std::vector<Array> weights;                 ///< in Keras' order, once assign_weights() has run
};

struct Network {
  bool sequential = false;
  std::vector<Layer> layers;
  std::vector<Reference> inputs, outputs;  ///< functional
  std::vector<u64> input_shape;            ///< sequential: of the first layer, without the batch; empty: not stated
};

/// "layer 'conv1' (Conv1D)".
std::string label(const Layer& layer);
/// Throws Error(data) `layer 'conv1' (Conv1D) cannot be scored (why)`.
[[noreturn]] void refuse(const Layer& layer, const std::string& why);

/// True where a description says that its class is not Keras' own (Keras 3 does): one of somebody's may be called
/// Dense.
bool is_custom(const Json& description);

/// Reads the description of a whole model, {"class_name": ..., "config": ...}, which must outlive the result. Throws
/// Error(data) where it is malformed, of a class of its maker's own, or larger than 10,000 layers.
Network parse_network(const Json& description);

/// A shape with its batch dimension in front, as Keras writes it; throws Error(data) where another dimension is open.
std::vector<u64> row_shape(const Json& batch_shape);

}  // namespace h5score::format::keras
