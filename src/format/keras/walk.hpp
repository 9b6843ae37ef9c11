// From a Keras network with weights to a model.
#pragma once

#include "h5score/model/model.hpp"

#include "format/keras/network.hpp"

namespace h5score::format::keras {

/// Throws Error(data) naming the first layer, nested ones included, that cannot be scored whatever its weights are.
void check_layers(const Network& network);

/// The stages, number of features, input shape and precision of a network whose weights are assigned; its head is left
/// to default_head(). `float64`: its weights are stored so, which counts where layers do not state their type. Throws
/// Error(data) naming layers.
model::Model build_model(const Network& network, u64 keras_major, bool float64);

}  // namespace h5score::format::keras
