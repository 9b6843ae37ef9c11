// Names of element types as numpy prints them.
#include "h5score/base/element_type.hpp"

namespace h5score::base {

std::string to_string(const ElementType& type) {
  if (type.kind == ElementKind::fixed_string) return "S" + std::to_string(type.size);
  const bool swapped = type.big_endian && type.size > 1;
  const char* name = "float";
  const char* letter = "f";
  if (type.kind == ElementKind::signed_integer) name = "int", letter = "i";
  if (type.kind == ElementKind::unsigned_integer) name = "uint", letter = "u";
  if (swapped) return ">" + std::string(letter) + std::to_string(type.size);
  return name + std::to_string(type.size * 8);
}

}  // namespace h5score::base
