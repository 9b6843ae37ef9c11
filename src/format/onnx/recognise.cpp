// Recognition of ONNX files; no protobuf, so that a build without it can still say what a file is.
#include "onnx.hpp"

#include <algorithm>
#include <array>

namespace h5score::format::onnx {

bool recognise(const std::string& /*path*/, base::ByteView head) {
  // Writers put fields in the order of their numbers, so a file begins with ir_version (field 1, a varint; 11 in 2025)
  // and goes on with any later field of ModelProto, as tag = number * 8 + wire type.
  constexpr std::array<unsigned, 8> next_tags{0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
  if (head.size() < 3 || std::to_integer<unsigned>(head[0]) != 0x08) return false;
  const auto version = std::to_integer<unsigned>(head[1]);
  const auto next = std::to_integer<unsigned>(head[2]);
  return version >= 1 && version < 64 && std::find(next_tags.begin(), next_tags.end(), next) != next_tags.end();
}

}  // namespace h5score::format::onnx
