// CRC-32 by libdeflate, where ISA-L is not there.
#include "h5score/base/hash.hpp"

#include <libdeflate.h>

namespace h5score::base {

u32 crc32(ByteView bytes, u32 crc) {
  if (bytes.empty()) return crc;  // libdeflate reads a null pointer as a request for the initial value
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

}  // namespace h5score::base
