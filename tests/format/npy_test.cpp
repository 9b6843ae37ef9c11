// Numpy's files: headers of all versions, byte orders, storage orders, records, texts, and what is refused.
#include "format/npy.hpp"

#include "support.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstring>

namespace h5score::format::npy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

base::Bytes file(const std::string& header, const std::string& data, int version = 1) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  for (std::size_t i = 0; i < length_bytes; ++i) text += static_cast<char>(header.size() >> (8 * i) & 0xFFU);
  text += header + data;
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

template <class T>
std::string bytes_of(std::initializer_list<T> values, bool swapped = false) {
  std::string text;
  for (const T value : values) {
    std::array<char, sizeof(T)> raw;
    std::memcpy(raw.data(), &value, sizeof(T));
    if (swapped) std::reverse(raw.begin(), raw.end());
    text.append(raw.begin(), raw.end());
  }
  return text;
}

std::string header(const std::string& type, const std::string& shape, bool fortran = false) {
  return "{'descr': " + type + ", 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape +
         ", }   \n";
}

TEST(Npy, EveryVersionAndNumber) {
  for (const int version : {1, 2, 3}) {
    const auto fields = parse(file(header("'<f4'", "(2, 1)"), bytes_of<float>({1.5F, -2}), version));
    EXPECT_THAT(fields.at("").shape, ElementsAre(2, 1));
    EXPECT_THAT(fields.at("").numbers, ElementsAre(1.5, -2));
  }
  const auto values = [](const std::string& type, const std::string& data) {
    return parse(file(header(type, "(1,)"), data)).at("").numbers;
  };
  EXPECT_THAT(values("'>f8'", bytes_of<double>({0.1}, true)), ElementsAre(0.1));
  EXPECT_THAT(values("'<i8'", bytes_of<std::int64_t>({-5})), ElementsAre(-5));
  EXPECT_THAT(values("'>u4'", bytes_of<std::uint32_t>({4'000'000'000U}, true)), ElementsAre(4e9));
  EXPECT_THAT(values("'<i2'", bytes_of<std::int16_t>({-300})), ElementsAre(-300));
  EXPECT_THAT(values("'|u1'", std::string(1, '\xC8')), ElementsAre(200));
  EXPECT_THAT(values("'|i1'", std::string(1, '\xC8')), ElementsAre(-56));
  EXPECT_THAT(values("'|b1'", std::string(1, '\1')), ElementsAre(1));
  EXPECT_THAT(values("'<u8'", bytes_of<std::uint64_t>({7})), ElementsAre(7));
}

TEST(Npy, ScalarsAndLongIntegersOfPython2) {
  EXPECT_THAT(parse(file(header("'<f8'", "()"), bytes_of<double>({3}))).at("").shape, IsEmpty());
  EXPECT_THAT(parse(file(header("'<f8'", "(2L,)"), bytes_of<double>({3, 4}))).at("").shape, ElementsAre(2));
  EXPECT_THAT(parse(file(header("'<f8'", "(0, 3)"), "")).at("").numbers, IsEmpty());
}

TEST(Npy, FortranOrder) {
  const auto array = parse(file(header("'<f8'", "(2, 3)", true), bytes_of<double>({1, 4, 2, 5, 3, 6}))).at("");
  EXPECT_THAT(array.numbers, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npy, RecordsWithPadding) {
  const std::string type = "[('rows', '<f4', (2,)), ('', '|V4'), ('label', '|S3')]";
  std::string data;
  data += bytes_of<float>({1, 2}) + "pad!" + std::string("ab\0", 3);
  data += bytes_of<float>({3, 4}) + "pad!" + "xyz";
  const auto fields = parse(file(header(type, "(2,)"), data));
  EXPECT_THAT(fields.at("rows").shape, ElementsAre(2, 2));
  EXPECT_THAT(fields.at("rows").numbers, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(fields.at("label").texts, ElementsAre("ab", "xyz"));
  EXPECT_EQ(fields.size(), 2U);
}

TEST(Npy, UnicodeTexts) {
  const auto data = bytes_of<std::uint32_t>({'g', 0x3B1, 0x1F30C, 0xD800});
  EXPECT_THAT(parse(file(header("'<U4'", "(1,)"), data)).at("").texts, ElementsAre("g\u03B1\U0001F30C\uFFFD"));
}

TEST(Npy, RefusesWhatIsNone) {
  const auto refusal = [](const base::Bytes& bytes) { return message_of([&] { parse(bytes); }); };
  EXPECT_THAT(refusal({}), HasSubstr("no array of numpy"));
  EXPECT_THAT(refusal(file(header("'<f8'", "(1,)"), "", 9)), HasSubstr("version 9"));
  EXPECT_THAT(refusal(file(header("'<f8'", "(2,)"), "12345678")), HasSubstr("cut off"));
  EXPECT_THAT(refusal(file(header("'|O'", "(2,)"), "12345678")), HasSubstr("not supported"));
  EXPECT_THAT(refusal(file(header("'<c16'", "(1,)"), std::string(16, ' '))), HasSubstr("not supported"));
  EXPECT_THAT(refusal(file(header("'<f2'", "(1,)"), "ab")), HasSubstr("not supported"));
  EXPECT_THAT(refusal(file(header("'|S0'", "(9999999999,)"), "")), HasSubstr("not supported"));
  EXPECT_THAT(refusal(file(header("'<f8'", "(-1,)"), "")), HasSubstr("malformed"));
  EXPECT_THAT(refusal(file(header("'<f8'", "(4611686018427387904, 4)"), "")), HasSubstr("overflows"));
  EXPECT_THAT(refusal(file(header("[('a', [('b', '<f8')])]", "(1,)"), "12345678")), HasSubstr("nested"));
  EXPECT_THAT(refusal(file("{'descr': ", "")), HasSubstr("JSON"));
  auto cut = file(header("'<f8'", "(1,)"), "");
  cut.resize(40);
  EXPECT_THAT(refusal(cut), HasSubstr("inside its header"));
}

}  // namespace
}  // namespace h5score::format::npy
