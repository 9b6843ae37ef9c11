// Weights of a Keras network from HDF5: Keras' classic layout (groups and lists of names in attributes, Keras 1 to 3)
// and Keras 3's own (layers/NAME/vars/0).
#pragma once

#include "h5score/h5/io.hpp"

#include "format/keras/network.hpp"

#include <string>

namespace h5score::format::keras {

enum class WeightLayout : base::u8 { none, classic, own };

/// How a group holds weights, if it does.
WeightLayout weight_layout(const h5::Handle& root);

/// Reads every layer's weights from `root` (a file's, or its group model_weights) of a file of `file_bytes`. Classic:
/// layers are matched by name or, where names differ, by order, as Keras itself does. Returns whether they are stored
/// as float64. Throws Error(data) naming layer and weight.
bool assign_weights(Network& network, const h5::Handle& root, u64 file_bytes);

}  // namespace h5score::format::keras
