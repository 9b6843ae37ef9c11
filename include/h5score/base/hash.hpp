// Checksums and content hashes: CRC-32 (IEEE 802.3, as zlib) for results in the ledger, XXH3-128 for identities.
#pragma once

#include "h5score/base/types.hpp"

#include <string>

namespace h5score::base {

/// CRC-32 of `bytes` continuing from `crc` (0 to start); the same value as zlib's crc32().
[[nodiscard]] u32 crc32(ByteView bytes, u32 crc = 0);

/// XXH3-128 of `bytes` as 32 lower-case hexadecimal digits (canonical byte order).
[[nodiscard]] std::string content_hash(ByteView bytes);

}  // namespace h5score::base
