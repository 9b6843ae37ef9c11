// Checksums against published check values.
#include "h5score/base/hash.hpp"

#include <gtest/gtest.h>

#include <random>
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

// One bit at a time, after the definition of the reflected polynomial.
u32 bitwise_crc32(ByteView bytes, u32 crc) {
  crc = ~crc;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<u32>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

TEST(Crc32, IsThatOfThePolynomialForEverySizeAndAddress) {
  std::mt19937 random(1);
  Bytes data(70'000);
  for (auto& byte : data) byte = static_cast<std::byte>(random());
  const ByteView view(data);
  for (std::size_t size = 1; size < 600; ++size) {
    const ByteView bytes = view.subspan(size % 67, size);
    ASSERT_EQ(crc32(bytes), bitwise_crc32(bytes, 0)) << size;
    ASSERT_EQ(crc32(bytes, 0xDEADBEEFU), bitwise_crc32(bytes, 0xDEADBEEFU)) << size;
  }
  EXPECT_EQ(crc32(view), bitwise_crc32(view, 0));
  EXPECT_EQ(crc32(view.subspan(4099), crc32(view.first(4099))), bitwise_crc32(view, 0));
}

// XXH128 of the empty input with seed 0, as `xxh128sum` prints it.
TEST(ContentHash, IsXxh3Canonical) {
  EXPECT_EQ(content_hash({}), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(content_hash(bytes_of("a")), content_hash(bytes_of("b")));
}

}  // namespace
}  // namespace h5score::base
