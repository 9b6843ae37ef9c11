// Content hashes by xxHash; CRC-32 is in crc32_*.cpp.
#include "h5score/base/hash.hpp"

#include <xxhash.h>

namespace h5score::base {

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
