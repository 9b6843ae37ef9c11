// Parts of the input path without files: filters, conversions, selections, and payloads that are not what they should
// be.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/h5/lzf.hpp"
#include "h5score/storage/decoder.hpp"

#include "storage/codec.hpp"
#include "storage/payload.hpp"
#include "storage/placement.hpp"
#include "storage/selection.hpp"
#include "storage/unshuffle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libdeflate.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>

namespace h5score::storage {
namespace {

using base::Bytes;
using base::ByteView;
using base::Error;

Bytes bytes_of(std::string_view text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

Bytes random_bytes(std::size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  Bytes bytes(n);
  for (auto& b : bytes) b = static_cast<std::byte>(generator());
  return bytes;
}

// The definition, word by word with a modulus: what fletcher32() must equal (0 and 65535 are one residue).
u32 plain_fletcher(ByteView data) {
  u64 low = 0;
  u64 high = 0;
  for (std::size_t i = 0; i < data.size(); i += 2) {
    const u64 second = i + 1 < data.size() ? static_cast<u64>(data[i + 1]) : 0;
    low = (low + (static_cast<u64>(data[i]) << 8 | second)) % 65535;
    high = (high + low) % 65535;
  }
  return static_cast<u32>(high << 16 | low);
}

u32 residue(u32 sum) {
  const auto canonical = [](u32 half) { return half == 65535 ? 0 : half; };
  return canonical(sum >> 16) << 16 | canonical(sum & 0xffffU);
}

TEST(Fletcher32, EqualsItsDefinition) {
  for (const std::size_t n : {0U, 1U, 2U, 3U, 719U, 720U, 721U, 722U, 5000U, 100001U}) {
    const Bytes data = random_bytes(n, static_cast<unsigned>(n));
    EXPECT_EQ(residue(fletcher32(data)), plain_fletcher(data)) << n;
    const Bytes ones(n, std::byte{0xff});
    EXPECT_EQ(residue(fletcher32(ones)), plain_fletcher(ones)) << n;
  }
}

TEST(Unshuffle, UndoesShuffleForEverySize) {
  for (const std::size_t size : {1U, 2U, 3U, 4U, 8U, 12U, 16U})
    for (const std::size_t n : {0U, 1U, 2U, 17U, 5000U}) {
      const Bytes plain = random_bytes(n * size + size / 2, 7);
      Bytes shuffled(plain);
      if (n > 1)
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t k = 0; k < size; ++k) shuffled[k * n + i] = plain[i * size + k];
      Bytes out(plain.size());
      unshuffle(shuffled, size, out.data());
      EXPECT_EQ(out, plain) << size << " x " << n;
    }
}

// Buffers of just the size needed: the sanitizers see a byte too many.
TEST(Unshuffle, TakesAnyElementsOfTheirPlanes) {
  for (const std::size_t size : {1U, 2U, 4U, 5U, 8U})
    for (std::size_t n = 1; n < 70; ++n) {
      const Bytes planes = random_bytes(n * size, 3);
      for (const std::size_t first : {std::size_t{0}, n / 3, n - 1}) {
        const std::size_t count = n - first;
        Bytes out(count * size);
        unshuffle(planes.data() + first, n, size, count, out.data());
        for (std::size_t i = 0; i < out.size(); ++i)
          ASSERT_EQ(out[i], planes[i % size * n + first + i / size]) << size << " x " << n << " from " << first;
      }
    }
}

TEST(Lzf, ExpandsLiteralsAndOverlappingCopies) {
  // 3 literals "abc", then 9 + 1 bytes from distance 3 (length code 7 with 1 more), then a short copy.
  Bytes data = bytes_of(
      "\x02"
      "abc"
      "\xe0");
  data.push_back(std::byte{1});
  data.push_back(std::byte{2});
  Bytes out(3 + 10);
  ASSERT_TRUE(h5::expand_lzf(data, out));
  EXPECT_EQ(out, bytes_of("abcabcabcabca"));
  Bytes longer(14);
  EXPECT_FALSE(h5::expand_lzf(data, longer));
  Bytes shorter(12);
  EXPECT_FALSE(h5::expand_lzf(data, shorter));
}

TEST(Lzf, NeverLeavesItsBuffersOnRandomInput) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const Bytes data = random_bytes(seed % 97, seed);
    Bytes out(seed % 513);
    static_cast<void>(h5::expand_lzf(data, out));  // the sanitizers watch
  }
}

TEST(Codec, RefusesPipelinesThatAreNotOurs) {
  const h5::Filter deflate{1, "gzip", {6}};
  const h5::Filter shuffle{2, "shuffle", {4}};
  const h5::Filter fletcher{3, "fletcher32", {}};
  const h5::Filter lzf{h5::Filter::lzf, "lzf", {}};
  const h5::Filter szip{4, "szip", {}};
  EXPECT_TRUE(Codec::handles({}));
  EXPECT_TRUE(Codec::handles({shuffle, deflate, fletcher}));
  EXPECT_TRUE(Codec::handles({fletcher, shuffle, lzf, fletcher}));
  EXPECT_FALSE(Codec::handles({deflate, lzf}));
  EXPECT_FALSE(Codec::handles({shuffle, szip}));
  EXPECT_FALSE(Codec::handles({{2, "shuffle", {}}}));
}

