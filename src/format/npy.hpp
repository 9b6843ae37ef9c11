// Arrays of numpy: .npy files (format versions 1 to 3, numpy.lib.format) and .npz archives of them.
#pragma once

#include "h5score/base/types.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace h5score::format::npy {

using base::u64;

/// Numbers (converted to double) or texts, in C order whatever the file's.
struct Array {
  std::vector<u64> shape;
  std::vector<double> numbers;
  std::vector<std::string> texts;
};

/// An array by its field's name; a plain array has the name "".
using Fields = std::map<std::string, Array>;

/// How elements lie in a file.
struct ElementField {
  std::string name;
  char kind = 'f';  ///< numpy's letters: f floating, i and u integers, b boolean, S bytes, U text, V none
  bool big_endian = false;
  u64 item = 0;            ///< bytes of one value
  u64 offset = 0;          ///< within an element
  std::vector<u64> shape;  ///< of the field within one element
};
struct Header {
  std::vector<ElementField> fields;
  u64 element_bytes = 0;
  bool fortran = false;
  std::vector<u64> shape;
  u64 data = 0;  ///< where elements begin
};

/// Throws Error(data) where the bytes do not begin like an .npy file, or hold Python objects, complex or half numbers.
Header parse_header(base::ByteView file);
/// Throws Error(data) also where the file is shorter than its header says.
Fields parse(base::ByteView file);
/// An .npy file, or an .npz archive: fields are its arrays. Throws Error(no_input), Error(data) naming path and array.
Fields read(const std::string& path);

}  // namespace h5score::format::npy
