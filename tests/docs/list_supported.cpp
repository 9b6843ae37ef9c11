// Prints what the model formats support, for docs/models.md: one line each, fields separated by tabs.
#include "format/keras/layers.hpp"
#include "format/onnx/onnx.hpp"

#include <iostream>

int main() {
  for (const auto& op : h5score::format::onnx::operators())
    std::cout << "onnx\t" << op.domain << '\t' << op.name << '\t' << op.since << '\t' << op.notes << '\n';
  for (const auto& layer : h5score::format::keras::layer_kinds())
    std::cout << "keras layer\t" << layer.class_name << '\n';
  for (const auto& function : h5score::format::keras::activation_functions())
    std::cout << "keras activation\t" << function << '\n';
}
