// CRC-32 by ISA-L: a fold over 512-bit carry-less products where the CPU has them.
#include "h5score/base/hash.hpp"

#include <isa-l/crc.h>

namespace h5score::base {

u32 crc32(ByteView bytes, u32 crc) {
  if (bytes.empty()) return crc;
  return crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace h5score::base
