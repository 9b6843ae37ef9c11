// What the metadata of an ONNX file says of the model beyond its graph (keys h5score.*, docs/model-format.md).
#pragma once

#include "h5score/model/model.hpp"

#include "proto.hpp"

namespace h5score::format::onnx {

/// Sets names, classes, targets, golden rows and the training reference from metadata_props, and the head of a network
/// without labels. Throws Error(data) naming the key where one does not fit.
void apply_metadata(const pb::ModelProto& proto, model::Model& model);

}  // namespace h5score::format::onnx
