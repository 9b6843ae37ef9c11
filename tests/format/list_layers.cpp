// Test tool: what of Keras can be scored, one a line, so that the documentation's table can be compared with the code:
//   layer Dense
//   activation relu
#include "format/keras/layers.hpp"

#include <iostream>

int main() {
  for (const auto& kind : h5score::format::keras::layer_kinds()) std::cout << "layer " << kind.class_name << '\n';
  for (const auto& name : h5score::format::keras::activation_functions()) std::cout << "activation " << name << '\n';
}