TEST(Codec, UndoesFiltersInAnyOrder) {
  const h5::Filter deflate{1, "gzip", {6}};
  const h5::Filter shuffle{2, "shuffle", {4}};
  const h5::Filter fletcher{3, "fletcher32", {}};
  const Bytes plain = random_bytes(4000, 1);
  const auto apply = [](const h5::Filter& filter, const Bytes& in) {
    Bytes out;
    if (filter.id == h5::Filter::deflate) {
      const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> c(libdeflate_alloc_compressor(6),
                                                                                       libdeflate_free_compressor);
      out.resize(libdeflate_zlib_compress_bound(c.get(), in.size()));
      out.resize(libdeflate_zlib_compress(c.get(), in.data(), in.size(), out.data(), out.size()));
    } else if (filter.id == h5::Filter::shuffle) {
      out = in;
      const std::size_t n = in.size() / 4;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < 4; ++k) out[k * n + i] = in[i * 4 + k];
    } else {
      out = in;
      const u32 sum = fletcher32(in);
      for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(sum >> (8 * i)));
    }
    return out;
  };
  Codec codec;
  for (const auto& filters : std::vector<std::vector<h5::Filter>>{{shuffle, deflate, fletcher},
                                                                  {fletcher, deflate},
                                                                  {deflate, shuffle},
                                                                  {fletcher, shuffle, deflate, fletcher},
                                                                  {shuffle, fletcher}}) {
    for (u32 mask = 0; mask < (1U << filters.size()); ++mask) {
      Bytes stored = plain;
      for (std::size_t i = 0; i < filters.size(); ++i)
        if ((mask >> i & 1U) == 0) stored = apply(filters[i], stored);
      Bytes out(plain.size());
      codec.decode(stored, filters, mask, out);
      EXPECT_EQ(out, plain) << filters.size() << " filters, mask " << mask;
    }
  }
}

TEST(Codec, DoesNotAllocateForImpossibleExpansions) {
  Codec codec;
  Bytes out(1 << 20);
  EXPECT_THROW(codec.decode(random_bytes(100, 1), {{1, "gzip", {6}}}, 0, out), Error);
}

TEST(NaturalOrder, ComparesRunsOfDigitsAsNumbers) {
  EXPECT_TRUE(natural_less("run2", "run10"));
  EXPECT_TRUE(natural_less("run2.h5", "run2b.h5"));
  EXPECT_TRUE(natural_less("a9", "a10"));
  EXPECT_TRUE(natural_less("a007", "a8"));
  EXPECT_TRUE(natural_less("t1_9", "t1_10"));
  EXPECT_TRUE(natural_less("a99999999999999999999", "a100000000000000000000"));
  EXPECT_FALSE(natural_less("a1", "a1"));
  EXPECT_NE(natural_less("a01", "a1"), natural_less("a1", "a01"));
}

RowFormat one_array(ArrayFormat array) {
  RowFormat format;
  format.columns = array.row_elements();
  format.bindings.emplace_back();
  for (u64 column = 0; column < format.columns; ++column) format.bindings[0].features.push_back({.column = column});
  format.formats.emplace_back().arrays = {std::move(array)};
  return format;
}

Bytes payload_of(const PayloadHeader& header, const std::vector<Bytes>& segments) {
  const Bytes body = base::to_bytes(header);
  const u64 size = body.size();
  std::vector<u64> offsets;
  u64 end = sizeof size + size;
  for (const auto& segment : segments) {
    offsets.push_back(align_up(end));
    end = offsets.back() + segment.size();
  }
  Bytes payload(end);
  std::memcpy(payload.data(), &size, sizeof size);
  std::memcpy(payload.data() + sizeof size, body.data(), body.size());
  for (std::size_t i = 0; i < segments.size(); ++i)
    std::memcpy(payload.data() + offsets[i], segments[i].data(), segments[i].size());
  return payload;
}

ArrayFormat chunked_array() {
  ArrayFormat array;
  array.dataset = "/x";
  array.type = {.kind = base::ElementKind::unsigned_integer, .size = 1};
  array.row_shape = {4};
  array.access = Access::chunked;
  array.chunk = {2, 3};
  array.fill = {std::byte{9}};
  return array;
}

