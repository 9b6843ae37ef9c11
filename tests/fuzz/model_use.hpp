// What a run does with a model that it has loaded: it evaluates rows. A model that was accepted must survive that.
#pragma once

#include "h5score/model/model.hpp"

namespace h5score::fuzz {

/// Compiles the model and scores a few rows, if that takes a moment only.
void use_model(const model::Model& model);

}  // namespace h5score::fuzz
