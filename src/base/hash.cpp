// Checksums by libdeflate (SIMD CRC-32) and xxHash.
#include "h5score/base/hash.hpp"

#include <libdeflate.h>
#include <xxhash.h>

namespace h5score::base {

u32 crc32(ByteView bytes, u32 crc) {
  if (bytes.empty()) return crc;  // libdeflate reads a null pointer as a request for the initial value
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

std::string content_hash(ByteView bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

}  // namespace h5score::base
