// Checksums against published check values.
#include "h5score/base/hash.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace h5score::base {
namespace {

ByteView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Crc32, HasTheCheckValueOfIeee8023) {
  EXPECT_EQ(crc32(bytes_of("123456789")), 0xCBF43926U);
}

TEST(Crc32, ContinuesWhereItStopped) {
  EXPECT_EQ(crc32(bytes_of("6789"), crc32(bytes_of("12345"))), 0xCBF43926U);
  EXPECT_EQ(crc32({}, 0x1234U), 0x1234U);
  EXPECT_EQ(crc32({}), 0U);
}

// XXH128 of the empty input with seed 0, as `xxh128sum` prints it.
TEST(ContentHash, IsXxh3Canonical) {
  EXPECT_EQ(content_hash({}), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(content_hash(bytes_of("a")), content_hash(bytes_of("b")));
}

}  // namespace
}  // namespace h5score::base
