// The message grammar, exit codes, checked arithmetic and buffers.
#include "h5score/base/error.hpp"

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/element_type.hpp"
#include "h5score/base/narrow.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace h5score::base {
namespace {

TEST(Error, PutsProblemWhyAndSuggestionTogether) {
  EXPECT_STREQ(Error(ExitCode::data, "x.h5: bad", "it ends early", "copy it again").what(),
               "x.h5: bad (it ends early); copy it again");
  EXPECT_STREQ(Error(ExitCode::data, "bad").what(), "bad");
  EXPECT_STREQ(Error(ExitCode::data, "bad", "", "mend it").what(), "bad; mend it");
}

TEST(Error, KeepsItsCodeWhenContextIsAdded) {
  const Error inner(ExitCode::io, "cannot read", "EIO");
  const Error outer = inner.in("run1.h5: /x");
  EXPECT_EQ(outer.code(), ExitCode::io);
  EXPECT_STREQ(outer.what(), "run1.h5: /x: cannot read (EIO)");
}

// Names from hostile files end up in messages.
TEST(Error, IsOneLineWithoutControlCharactersWhateverItQuotes) {
  EXPECT_STREQ(Error(ExitCode::data, "a\nb\t\x1b[2Jc\x7f", "d\r").what(), "a?b??[2Jc? (d?)");
  EXPECT_STREQ(Error(ExitCode::data, std::string("a\0b", 3)).what(), "a?b");
  EXPECT_STREQ(Error(ExitCode::data, "x\u009b31m", "\u00e4\u2192").what(), "x??31m (\u00e4\u2192)");
  EXPECT_STREQ(Error(ExitCode::data, "z").in("p\nq").what(), "p?q: z");
  EXPECT_STREQ(Error(ExitCode::data, "\xff=\x80 \xc3").what(), "?=? ?");          // no UTF-8
  EXPECT_STREQ(Error(ExitCode::data, "\xc0\x80 \xed\xa0\x80").what(), "?? ???");  // too long, a surrogate
  EXPECT_STREQ(Error(ExitCode::data, "\xf0\x9f\x94\xad \xf4\x8f\xbf\xbf").what(), "\xf0\x9f\x94\xad \xf4\x8f\xbf\xbf");
}

TEST(Error, IsCutWhereItIsEndless) {
  const std::string text = Error(ExitCode::data, std::string(1'000'000, 'x')).what();
  EXPECT_LT(text.size(), 10'000U);
  EXPECT_TRUE(text.ends_with("..."));
}

TEST(Narrow, ThrowsWhereTheValueDoesNotFit) {
  EXPECT_EQ(narrow<u8>(u64{255}), 255);
  EXPECT_THROW(static_cast<void>(narrow<u8>(u64{256})), Error);
  EXPECT_THROW(static_cast<void>(narrow<u32>(i64{-1})), Error);
}

TEST(CheckedProduct, MultipliesAllOrThrows) {
  EXPECT_EQ(checked_product({}), 1U);
  EXPECT_EQ(checked_product({}, 8), 8U);
  EXPECT_EQ(checked_product(std::vector<u64>{3, 5}, 2), 30U);
  EXPECT_EQ(checked_product(std::vector<u64>{u64{1} << 40, 0}), 0U);
  EXPECT_THROW(static_cast<void>(checked_product(std::vector<u64>{u64{1} << 40, u64{1} << 30})), Error);
}

TEST(CheckedArithmetic, ThrowsOnOverflowNamingTheOperands) {
  const u64 big = std::numeric_limits<u64>::max();
  EXPECT_EQ(checked_mul(u64{1} << 31, u64{1} << 32), u64{1} << 63);
  EXPECT_EQ(checked_add(big, 0), big);
  EXPECT_THROW(static_cast<void>(checked_add(big, 1)), Error);
  try {
    static_cast<void>(checked_mul(u64{1} << 61, 8));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("2305843009213693952 x 8"), std::string::npos);
  }
}

TEST(AlignedBuffer, IsAlignedAndReusesItsMemory) {
  AlignedBuffer buffer(1000);
  const auto* first = buffer.data();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
  buffer.resize(10);
  EXPECT_EQ(buffer.size(), 10U);
  buffer.resize(1000);
  EXPECT_EQ(buffer.data(), first);
  buffer.resize(100000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0U);
}

TEST(ElementType, IsNamedAsNumpyDoes) {
  EXPECT_EQ(to_string(ElementType{ElementKind::floating, 2}), "float16");
  EXPECT_EQ(to_string(ElementType{ElementKind::unsigned_integer, 1, true}), "uint8");
  EXPECT_EQ(to_string(ElementType{ElementKind::signed_integer, 4, true}), ">i4");
  EXPECT_EQ(to_string(ElementType{ElementKind::fixed_string, 12}), "S12");
}

}  // namespace
}  // namespace h5score::base
