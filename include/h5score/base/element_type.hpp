// The numeric type of a stored element, independent of HDF5: what a recipe for decoding needs to know.
#pragma once

#include "h5score/base/types.hpp"

#include <string>

namespace h5score::base {

enum class ElementKind : u8 {
  signed_integer,
  unsigned_integer,  ///< also booleans and enumerations over an unsigned base
  floating,          ///< IEEE 754 binary16, binary32, binary64
  fixed_string,      ///< `size` bytes of text, zero- or space-padded; only passed through
};

struct ElementType {
  ElementKind kind = ElementKind::floating;
  u32 size = 4;               ///< bytes per element: 1, 2, 4, 8; any for fixed_string
  bool big_endian = false;    ///< byte order as stored
  bool utf8 = false;          ///< fixed_string: character set
  bool space_padded = false;  ///< fixed_string: padded with spaces (Fortran), else with zeros
  bool operator==(const ElementType&) const = default;

  [[nodiscard]] bool numeric() const { return kind != ElementKind::fixed_string; }
};

template <class A>
void archive(A& ar, ElementType& t) {
  ar(t.kind, t.size, t.big_endian, t.utf8, t.space_padded);
}

/// numpy's name with byte order where it is not native little-endian: "float32", "uint8", ">i2", "S16", ...
std::string to_string(const ElementType& type);

}  // namespace h5score::base