TEST(Decoder, PlacesChunksAndFillValues) {
  const Decoder decoder(one_array(chunked_array()));
  // Rows 1 and 2 of 3: the chunks of row 0 give their second row, those of row 1 their first; one was never written.
  const PayloadHeader header{.format = 0,
                             .path = "a.h5",
                             .rows = {1, 3},
                             .offsets = {},
                             .arrays = {{.rows = {1, 3}, .extent = 3, .sizes = {3, 3, 0, 3}, .masks = {}}}};
  const Bytes payload =
      payload_of(header, {bytes_of("\x01\x02\x03"), bytes_of("\x04\x7f\x7f"), bytes_of("\x05\x7f\x7f")});
  DecodedBlock block;
  decoder.open(payload, block);
  std::vector<float> tile(12, -1.0F);
  block.fill_tile(0, 0, 2, tile.data(), 6);
  EXPECT_THAT(tile, ::testing::ElementsAre(1, 2, 3, 4, 0, 0, 9, 9, 9, 5, 0, 0));
  EXPECT_THROW(block.fill_tile(0, 1, 2, tile.data(), 6), Error);
  EXPECT_THROW(block.fill_tile(0, 0, 1, tile.data(), 3), Error);
}

// Whatever arrives, the decoder throws or decodes within its buffers (the sanitizers watch).
TEST(Decoder, SurvivesDamagedPayloads) {
  const Decoder decoder(one_array(chunked_array()));
  const PayloadHeader header{.format = 0,
                             .path = "a.h5",
                             .rows = {1, 3},
                             .offsets = {},
                             .arrays = {{.rows = {1, 3}, .extent = 3, .sizes = {3, 3, 3, 3}, .masks = {0, 0, 0, 1}}}};
  const Bytes good = payload_of(header, std::vector<Bytes>(4, bytes_of("abc")));
  DecodedBlock block;
  decoder.open(good, block);
  u64 refused = 0;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(decoder.open(ByteView(good).first(size), block), Error);
  }
  for (std::size_t i = 0; i < align_up(sizeof(u64) + base::to_bytes(header).size()); ++i)
    for (const unsigned flip : {1U, 0x80U, 0xffU}) {
      Bytes bad = good;
      bad[i] ^= static_cast<std::byte>(flip);
      try {
        decoder.open(bad, block);
      } catch (const Error&) {
        ++refused;
      } catch (const std::bad_alloc&) {
        ++refused;
      }
    }
  EXPECT_GT(refused, 100U);
}

template <class Stored, class T>
void check_conversion(base::ElementKind kind, const std::vector<Stored>& values) {
  for (const bool big : {false, true}) {
    ArrayFormat array;
    array.type = {.kind = kind, .size = sizeof(Stored), .big_endian = big};
    array.row_shape = {values.size()};
    array.access = Access::served;
    Bytes raw(values.size() * sizeof(Stored));
    std::memcpy(raw.data(), values.data(), raw.size());
    if (big)
      for (std::size_t i = 0; i < raw.size(); i += sizeof(Stored))
        std::reverse(raw.begin() + static_cast<std::ptrdiff_t>(i),
                     raw.begin() + static_cast<std::ptrdiff_t>(i + sizeof(Stored)));
    const Decoder decoder(one_array(array));
    const PayloadHeader header{.format = 0,
                               .path = "a.h5",
                               .rows = {0, 1},
                               .offsets = {},
                               .arrays = {{.rows = {0, 1}, .extent = 1, .sizes = {raw.size()}, .masks = {}}}};
    const Bytes payload = payload_of(header, {raw});
    DecodedBlock block;
    decoder.open(payload, block);
    std::vector<T> out(values.size());
    block.fill_tile(0, 0, 1, out.data(), out.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(out[i], static_cast<T>(values[i])) << i << (big ? " big" : "");
  }
}

template <class T>
void check_all_conversions() {
  using base::ElementKind;
  check_conversion<std::int8_t, T>(ElementKind::signed_integer, {-128, -1, 0, 127});
  check_conversion<std::uint8_t, T>(ElementKind::unsigned_integer, {0, 1, 255});
  check_conversion<std::int16_t, T>(ElementKind::signed_integer, {-32768, -2, 0, 32767});
  check_conversion<std::uint16_t, T>(ElementKind::unsigned_integer, {0, 258, 65535});
  check_conversion<std::int32_t, T>(ElementKind::signed_integer, {INT32_MIN, -16777217, 16777217, INT32_MAX});
  check_conversion<std::uint32_t, T>(ElementKind::unsigned_integer, {0, 16777217, UINT32_MAX});
  check_conversion<std::int64_t, T>(ElementKind::signed_integer,
                                    {INT64_MIN, -9007199254740993, 9007199254740993, INT64_MAX});
  check_conversion<std::uint64_t, T>(ElementKind::unsigned_integer, {0, 9007199254740993, UINT64_MAX});
  check_conversion<float, T>(ElementKind::floating, {-0.0F, 1.5F, 1e-45F, 3.4e38F, INFINITY});
  check_conversion<double, T>(ElementKind::floating, {-0.0, 0.1, 5e-324, 1.7e308, -INFINITY});
}

TEST(Conversion, RoundsToNearestFloat) {
  check_all_conversions<float>();
}
TEST(Conversion, RoundsToNearestDouble) {
  check_all_conversions<double>();
}

}  // namespace
}  // namespace h5score::storage
