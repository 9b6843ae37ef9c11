// Keras models: .h5 of Keras 1, 2 and 3 (description and weights in one HDF5 file), X.json with X_weights.h5, and
// .keras archives. Facts on the formats: keras-team/keras, keras/src/saving/saving_lib.py and
// keras/src/legacy/saving/legacy_h5_format.py; Keras 1 and 2: keras/engine/{topology,saving}.py. Nothing in a file is
// ever executed.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/model.hpp"

#include <string>

namespace h5score::format::keras {

bool recognise(const std::string& path, base::ByteView head);
model::Model load(const std::string& path);

}  // namespace h5score::format::keras
